"""Tasks by name, folders as tasks, data sets that cannot be reached, and a task's data as a folder."""

import logging
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import mteb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mteb.get_tasks import _TASKS_REGISTRY
from mteb_local import DOCUMENTS, QRELS, QUERIES, LocalPartsRetrieval, LocalRetrieval, write_folder

from kure_rag.errors import ConfigError, CorpusFormatError, SourceNotFoundError
from kure_rag.evaluate.mteb_devices import Share, chosen_devices, sizes_of, split_tasks
from kure_rag.evaluate.mteb_tasks import DEFAULT_TASKS, find_tasks, load_task, read_mteb_task, split_data


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The local tasks under mteb's names, as if it shipped them."""
    for task in (LocalRetrieval, LocalPartsRetrieval):
        monkeypatch.setitem(_TASKS_REGISTRY, task.metadata.name, task)


def test_the_default_tasks_are_there_with_their_korean_subsets() -> None:
    found = {task.metadata.name: (list(task.hf_subsets), list(task.eval_splits)) for task in find_tasks()}
    assert tuple(found) == DEFAULT_TASKS
    assert found == {
        "Ko-StrategyQA": (["default"], ["dev"]),
        "AutoRAGRetrieval": (["default"], ["test"]),
        "MIRACLRetrieval": (["ko"], ["dev"]),
        "PublicHealthQA": (["korean"], ["test"]),
        "BelebeleRetrieval": (["kor_Hang-kor_Hang"], ["test"]),
        "MrTidyRetrieval": (["korean"], ["test"]),
        "MultiLongDocRetrieval": (["ko"], ["dev", "test"]),
        "XPQARetrieval": (["kor-kor"], ["test"]),
        "LawIRKo": (["default"], ["test"]),
        "SQuADKorV1Retrieval": (["default"], ["test"]),
    }


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["KoStrategyQA"], "did you mean Ko-StrategyQA"),
        (["ArguAna"], "no subset with Korean"),
        (["KorSTS"], "a task of STS, not of retrieval"),
        (["Ko-StrategyQA", "Ko-StrategyQA"], "two tasks are called Ko-StrategyQA"),
        ([], "no task is named"),
    ],
)
def test_a_name_that_is_no_task_for_us_is_told(names: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_tasks(names)


def test_a_data_set_out_of_reach_is_named_with_the_ways_to_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    (task,) = find_tasks(["PublicHealthQA"])
    with pytest.raises(SourceNotFoundError, match="xhluca/publichealth-qa") as caught:
        load_task(task)
    for word in (
        "PublicHealthQA",
        "revision main",
        "HF_HOME",
        "HF_HUB_OFFLINE",
        "HF_ENDPOINT",
        "HF_TOKEN",
        "by its folder",
    ):
        assert word in str(caught.value)
    with pytest.raises(SourceNotFoundError, match="taeminlee/Ko-StrategyQA"):
        read_mteb_task("Ko-StrategyQA", cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_not_said_to_be_a_missing_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Any, **_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LocalRetrieval, "load_data", full)
    with pytest.raises(OSError, match="No space left"):
        load_task(LocalRetrieval())


def test_a_folder_is_a_task_whose_revision_is_that_of_its_files(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "내 문서 (1)")
    (task,) = find_tasks([str(folder)])
    load_task(task)
    (data,) = split_data(task)
    assert task.metadata.name == "내-문서-1"
    assert {row["id"]: (row["title"], row["text"]) for row in data.corpus} == DOCUMENTS
    assert {row["id"]: row["text"] for row in data.queries} == QUERIES
    assert data.qrels == QRELS
    first = task.metadata.revision
    assert find_tasks([str(folder)])[0].metadata.revision == first
    write_folder(folder, {**DOCUMENTS, "13": ("", "새로 넣은 문서이다.")})
    assert find_tasks([str(folder)])[0].metadata.revision != first


def test_the_corpus_of_a_folder_is_read_from_disk_and_nothing_of_it_stays_there(tmp_path: Path) -> None:
    (task,) = find_tasks([str(write_folder(tmp_path / "set"))])
    for _ in range(2):
        load_task(task)
        (data,) = split_data(task)
        (file,) = (Path(used["filename"]) for used in data.corpus.cache_files)
        assert file.stat().st_size > sum(len(text.encode()) for _, text in DOCUMENTS.values())
        assert [row["id"] for row in data.corpus] == list(DOCUMENTS)
        task.unload_data()
        assert not file.parent.exists()


def test_a_broken_line_of_a_folder_is_told_as_it_is(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set")
    with (folder / "corpus.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"_id": "13", "text": 5}\n')
    (task,) = find_tasks([str(folder)])
    with pytest.raises(CorpusFormatError, match="line 13"):
        load_task(task)


def test_a_folder_with_faults_is_named_precisely(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", {id_: parts for id_, parts in DOCUMENTS.items() if id_ != "doc/1"})
    (task,) = find_tasks([str(folder)])
    with pytest.raises(CorpusFormatError, match="'doc/1' for query 'q1'"):
        load_task(task)
    write_folder(folder)
    with (folder / "qrels.tsv").open("a", encoding="utf-8") as file:
        file.write("q6\tdoc/3\t0.5\n")
    (task,) = find_tasks([str(folder)])
    with pytest.raises(CorpusFormatError, match=r"a relevance of 0\.5"):
        load_task(task)
    with pytest.raises(ConfigError, match="no task of mteb's, and no folder"):
        find_tasks([str(tmp_path / "absent")])


@pytest.mark.usefixtures("registered")
def test_a_task_is_read_as_a_folder_that_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read_mteb_task("KoLocalRetrieval", cache=tmp_path)
    assert found.name == "KoLocalRetrieval"
    assert (found.queries, found.qrels) == (QUERIES, QRELS)
    assert {record.id: (record.title, record.text) for record in found.records()} == DOCUMENTS
    (folder,) = tmp_path.iterdir()
    assert folder.name == "KoLocalRetrieval-1"

    def never(self: Any, **_: Any) -> None:
        raise AssertionError("the folder is there")

    monkeypatch.setattr(LocalRetrieval, "load_data", never)
    assert read_mteb_task("KoLocalRetrieval", cache=tmp_path).queries == QUERIES


@pytest.mark.usefixtures("registered")
def test_one_split_of_several_is_asked_for_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="KoLocalPartsRetrieval:dev, KoLocalPartsRetrieval:test"):
        read_mteb_task("KoLocalPartsRetrieval", cache=tmp_path)
    with pytest.raises(ConfigError, match="name one of them"):
        read_mteb_task("KoLocalPartsRetrieval:train", cache=tmp_path)
    found = read_mteb_task("KoLocalPartsRetrieval:dev", cache=tmp_path)
    assert (found.name, list(found.queries)) == ("KoLocalPartsRetrieval:dev", ["q2", "q3"])


@pytest.mark.usefixtures("registered")
def test_documents_without_text_are_left_out_and_half_a_folder_is_never_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(DOCUMENTS, "blank", ("", " "))
    with caplog.at_level(logging.WARNING, "kure_rag"):
        found = read_mteb_task("KoLocalRetrieval", cache=tmp_path / "a")
    assert "blank" not in {record.id for record in found.records()}
    assert "1 documents without any text" in caplog.text
    for query in QUERIES:
        monkeypatch.setitem(QUERIES, query, ["연차휴가는", "며칠인가요?"])
    with pytest.raises(CorpusFormatError, match="conversation"):
        read_mteb_task("KoLocalRetrieval", cache=tmp_path / "b")
    assert list((tmp_path / "b").iterdir()) == []


def test_tasks_are_split_by_their_sizes_the_same_way_each_time() -> None:
    sizes = sizes_of(find_tasks())
    assert (sizes["MIRACLRetrieval"] or 0) > 1_000_000 > (sizes["Ko-StrategyQA"] or 0) > 0
    shares = split_tasks(sizes, ["cuda:0", "cuda:1", "cuda:2"])
    assert [share.device for share in shares] == ["cuda:0", "cuda:1", "cuda:2"]
    assert {shares[0].tasks[0], shares[1].tasks[0]} == {"MIRACLRetrieval", "MrTidyRetrieval"}
    assert len(shares[2].tasks) == 8, "the two large ones have a device each, all others share the third"
    assert split_tasks({"A": 3, "B": None}, ["cuda:0", "cuda:1", "cuda:2"]) == [
        Share("cuda:0,cuda:2", ("A",)),
        Share("cuda:1", ("B",)),
    ]
    assert split_tasks({}, ["cpu"]) == []
    assert chosen_devices("cuda:1, cuda:2") == ("cuda:1", "cuda:2")
    assert chosen_devices("cpu") == ()


@given(
    st.dictionaries(st.text(min_size=1, max_size=5), st.none() | st.integers(0, 10**7), max_size=12),
    st.integers(1, 5),
)
def test_every_task_and_every_device_is_in_one_share(sizes: dict[str, int | None], count: int) -> None:
    devices = [f"cuda:{i}" for i in range(count)]
    shares = split_tasks(sizes, devices)
    assert sorted(task for share in shares for task in share.tasks) == sorted(sizes)
    assert all(share.tasks for share in shares)
    if sizes:
        assert sorted(name for share in shares for name in share.device.split(",")) == devices


def test_the_tasks_of_this_mteb_are_still_what_kure_published() -> None:
    """XPQA and Belebele have crossed languages, too, which KURE's tables do not count."""
    assert len(mteb.get_task("XPQARetrieval", languages=["kor"]).hf_subsets) > 1
    assert len(mteb.get_task("BelebeleRetrieval", languages=["kor"]).hf_subsets) > 1
