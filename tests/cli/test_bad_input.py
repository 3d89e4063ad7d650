"""Wrong files, wrong folders, wrong words: each is told what, where and what to do, and costs nothing else."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import pytest
from commands import Said, call
from pypdf import PdfReader, PdfWriter
from support import numbered_pdf, write_pdf

from kure_rag.cli import main
from kure_rag.samples import sample_paths

# File name → words that its reason must hold: what is wrong, and what to do. The sorted names put them among good ones.
BAD = {
    "2_글.pdf": ("not a PDF", "export it as PDF"),
    "3_빈.pdf": ("an empty file", "export it as PDF"),
    "4_잘린.pdf": ("truncated", "copy or download it again"),
    "5_잠긴.pdf": ("password", "without the password"),
    "6_스캔.pdf": ("no text layer", "OCR"),
    "7_깨진.pdf": ("cannot be parsed", "re-save"),
}
GOOD = ("1_앞.pdf", "4_사이.pdf", "9_뒤.pdf")


def failure(command: str, *arguments: str | Path) -> tuple[str, str]:
    """The type and the message of a whole command's error, told alike in text and in JSON."""
    plain, structured = call(command, *arguments), call(command, *arguments, "--json")
    assert (plain.status, structured.status) == (1, 1)
    assert plain.out == ""
    told = structured.json()
    assert list(told) == ["error"]
    assert list(told["error"]) == ["type", "message"]
    message: str = told["error"]["message"]
    assert plain.err == structured.err == f"kure-rag {command}: {message}\n"
    return told["error"]["type"], message


def good_pdf(path: Path, number: int) -> Path:
    return numbered_pdf(path.parent, number).rename(path)


@contextmanager
def started(*arguments: str | Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "kure_rag", *map(str, arguments)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("나쁜 파일")
    for number, name in enumerate(GOOD):
        good_pdf(folder / name, number)
    whole = (folder / GOOD[0]).read_bytes()
    (folder / "2_글.pdf").write_text("이름만 PDF인 글이다.\n" * 20, encoding="utf-8")
    (folder / "3_빈.pdf").write_bytes(b"")
    (folder / "4_잘린.pdf").write_bytes(whole[: len(whole) * 2 // 3])
    writer = PdfWriter(clone_from=PdfReader(folder / GOOD[0]))
    writer.encrypt("비밀번호", algorithm="RC4-128")
    writer.write(folder / "5_잠긴.pdf")
    write_pdf(folder / "6_스캔.pdf", [[], []])
    (folder / "7_깨진.pdf").write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 8 + b"\nstartxref\n12\n%%EOF\n")
    return folder


@pytest.fixture(scope="module")
def good_index(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """An index that tests only look at: made with a model of its own."""
    folder = tmp_path_factory.mktemp("good")
    pdf = numbered_pdf(folder, 1)
    assert call("ingest", pdf, "--index", folder / "ix", "--model", tiny_model).status == 0
    return folder / "ix"


# Files


def test_bad_files_among_good_ones(bad_files: Path, tmp_path: Path) -> None:
    missing, empty = tmp_path / "없는 파일.pdf", tmp_path / "빈 폴더"
    empty.mkdir()
    (empty / "메모.txt").write_text("PDF가 없는 폴더", encoding="utf-8")
    after = good_pdf(tmp_path / "끝.pdf", 9)
    said = call("ingest", missing, bad_files, empty, after, "--index", tmp_path / "ix", "--model", "static-ko")
    assert (said.status, said.err) == (0, "")
    rows = dict(line.split(maxsplit=1)[::-1] for line in said.out.splitlines()[:-2])
    by_name = {row.split(".pdf: ")[0].removesuffix(": the") + ".pdf": (status, row) for row, status in rows.items()}
    order = ["없는 파일.pdf", *sorted([*GOOD, *BAD])]
    assert list(by_name)[: len(order)] == order
    for name in (*GOOD, "끝.pdf"):
        assert by_name[name][0] == "added", name
    for name, words in BAD.items():
        status, row = by_name[name]
        assert status == "rejected", name
        assert all(word in row for word in words), row
    assert "no file or folder at" in by_name["없는 파일.pdf"][1]
    assert str(missing) in by_name["없는 파일.pdf"][1]
    assert "rejected   빈 폴더: the folder holds no PDF files; its txt and md files are read by name, or" in said.out
    assert f"\n4 added, 0 unchanged, {len(BAD) + 2} rejected; " in said.out

    told = call("ingest", bad_files, "--index", tmp_path / "ix", "--json").json()
    assert (told["added"], told["unchanged"], told["rejected"]) == (0, len(GOOD), len(BAD))
    assert [row["source"] for row in told["rows"]] == sorted([*GOOD, *BAD])
    for row in told["rows"]:
        assert row["status"] == ("rejected" if row["source"] in BAD else "unchanged")
        assert all(word in row["reason"] for word in BAD.get(row["source"], ()))


def test_bad_files_alone_exit_1_and_leave_a_usable_index(bad_files: Path, tiny_model: Path, tmp_path: Path) -> None:
    arguments = ("--index", tmp_path / "ix", "--model", tiny_model, "--workers", "1")
    for name, words in {**dict(list(BAD.items())[:2]), "없다.pdf": ("no file or folder at", "check the path")}.items():
        said = call("ingest", bad_files / name, *arguments)
        assert said.status == 1, name
        row, summary = said.out.splitlines()
        assert row.startswith(f"rejected   {name}: ")
        assert all(word in row for word in words), row
        assert summary.startswith("0 added, 0 unchanged, 1 rejected")
    said = call("ingest", *(bad_files / name for name in BAD), *arguments, "--json")
    assert said.status == 1
    told = said.json()
    assert (told["added"], told["unchanged"], told["rejected"]) == (0, 0, len(BAD))
    assert [row["source"] for row in told["rows"]] == list(BAD)
    # The model of the runs before made no vector, so it keeps no other one out.
    good = ("ingest", bad_files / GOOD[0], "--index", tmp_path / "ix", "--model", "static-ko", "--workers", "1")
    assert call(*good).status == 0
    assert call("info", "--index", tmp_path / "ix", "--json").json()["fingerprint"]["model"] == "kure-rag/static-ko"


def test_a_broken_corpus_names_the_line(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    lines = ['{"_id": "1", "text": "연차휴가는 15일이다."}', '{"_id": "2", "text": ']
    corpus.write_text("\n".join(lines), encoding="utf-8")
    arguments = ("--corpus", corpus, "--index", tmp_path / "ix", "--model", "static-ko")
    kind, message = failure("ingest", *arguments)
    assert kind == "CorpusFormatError"
    assert message.startswith("corpus.jsonl: line 2: not JSON")
    corpus.write_text("\n\n", encoding="utf-8")
    assert "holds no records" in failure("ingest", *arguments)[1]
    corpus.unlink()
    assert failure("ingest", *arguments) == ("SourceNotFoundError", "corpus.jsonl: no such file; check the path")


def test_a_name_in_decomposed_hangul(tmp_path: Path) -> None:
    name = "연차휴가_규정.pdf"
    path = good_pdf(tmp_path / unicodedata.normalize("NFD", name), 5)
    said = call("ingest", path, "--index", tmp_path / "ix", "--model", "static-ko")
    assert said.out.startswith(f"added      {name}: 2 pages, ")
    for form in ("NFC", "NFD"):
        query = unicodedata.normalize(form, "연금 담당자의 점검")
        arguments = ("--where", json.dumps({"source": name}), "--mode", "lexical", "--json")
        hits = call("search", query, "--index", tmp_path / "ix", *arguments).json()["hits"]
        assert hits
        assert {hit["source"] for hit in hits} == {name}


# Indexes and models


def test_an_index_made_with_another_model(good_index: Path, tiny_model: Path, bad_files: Path) -> None:
    for command, argument in (("ingest", bad_files / GOOD[0]), ("search", "점검")):
        kind, message = failure(command, argument, "--index", good_index, "--model", "static-ko")
        assert kind == "FingerprintMismatchError"
        assert tiny_model.name in message
        assert "kure-rag/static-ko" in message
        assert "ingest into a new folder" in message
    assert call("search", "점검", "--index", good_index, "--model", tiny_model).status == 0


def test_an_unknown_model_makes_no_index(bad_files: Path, tmp_path: Path) -> None:
    kind, message = failure("ingest", bad_files, "--index", tmp_path / "ix", "--model", "KURE-v11")
    assert kind == "UnknownModelError"
    assert "'KURE-v11'" in message
    assert "Did you mean nlpai-lab/KURE-v1" in message
    assert not (tmp_path / "ix").exists()


def test_a_folder_that_cannot_be_made(bad_files: Path, tmp_path: Path) -> None:
    (tmp_path / "파일").write_text("폴더가 아니다", encoding="utf-8")
    for folder in (tmp_path / "파일", tmp_path / "파일" / "ix"):
        kind, message = failure("ingest", bad_files / GOOD[0], "--index", folder, "--model", "static-ko")
        assert kind == "IndexPathError"
        assert str(folder) in message
        assert "choose another folder" in message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write(bad_files: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        kind, message = failure("ingest", bad_files, "--index", tmp_path / "ix", "--model", "static-ko")
    finally:
        tmp_path.chmod(0o700)
    assert kind == "IndexPathError"
    assert "choose another folder" in message


@pytest.mark.parametrize("command", ["search", "info", "verify", "rebuild"])
def test_no_index_there(command: str, tmp_path: Path) -> None:
    missing = tmp_path / "없는 색인"
    query = ("연차휴가",) if command == "search" else ()
    kind, message = failure(command, *query, "--index", missing)
    assert kind == "IndexNotFoundError"
    assert str(missing) in message
    assert "kure-rag ingest" in message
    assert not missing.exists()


def test_a_second_writer_is_told_who_is_first(good_index: Path, bad_files: Path) -> None:
    script = """
import sys, pathlib
from kure_rag.index.lock import WriterLock
with WriterLock(pathlib.Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", script, str(good_index)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        kind, message = failure("ingest", bad_files / GOOD[0], "--index", good_index)
        assert kind == "IndexLockedError"
        assert str(good_index) in message
        assert f"process {first.pid} on " in message
        assert "Wait for it to finish" in message
        assert failure("rebuild", "--index", good_index)[0] == "IndexLockedError"
        assert call("search", "점검", "--index", good_index, "--mode", "lexical").status == 0
        first.communicate()
    assert call("rebuild", "--index", good_index).status == 0


def test_weights_out_of_reach_leave_the_folder_to_another_model(bad_files: Path, tmp_path: Path) -> None:
    index = tmp_path / "ix"
    arguments = ("ingest", bad_files / GOOD[0], "--index", index, "--json")
    with started(*arguments, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "empty-hub")) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    told = Said(1, out, err).json()["error"]
    assert told["type"] == "ModelNotAvailableError"
    assert "nlpai-lab/KURE-v1" in told["message"]
    for way in ("hf download nlpai-lab/KURE-v1", "the folder of a local copy", "model='static-ko'"):
        assert way in told["message"]
    assert "Traceback" not in err

    info = call("info", "--index", index, "--json").json()
    assert (info["documents"], info["chunks"]) == (0, 0)
    assert call("ingest", bad_files / GOOD[0], "--index", index, "--model", "static-ko").status == 0
    assert call("search", "예금 담당자", "--index", index, "--json").json()["hits"]


# Words


def test_queries_and_filters_that_make_no_sense(good_index: Path) -> None:
    for query in ("", "  \t\n"):
        kind, message = failure("search", query, "--index", good_index)
        assert (kind, "empty" in message) == ("SearchError", True)
    for k in ("0", "-3"):
        kind, message = failure("search", "점검", "--index", good_index, "-k", k)
        assert kind == "SearchError"
        assert message.startswith(f"k={k}:")
        assert "at least 1" in message
    wrong = {
        '{"domain": "legal"': "--where is not JSON",
        "domain=legal": "--where is not JSON",
        "[" * 100_000: "--where is not JSON",
        '["domain"]': "--where takes a JSON object",
        '{"$like": "가"}': "$like",
        '{"page": {"$near": 3}}': "$near",
    }
    for where, words in wrong.items():
        kind, message = failure("search", "점검", "--index", good_index, "--where", where)
        assert kind == "FilterError"
        assert words in message


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    """Neither gives a traceback, and neither loses a file that was there."""
    for out in (tmp_path, tmp_path / "없는 폴더" / "chunks.jsonl"):
        said = call("chunks", sample_paths()[0], "--workers", "1", "--out", out)
        assert (said.status, said.out) == (1, "")
        assert said.err.startswith(f"kure-rag chunks: {out}: cannot be written (")
        assert said.err.endswith("; choose another --out\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_chunks_into_a_named_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "관"
    os.mkfifo(pipe)
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(pipe.read_text(encoding="utf-8").splitlines()), daemon=True)
    reader.start()
    assert call("chunks", sample_paths()[0], "--workers", "1", "--out", pipe).status == 0
    reader.join(timeout=10)
    assert lines
    assert pipe.is_fifo()


def test_eval_of_a_folder_that_is_no_set(tmp_path: Path) -> None:
    kind, message = failure("eval", tmp_path, "--model", "static-ko")
    assert kind == "SourceNotFoundError"
    assert "corpus.jsonl" in message


# Interrupted


def children_of(pid: int) -> set[int]:
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")
        except OSError:
            continue
        if int(rest.split()[1]) == pid:
            found.add(int(stat.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for child processes in /proc")
def test_ctrl_c_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    files, index = 120, tmp_path / "ix"
    folder = tmp_path / "규정"
    folder.mkdir()
    for number in range(files):
        numbered_pdf(folder, number)
    with started("ingest", folder, "--index", index, "--model", "static-ko") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        children = children_of(process.pid)
        assert children, "reads in this process?"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    lines += out.splitlines()
    acknowledged = [line for line in lines if line.startswith("added ")]
    assert 3 <= len(acknowledged) < files
    told = "interrupted; what was added until then is in the index, and the same command adds the rest"
    assert (err, process.returncode) == (f"kure-rag ingest: {told}\n", 130)
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [child for child in children if Path(f"/proc/{child}").exists()]

    told = call("ingest", folder, "--index", index, "--json").json()
    assert (told["added"] + told["unchanged"], told["rejected"]) == (files, 0)
    assert told["unchanged"] >= len(acknowledged)
    found = call("verify", "--index", index, "--json").json()
    assert (found["ok"], found["documents"], found["problems"]) == (True, files, [])


def test_a_closed_pipe_is_quiet() -> None:
    with started("chunks", *sample_paths(), "--out", "-") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["text"]
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == ""


def test_ingest_goes_on_when_nobody_reads_its_rows(
    bad_files: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "dup2", lambda *_: None)  # this process needs its standard output
    reading, writing = os.pipe()
    os.close(reading)
    out = os.fdopen(writing, "w", encoding="utf-8")  # not a context: closing it raises: its buffer has nowhere to go
    with redirect_stdout(out), redirect_stderr(io.StringIO()) as err:
        status = main(["ingest", str(bad_files), "--index", str(tmp_path / "ix"), "--model", str(tiny_model)])
    with suppress(BrokenPipeError):
        out.close()
    assert (status, err.getvalue()) == (0, "")
    assert call("info", "--index", tmp_path / "ix", "--json").json()["documents"] == len(GOOD)
