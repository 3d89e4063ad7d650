"""What the stand-in for a chat model says: quotations from the passages in its prompt, always the same ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

Message = Mapping[str, Any]
Passage = tuple[str, str]  # its mark, such as "[1]" (empty where it has none), and its text

NOTHING: Final = "문서에서 답을 찾지 못했습니다."
_QUOTED: Final = 2  # passages that an answer quotes at most
_LONGEST: Final = 160  # characters of a quotation
_MARK: Final = re.compile(r"^(?:\[(\d{1,3})\]|Source (\d{1,3}):)[ \t]*", re.MULTILINE)
_RULED: Final = re.compile(  # how LlamaIndex's prompts set passages apart
    r"^-{5,}[ \t]*\n(.*?)\n-{5,}[ \t]*$|documents for the context:\s*(.*?)\n\s*Instruction:", re.MULTILINE | re.DOTALL
)
_FENCED: Final = re.compile(r"<passage[^>]*>\n?(.*?)\n?</passage>", re.DOTALL)
_AFTER: Final = re.compile(r"^(?:질문|답변|Question|Query|Answer|Instruction)s?\s*:|^-{5,}|^</", re.MULTILINE)
_QUESTION: Final = re.compile(
    r"^(?:(?:질문|Question|Query|Follow Up Input)\s*:|<Follow Up Message>)\s*(.+)$", re.MULTILINE
)
_FIELD: Final = re.compile(r"^(?:[A-Za-z_]+|출처): ")  # a line of metadata above a text, as LlamaIndex puts them
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|\n+")
_FOLLOW_UP: Final = re.compile(r"standalone question|홀로 읽어도", re.IGNORECASE)
_SAID_BY_USER: Final = re.compile(r"^(?:user|human|사용자)\s*:\s*(.+)$", re.MULTILINE | re.IGNORECASE)


def answer_to(messages: Sequence[Message]) -> str:
    """The answer to a conversation.

    Asked to make a standalone question of a follow-up, it puts the question before it in front. Otherwise it quotes one
    sentence from each of the first two passages, the one that shares most with the question, with the passages' marks.
    """
    question = question_of(messages)
    if any(message.get("role") in ("system", "user") and _FOLLOW_UP.search(text_of(message)) for message in messages):
        return _standalone(messages, question)
    for message in reversed(messages):
        if message.get("role") != "assistant" and (passages := passages_in(text_of(message))):
            return " ".join(_quotations(passages, question)) or NOTHING
    return NOTHING


def tool_call(messages: Sequence[Message], tools: Sequence[Any]) -> tuple[str, str] | None:
    """The name and the arguments, in JSON, of the call that a model would make first; ``None`` once a tool answered."""
    last = max((i for i, message in enumerate(messages) if message.get("role") == "user"), default=-1)
    if any(message.get("role") == "tool" for message in messages[last + 1 :]):
        return None
    for tool in tools:
        function = tool.get("function", {}) if isinstance(tool, dict) else {}
        properties = function.get("parameters", {}).get("properties", {})
        for name, kind in properties.items():
            if isinstance(kind, dict) and kind.get("type", "string") == "string":
                arguments = json.dumps({name: question_of(messages)}, ensure_ascii=False)
                return str(function.get("name", "")), arguments
    return None


def question_of(messages: Sequence[Message]) -> str:
    """What the user asks last: the last line that says ``질문:`` or the like, else the last line."""
    text = next((text_of(message) for message in reversed(messages) if message.get("role") == "user"), "")
    if named := _QUESTION.findall(text):
        return str(named[-1]).strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def passages_in(text: str) -> list[Passage]:
    """Passages of a prompt: numbered ``[1]`` or ``Source 1:``, or what stands between two rules of hyphens."""
    ruled = ["".join(groups) for groups in _RULED.findall(text)]
    text = ruled[-1] if ruled else text
    marks = list(_MARK.finditer(text))
    if not marks:
        blocks = [_without_fields(block) for block in text.split("\n\n")] if ruled else []
        return [("", block) for block in blocks if block]
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    found = []
    for mark, end in zip(marks, ends, strict=True):
        if body := _body(text[mark.end() : end]):
            found.append((f"[{mark[1] or mark[2]}]", body))
    return found


def text_of(message: Message) -> str:
    """The text of a message, whose content may be in parts."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def pieces_of(text: str) -> list[str]:
    """A text as a stream sends it: word by word, each with the white space behind it."""
    return re.findall(r"\s*\S+\s*", text) or [""]


def _body(block: str) -> str:
    """The words of a numbered passage, without the line that says where it is from."""
    if fenced := _FENCED.search(block):
        return _without_fields(fenced[1])
    if after := _AFTER.search(block):
        block = block[: after.start()]
    first, _, rest = block.strip().partition("\n")
    return _without_fields(rest) or first.strip()


def _without_fields(block: str) -> str:
    return "\n".join(line for line in block.splitlines() if not _FIELD.match(line)).strip()


def _quotations(passages: Sequence[Passage], question: str) -> Iterator[str]:
    for mark, text in passages[:_QUOTED]:
        sentences = [sentence.strip() for sentence in _SENTENCE.split(text) if sentence.strip()]
        if sentences:
            best = max(sentences, key=lambda sentence: _shared(sentence, question))  # the first of equal ones
            best = best if len(best) <= _LONGEST else best[: _LONGEST - 1] + "…"
            yield f"{best} {mark}".strip()


def _shared(sentence: str, question: str) -> int:
    return len(_pairs(sentence) & _pairs(question))


def _pairs(text: str) -> set[str]:
    letters = "".join(letter for letter in text if letter.isalnum())
    return {letters[i : i + 2] for i in range(len(letters) - 1)}


def _standalone(messages: Sequence[Message], question: str) -> str:
    asked = [text_of(message) for message in messages if message.get("role") == "user"]
    before = [said.strip() for said in _SAID_BY_USER.findall("\n".join(map(text_of, messages)))]
    before = [said for said in (*asked[:-1], *before) if said != question]
    return f"{before[-1].rstrip('?.! ')} {question}" if before else question
