"""A folder in BEIR's layout as a task of the mteb library, scored by the same code as its own."""

from __future__ import annotations

import importlib.util
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.errors import CorpusFormatError, MissingExtraError
from kure_rag.evaluate.sets import RetrievalSet, check_qrels, read_set
from kure_rag.read.corpus import read_corpus

if TYPE_CHECKING:
    from mteb.abstasks import AbsTaskRetrieval

_UNFIT: Final = re.compile(r"[^\w.\-]+")
_LONGEST: Final = 100  # characters of a name that becomes a file's


def need_mteb() -> None:
    """Checks that mteb is installed, without importing it, which takes seconds.

    Raises:
        MissingExtraError: It is not.
    """
    if importlib.util.find_spec("mteb") is None:
        raise MissingExtraError("Evaluating with mteb", "mteb")


def folder_task(folder: Path) -> AbsTaskRetrieval:
    """A retrieval set of one's own as a task of mteb's, under the folder's name.

    The corpus is written to a temporary folder, from which mteb reads it without holding it in memory; it is removed
    with :meth:`unload_data`, and at the latest when the process ends.

    Its revision is a digest of its files: results of an older version are not taken for those of a newer.

    Raises:
        ReadError: The folder is no retrieval set.
    """
    need_mteb()
    from mteb.abstasks import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    found = read_set(folder)
    name = _UNFIT.sub("-", found.name).strip("-.")[:_LONGEST] or "local"
    metadata_of_folder = TaskMetadata(
        name=name,
        description=f"The retrieval set {found.name}, in BEIR's layout.",
        dataset={"path": f"local/{name}", "revision": found.digest()[:40]},
        type="Retrieval",
        category="t2t",
        eval_splits=["test"],
        eval_langs=["kor-Hang"],
        main_score="ndcg_at_10",
    )

    class FolderRetrieval(AbsTaskRetrieval):
        metadata = metadata_of_folder
        _scratch: tempfile.TemporaryDirectory[str] | None = None

        def load_data(self, num_proc: int | None = None, **_: Any) -> None:
            if not self.data_loaded:
                # Windows removes no mapped file; what is left there is in the system's temporary folder.
                self._scratch = tempfile.TemporaryDirectory(prefix="kure-rag-mteb-", ignore_cleanup_errors=True)
                self.dataset = {"default": {"test": _read_split(found, Path(self._scratch.name))}}
                self.data_loaded = True

        def unload_data(self) -> None:
            super().unload_data()
            if self._scratch is not None:
                self._scratch.cleanup()
                self._scratch = None

    return FolderRetrieval()


def _read_split(found: RetrievalSet, scratch: Path) -> Any:
    from datasets import Dataset
    from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData

    corpus = scratch / "corpus.arrow"
    check_qrels(found, _write_corpus(found, corpus))
    qrels = {query: {id_: _level(found, query, value) for id_, value in d.items()} for query, d in found.qrels.items()}
    return RetrievalSplitData(
        corpus=Dataset.from_file(str(corpus)),
        queries=Dataset.from_dict({"id": list(found.queries), "text": list(found.queries.values())}),
        relevant_docs=qrels,
        top_ranked=None,
    )


def _write_corpus(found: RetrievalSet, path: Path) -> set[str]:
    """Writes the documents as the file that ``datasets`` maps into memory; which relevant ones are among them.

    ``Dataset.from_generator`` would keep a copy in the user's cache, and hide what is wrong with a line.
    """
    from datasets import Features, Value
    from datasets.arrow_writer import ArrowWriter

    wanted = {document for relevant in found.qrels.values() for document in relevant}
    there = set()
    columns = Features({name: Value("string") for name in ("id", "title", "text")})
    with ArrowWriter(path=str(path), features=columns) as writer:
        for record in read_corpus(found.corpus_path):
            writer.write({"id": record.id, "title": record.title, "text": record.text})
            if record.id in wanted:
                there.add(record.id)
        writer.finalize()
    return there


def _level(found: RetrievalSet, query: str, value: float) -> int:
    if not float(value).is_integer():
        raise CorpusFormatError(
            found.name, f"query {query!r} has a relevance of {value:g}; mteb counts whole levels, so write 1, 2, 3 …"
        )
    return int(value)
