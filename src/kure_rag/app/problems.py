"""What went wrong, in Korean: why a file was rejected, why nothing was added, why there is no answer.

The readers, the index and the chat client say it in English. For a Korean page each problem is told by a part of its
text that is always there; one that no part fits is shown as it is. The English text stands beneath in any case: it has
the byte, the page and the limit.
"""

from __future__ import annotations

import re
from typing import Final

from kure_rag.app.settings import Language

_OCR_FIRST: Final = "글자 인식(OCR)을 먼저 한 뒤 올리세요."
_SPLIT: Final = "파일을 나누어 올리세요."
_SAVE_AGAIN: Final = "PDF 프로그램에서 열어 다시 저장한 뒤 올리세요."
_COPY_AGAIN: Final = "다시 내려받거나 복사한 뒤 올리세요."

# Of a file. The first that is found counts.
_FILES: Final = (
    (r"an empty file", "빈 파일입니다. 파일이 제대로 저장되었는지 확인한 뒤 다시 올리세요."),
    (r"not a PDF", "PDF 파일이 아닙니다. PDF로 내보낸 뒤 올리세요. TXT와 MD 파일도 올릴 수 있습니다."),
    (r"encrypted with a password", "비밀번호로 잠긴 PDF입니다. 비밀번호 없이 저장한 사본을 올리세요."),
    (r"breaks off before its end", f"PDF가 중간에서 끊겨 있습니다. {_COPY_AGAIN}"),
    (r"no text layer is left", f"PDF의 일부가 없어져 글자가 남아 있지 않습니다. {_COPY_AGAIN}"),
    (r"took longer than ([\d.,]+) s a page", rf"스캔한 쪽의 글자 인식이 한 쪽에 \1초 넘게 걸렸습니다. {_OCR_FIRST}"),
    (r"no text layer on any", f"글자 정보가 없는 PDF입니다. 스캔한 문서로 보입니다. {_OCR_FIRST}"),
    (r"text layer of its .* is unreadable", f"글꼴 정보가 빠져 있어 글자를 알 수 없는 PDF입니다. {_OCR_FIRST}"),
    (
        r"cannot be parsed as a PDF|\d of its [\d,]+ pages: |the file has no pages",
        f"PDF가 손상되었습니다. {_SAVE_AGAIN}",
    ),
    (r"([\d,]+) pages, over the limit of ([\d,]+)", rf"\1쪽으로, 한도인 \2쪽을 넘습니다. {_SPLIT}"),
    (r"([\d,]+) bytes, over the limit of ([\d,]+)", rf"파일이 너무 큽니다(\1바이트, 한도 \2바이트). {_SPLIT}"),
    (r"characters on page ([\d,]+), over", r"\1쪽에 글자가 너무 많습니다. 그 쪽을 빼고 올리세요."),
    (r"[\d,]+ characters.*(over|split the file)", f"글자가 너무 많습니다. {_SPLIT}"),
    (r"page ([\d,]+) not read within ([\d.,]+) s", r"\1쪽을 \2초 안에 읽지 못했습니다. 그 쪽을 빼고 올리세요."),
    (r"not read within ([\d.,]+) s", rf"파일을 \1초 안에 다 읽지 못했습니다. {_SPLIT}"),
    (r"more than ([\d,]+) MiB", rf"읽는 데 메모리가 \1 MiB 넘게 필요합니다. {_SPLIT}"),
    (r"the reading process died|nested too deeply", f"파일이 이상하여 읽다가 멈추었습니다. {_SAVE_AGAIN}"),
    (
        r"the reading process did not start",
        "파일을 읽는 프로그램이 시작되지 않았습니다. 앱을 시작한 사람에게 알려 주세요.",
    ),
    (r"a text file without any text", "글자가 하나도 없는 파일입니다. 제대로 저장되었는지 확인하세요."),
    (r"no text file, whatever", "글 파일이 아닙니다. 확장자가 맞는지 확인하거나, 글 또는 PDF로 내보낸 뒤 올리세요."),
    (r"UTF-8|UTF-16|byte order mark", "글자의 인코딩을 알 수 없습니다. 파일을 UTF-8로 저장한 뒤 올리세요."),
    (r"the run was stopped", "읽기 전에 앱이 멈추었습니다. 다시 올리세요."),
    (r"was changed while it was read", "읽는 동안 파일이 바뀌었습니다. 다시 올리세요."),
)
# Of an upload as a whole.
_UPLOADS: Final = (
    (r"another process is writing", "다른 프로그램이 색인에 쓰고 있어 기다리다 그만두었습니다. 잠시 뒤 다시 올리세요."),
    (r"No space left", "디스크에 남은 자리가 없습니다. 자리를 비운 뒤 다시 올리세요."),
    (r"the app was stopped", "앱이 멈추었습니다. 아래에 없는 파일은 추가되지 않았으니 다시 올리세요."),
)
# Of an answer.
_ANSWERS: Final = (
    (
        r"wants a valid API key",
        "언어 모델 서버가 API 키를 받아들이지 않습니다. 앱을 시작한 사람이 키를 확인해야 합니다.",
    ),
    (r"the answer broke off", "서버와의 연결이 끊겼습니다. 지금까지 온 답은 그대로 두었으니 다시 물어보세요."),
    (r"no answer within ([\d.,]+) s", r"언어 모델 서버가 \1초 동안 답하지 않았습니다. 잠시 뒤 다시 물어보세요."),
    (r"HTTP (408|409|425|429|5\d\d)\b", r"언어 모델 서버가 바쁘거나 고장입니다(HTTP \1). 잠시 뒤 다시 물어보세요."),
    (
        r"check that the server runs",
        "언어 모델 서버에 연결할 수 없습니다. 서버가 켜져 있는지 확인하고 다시 물어보세요.",
    ),
    (
        r"HTTP (400|413|422)\b",
        r"언어 모델 서버가 이 질문을 받지 않았습니다(HTTP \1). 더 짧게, 또는 다른 말로 물어보세요.",
    ),
    (
        r"check the URL|give the URL|no URL|no http",
        "언어 모델 서버의 주소나 모델 이름이 맞지 않습니다. 앱을 시작한 사람이 고쳐야 합니다.",
    ),
    (r"the server lists", "언어 모델의 이름을 정해야 합니다. 앱을 시작한 사람이 --model 로 고르면 됩니다."),
    (r"reached its longest answer", "언어 모델이 낼 수 있는 가장 긴 답에 이르렀습니다. 나누어 물어보세요."),
    (r"content filter", "서버의 내용 검열이 답을 끝냈습니다. 다른 말로 물어보세요."),
    (r"its thoughts, and no answer|an answer without text", "언어 모델이 빈 답을 보냈습니다. 다시 물어보세요."),
    (r"stopped before its end", "답을 다 받기 전에 멈추었습니다. 더 필요하면 다시 물어보세요."),
    (r"stopped while asking", "묻는 동안 앱이 멈추었습니다. 다시 물어보세요."),
)


def of_file(reason: str, language: Language) -> str:
    """Why a file was rejected, as a sentence that says what to do; empty where only the reason itself can be shown.

    Args:
        reason: As :attr:`kure_rag.IngestRow.reason` has it.
        language: Of the page. For English the reason says it.
    """
    return _told(reason, _FILES, language)


def of_upload(error: str, language: Language) -> str:
    """Why no file of an upload could be added, as :func:`of_file`."""
    return _told(error, _UPLOADS, language)


def of_answer(problem: str, language: Language) -> str:
    """Why there is no answer, or no whole one, as :func:`of_file`."""
    return _told(problem, _ANSWERS, language)


def _told(problem: str, sentences: tuple[tuple[str, str], ...], language: Language) -> str:
    if language == "ko":
        for part, sentence in sentences:
            if found := re.search(part, problem):
                return found.expand(sentence)
    return ""
