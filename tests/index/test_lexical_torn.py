"""A keyword view whose files are not as the engine wrote them is made anew, and never answers."""

import json
import os
import shutil
from pathlib import Path

import pytest
from index.store_support import add, delete, document

from kure_rag.errors import IndexCorruptError
from kure_rag.index import IndexStore, lexical_seal
from kure_rag.index.lexical import LexicalView, Question
from kure_rag.index.store_views import LEXICAL_SEAL

WORDS = ("연차", "휴가", "급여", "퇴직", "보험", "청구")
Answers = list[list[tuple[int, float]]]
KINDS = ("meta.json", "term", "idx", "fast", "fieldnorm", "del")


def say(i: int) -> str:
    return " ".join(WORDS[(i + k * k) % len(WORDS)] for k in range(4)) + f" 제{i}조"


def answers(store: IndexStore) -> Answers:
    questions = [Question([word]) for word in WORDS] + [Question([f"제{i}조", "휴가"]) for i in range(12)]
    return store.reading(lambda views: [views.lexical.search(question, 30) for question in questions])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answers, Answers]:
    """An index, what it answers, and what it does with a view made anew, which counts no deleted passages."""
    folder = tmp_path_factory.mktemp("made") / "index"
    store = IndexStore(folder, create=True)
    add(store, *(document(f"문서{i}", [say(3 * i), say(3 * i + 1)]) for i in range(20)))
    add(store, document("나중", [say(61), say(62)]))
    delete(store, "문서3")
    wanted = answers(store)
    assert all(wanted[: len(WORDS)])
    store.close()
    shutil.copytree(folder, anew := folder.with_name("anew"))
    store = IndexStore(anew, create=False)
    store.rebuild("lexical")
    wanted_anew = answers(store)
    store.close()
    return folder, wanted, wanted_anew


@pytest.fixture
def folder(made, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[0], tmp_path / "index"))


def file_of(folder: Path, kind: str) -> Path:
    """The largest file of a kind that is in use."""
    living = lexical_seal.seal_of(folder / "lexical")["files"]
    names = [name for name in living if name == kind or name.endswith(f".{kind}")]
    return max((folder / "lexical" / name for name in names), key=lambda file: file.stat().st_size)


def flip(file: Path, place: float, bit: int = 4) -> None:
    data = bytearray(file.read_bytes())
    data[int(len(data) * place)] ^= 1 << bit
    file.write_bytes(data)


def assert_mended(folder: Path, wanted: Answers) -> None:
    store = IndexStore(folder, create=False)
    assert answers(store) == wanted
    assert store.verify().ok
    assert store.view_folder("lexical").name == "lexical-1", "it was made anew"
    store.close()


def test_a_sound_view_and_a_copy_of_it_are_opened_as_they_are(made, folder: Path) -> None:
    store = IndexStore(folder, create=False)
    assert answers(store) == made[1]
    assert store.view_folder("lexical").name == "lexical"
    assert store.verify().ok
    store.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left", [0.0, 0.3, 0.7, -1])
def test_a_file_that_breaks_off_is_noticed(made, folder: Path, kind: str, left: float) -> None:
    file = file_of(folder, kind)
    size = file.stat().st_size
    os.truncate(file, size - 1 if left == -1 else int(left * size))
    assert_mended(folder, made[2])


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_file_is_noticed(made, folder: Path, kind: str) -> None:
    file_of(folder, kind).unlink()
    assert_mended(folder, made[2])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", [0.02, 0.2, 0.5, 0.8, 0.98])
def test_a_flipped_bit_is_noticed(made, folder: Path, kind: str, place: float) -> None:
    flip(file_of(folder, kind), place)
    assert_mended(folder, made[2])


@pytest.mark.parametrize("kind", KINDS[1:])
def test_without_a_seal_the_engines_own_checksums_count(made, folder: Path, kind: str) -> None:
    """An index of an older version has none."""
    store = IndexStore(folder, create=False)
    store.catalog.set(**{LEXICAL_SEAL: None})
    assert answers(store) == made[1]
    assert store.view_folder("lexical").name == "lexical"
    store.close()
    flip(file_of(folder, kind), 0.4)
    assert_mended(folder, made[2])


@pytest.mark.parametrize("kind", KINDS)
def test_the_check_of_the_whole_sees_what_size_and_time_do_not_tell(folder: Path, kind: str) -> None:
    store = IndexStore(folder, create=False)
    file = file_of(folder, kind)
    store.catalog.set(**{LEXICAL_SEAL: lexical_seal.seal_of(folder / "lexical")})  # of the copy's times
    before = file.stat()
    flip(file, 0.5)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert any(problem.startswith("lexical: ") for problem in store.verify().problems)
    store.close()


def test_every_bit_of_a_torn_view_is_answered_rightly_or_refused_by_our_own_error(folder: Path) -> None:
    """Past the checksums, as where a file is torn while it is open: no panic reaches the caller."""
    questions = [Question([word]) for word in WORDS]
    for kind in KINDS[1:]:
        file = file_of(folder, kind)
        sound = file.read_bytes()
        for place in range(0, len(sound), max(1, len(sound) // 24)):
            file.unlink()  # the view of before may still have it in its memory
            file.write_bytes(sound[:place] + bytes([sound[place] ^ 0x55]) + sound[place + 1 :])
            try:
                view = LexicalView(folder / "lexical")
                for question in questions:
                    view.search(question, 30)
                view.rows()
                view.close()
            except IndexCorruptError:
                pass
        file.write_bytes(sound)


def test_what_a_killed_commit_left_behind_stops_no_later_one(made, folder: Path) -> None:
    """It leaves files of the names that the same commit, done again, gives its own."""
    lexical = folder / "lexical"
    told = json.loads((lexical / "meta.json").read_bytes())
    listed = json.loads((lexical / ".managed.json").read_bytes())
    for segment in told["segments"]:
        name = segment["segment_id"].replace("-", "")
        for stamp in range(told["opstamp"] + 1, told["opstamp"] + 4):
            (lexical / f"{name}.{stamp}.del").write_bytes(b"cut")
            listed.append(f"{name}.{stamp}.del")
    (lexical / ".managed.json").write_text(json.dumps(listed))
    store = IndexStore(folder, create=False)
    assert answers(store) == made[1]
    delete(store, "문서5")
    delete(store, "문서6")
    assert store.verify().ok
    assert store.view_folder("lexical").name == "lexical"
    store.close()


def test_a_view_that_cannot_be_written_is_made_anew(made, folder: Path) -> None:
    """The same files, which the engine does not know to be its own: it refuses to write over them."""
    lexical = folder / "lexical"
    told = json.loads((lexical / "meta.json").read_bytes())
    for segment in told["segments"]:
        name = segment["segment_id"].replace("-", "")
        for stamp in range(told["opstamp"] + 1, told["opstamp"] + 4):
            (lexical / f"{name}.{stamp}.del").write_bytes(b"cut")
    store = IndexStore(folder, create=False)
    delete(store, "문서5")
    assert store.view_folder("lexical").name == "lexical-1"
    assert store.verify().ok
    store.close()
