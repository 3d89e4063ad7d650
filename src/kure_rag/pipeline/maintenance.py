"""An index that is only looked after: its model need not be at hand, nor its settings be those of this version."""

from __future__ import annotations

from contextlib import closing
from dataclasses import astuple
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kure_rag.chunk import chunker_fingerprint
from kure_rag.chunk.profiles import ProfileError
from kure_rag.embed.foreign import RecordedEmbedder
from kure_rag.embed.recorded import Remembered, embedder_for
from kure_rag.errors import FingerprintMismatchError, IndexVersionError
from kure_rag.index import DocumentRow, IndexStore
from kure_rag.index.dense_settings import DenseSettings
from kure_rag.index.fingerprint import Differences
from kure_rag.index.schema import VERSION
from kure_rag.index.store import Progress
from kure_rag.index.unopened import KeptSettings, copy_unopened, kept_documents, kept_settings
from kure_rag.pipeline.keeping import Keeping
from kure_rag.pipeline.opening import Kept, kept_chunks, make_terms_anew, settings_in
from kure_rag.tokenize import KiwiTokenizer
from kure_rag.tokenize.user_dictionary import Dictionary


class Maintenance(Keeping):
    """An index, opened by :meth:`kure_rag.KureIndex.maintain`. A context manager that closes itself."""

    def __init__(self, path: Path, store: IndexStore) -> None:
        kept = settings_in(store.catalog)
        super().__init__(path, store, _recorded(path, kept), kept_chunks(kept), _tokenizer(kept))

    def close(self) -> None:
        """Lets go of all files."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Unopened(Maintenance):
    """One that another version made, in an older format, and that this version could not search once it is opened.

    It can be looked at and copied; anything else would change its format and leave nobody who can use it.
    """

    def __init__(self, path: Path, kept: KeptSettings, found: Differences) -> None:
        self.path = path
        self._kept = kept
        self._found = found

    @property
    def _store(self) -> IndexStore:  # type: ignore[override]  # what Keeping does with it, this index does not allow
        what = "; ".join(f"{key}: index has {old!r}, this version {new!r}" for key, (old, new) in self._found.items())
        if self._found.keys() == {"tokenizer"}:
            advice = f"Bring it up to date with `kure-rag rebuild --terms --index {self.path}`, which embeds nothing"
        else:
            advice = "Do this with the version that made it, or ingest the files anew into a new folder"
        raise IndexVersionError(
            f"{self.path}: made by an older kure-rag, in format {self._kept.version} ({what}). Opening it would bring "
            f"it to format {VERSION}, and that version could not use it any more. {advice}; `kure-rag info` and "
            "`kure-rag backup` work as it is"
        )

    def documents(self) -> list[DocumentRow]:
        return kept_documents(self.path, self._kept.version)

    def info(self) -> dict[str, Any]:
        kept, documents = self._kept.values, self.documents()
        applied = [value for key, value in kept.items() if key.startswith("applied.")]
        return {
            "path": str(self.path),
            "documents": len(documents),
            "chunks": sum(row.chunks for row in documents),
            "generation": kept.get("generation"),
            "visible_generation": min(applied, default=None),
            "dimension": kept.get("dimension"),
            "fingerprint": kept.get("fingerprint"),
            "engine": kept.get("engine"),
            "user_words": len(kept.get("user_words") or ()),
            "bytes": self._bytes(),
        }

    def backup(self, file: str | Path, *, overwrite: bool = False) -> None:
        copy_unopened(self.path, self._target(file), overwrite=overwrite)

    def close(self) -> None:
        pass


def maintain(path: str | Path, chroma: DenseSettings | None, progress: Progress | None = None) -> Maintenance:
    """See :meth:`kure_rag.KureIndex.maintain`."""
    folder = Path(path).expanduser()
    kept = kept_settings(folder)
    if kept is not None and kept.is_older and (found := _differences(kept)):
        return _Unopened(folder, kept, found)
    store = IndexStore(folder, create=False, dense=chroma, progress=progress)
    try:
        return Maintenance(folder, store)
    except BaseException:
        store.close()
        raise


def reanalyse(
    path: str | Path, user_dictionary: Dictionary | None, chroma: DenseSettings | None, progress: Progress | None
) -> bool:
    """See :meth:`kure_rag.KureIndex.reanalyse`."""
    folder = Path(path).expanduser()
    given = None if user_dictionary is None else KiwiTokenizer(user_dictionary)
    if (kept := kept_settings(folder)) is not None:
        _only_terms_differ(folder, kept.values, given)
    with closing(IndexStore(folder, create=False, dense=chroma, progress=progress)) as store, store.writing():
        own = settings_in(store.catalog)
        if not own.get("fingerprint"):
            return given is not None and _keep_words(store, given)
        tokenizer = _only_terms_differ(folder, own, given)
        if tokenizer is not None:
            make_terms_anew(store, tokenizer, kept_chunks(own), progress)
    return tokenizer is not None


def _keep_words(store: IndexStore, given: KiwiTokenizer) -> bool:
    """Stores the user dictionary of an index without documents, for its first ones; whether it is another one."""
    words = [list(astuple(word)) for word in given.user_words]
    if words == (store.catalog.get("user_words") or []):
        return False
    store.catalog.set(user_words=words)
    return True


def _only_terms_differ(folder: Path, kept: Kept, given: KiwiTokenizer | None) -> KiwiTokenizer | None:
    """The tokenizer to analyse with; ``None`` where the terms are its own already.

    Raises:
        FingerprintMismatchError: The chunks were cut by rules that this version does not have.
    """
    fingerprint = kept.get("fingerprint")
    if not fingerprint:
        return None
    tokenizer = given or _tokenizer(kept)
    cut = chunker_fingerprint(kept_chunks(kept))
    if fingerprint.get("chunker") != cut:
        raise FingerprintMismatchError(folder, {"chunker": (fingerprint.get("chunker"), cut)})
    return tokenizer if fingerprint.get("tokenizer") != tokenizer.fingerprint else None


def _differences(kept: KeptSettings) -> Differences:
    """From this version's tokenizer and chunker; the model is not asked."""
    fingerprint = kept.values.get("fingerprint")
    if not fingerprint:
        return {}
    ours = {"tokenizer": _tokenizer(kept.values).fingerprint}
    try:
        ours["chunker"] = chunker_fingerprint(kept_chunks(kept.values))
    except ProfileError as error:  # somebody's own, which is not here, or one that only another has
        ours["chunker"] = f"no such profile: {error}"
    return {key: (fingerprint.get(key), ours[key]) for key in ours if fingerprint.get(key) != ours[key]}


def _tokenizer(kept: Kept) -> KiwiTokenizer:
    return KiwiTokenizer(kept.get("user_words") or ())


def _recorded(path: Path, kept: Kept) -> Any:
    """Stands for the model, which is not needed; an index without vectors has none yet."""
    if fingerprint := kept.get("fingerprint"):
        return RecordedEmbedder({"model": "", **Remembered(fingerprint=fingerprint).model})
    return embedder_for(path, None, None, Remembered())
