"""Every exception of kure-rag.

::

    KureError                        what all of them are
    ├── ReadError                    a source could not be turned into a document
    │   ├── SourceNotFoundError      nothing lies at that path
    │   ├── UnsupportedFileError     neither a PDF nor text, whatever its name says
    │   ├── DamagedFileError         a file that breaks off, or cannot be parsed or decoded
    │   ├── EncryptedFileError       a password is needed
    │   ├── NoTextError              pages without a text layer, such as scans; an empty text file
    │   ├── ReadLimitError           too long, too large, too slow or too much memory
    │   ├── ReadCrashError           the reading process died
    │   └── CorpusFormatError        a JSONL, TSV, BEIR or parquet file breaks its format at a line or row
    ├── EmbeddingError               a text could not be embedded
    │   ├── UnknownModelError        no such model name, alias or folder
    │   ├── ModelNotAvailableError   the name is known, its weights cannot be reached
    │   ├── EndpointError            an embedding server cannot be asked, or gave no usable answer
    │   └── InvalidTextError         an empty text or a lone surrogate, with its position
    │       └── TextTooLongError     over the model's limit, where that is to be an error
    ├── KureIndexError               something about an index
    │   ├── IndexNotFoundError       no index in that folder
    │   ├── IndexPathError           the folder cannot be created or written
    │   ├── IndexLockedError         another process is writing
    │   ├── IndexCorruptError        a file of the index is torn
    │   ├── IndexVersionError        of a newer format, or of an older one that must not be changed
    │   ├── MetadataError            a value that cannot be stored with a document (also a ValueError)
    │   ├── EntryError               an entry that cannot be stored, with its id (also a ValueError)
    │   ├── DenseServerError         the Chroma server cannot be reached, refuses, or is no Chroma server
    │   └── FingerprintMismatchError made with another model, tokenizer or chunker
    ├── SearchError                  a query or its settings make no sense
    │   ├── FilterError              a `where` filter breaks its grammar
    │   └── SearchStoppedError       cancelled by its caller
    ├── ConfigError                  a configuration file has a key or a value that makes no sense
    ├── LlmError                     a language model's server cannot be asked, or gave no usable answer
    ├── TrainingError                a training cannot be begun, or broke off
    └── MissingExtraError            an optional feature is not installed (also an ImportError)

Each message says what happened, to which file or id, and what to do next.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class KureError(Exception):
    """What every error of kure-rag is."""


class ReadError(KureError):
    """A source could not be turned into a document.

    Attributes:
        source: The file's name.
        reason: One clause, without the file's name, as a report row shows it.
    """

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


class SourceNotFoundError(ReadError):
    """Nothing lies at that path."""


class UnsupportedFileError(ReadError):
    """Neither a PDF nor text, whatever its name says."""


class DamagedFileError(ReadError):
    """A file that breaks off, or cannot be parsed or decoded."""


class EncryptedFileError(ReadError):
    """A password is needed."""


class NoTextError(ReadError):
    """Pages without a text layer, such as scans; an empty text file."""


class ReadLimitError(ReadError):
    """Too long, too large, too slow or too much memory."""


class ReadCrashError(ReadError):
    """The reading process died."""


class CorpusFormatError(ReadError):
    """A JSONL, TSV, BEIR or parquet file breaks its format at a line or row."""


class EmbeddingError(KureError):
    """A text could not be embedded."""


class UnknownModelError(EmbeddingError):
    """No such model name, alias or folder."""


class ModelNotAvailableError(EmbeddingError):
    """The name is known, its weights cannot be reached."""


class InvalidTextError(EmbeddingError):
    """An empty text or a lone surrogate.

    Attributes:
        position: 0-based position of the text in the list it came in.
    """

    def __init__(self, message: str, *, position: int) -> None:
        super().__init__(message)
        self.position = position


class TextTooLongError(InvalidTextError):
    """A text is over the model's limit, and the settings say that this is an error.

    Attributes:
        tokens: Its tokens.
    """

    def __init__(self, message: str, *, position: int, tokens: int) -> None:
        super().__init__(message, position=position)
        self.tokens = tokens


class EndpointError(EmbeddingError):
    """An embedding server cannot be asked, or gave no usable answer."""


class KureIndexError(KureError):
    """Something about an index."""


class IndexNotFoundError(KureIndexError):
    """No index in that folder."""


class IndexPathError(KureIndexError):
    """The folder cannot be created or written."""


class IndexLockedError(KureIndexError):
    """Another process is writing.

    Attributes:
        holder: Who holds the lock, as far as it said.
    """

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(
            f"{path}: another process is writing to this index ({holder}). "
            "Wait for it to finish, or stop it; searching works meanwhile."
        )
        self.holder = holder


class IndexCorruptError(KureIndexError):
    """A file of the index is torn."""


class IndexVersionError(KureIndexError):
    """Of a format that this version does not know, or of an older one that it must not change."""


class MetadataError(KureIndexError, ValueError):
    """A value cannot be stored with a document.

    Attributes:
        field: Which, such as ``metadata['금리']``.
    """

    def __init__(self, field: str, what: str) -> None:
        super().__init__(f"{field} {what}; nothing was changed")
        self.field = field


class EntryError(KureIndexError, ValueError):
    """An entry cannot be stored.

    Attributes:
        entry_id: Its id, as it was given.
    """

    def __init__(self, entry_id: object, what: str) -> None:
        super().__init__(f"entry {entry_id!r:.200}: {what}; nothing was stored")
        self.entry_id = entry_id


class DenseServerError(KureIndexError):
    """The Chroma server that keeps an index's vectors cannot be reached, refuses, or is no Chroma server.

    Attributes:
        url: The server's address.
    """

    def __init__(self, url: str, what: str) -> None:
        super().__init__(f"{url}: {what}")
        self.url = url


class FingerprintMismatchError(KureIndexError):
    """Made with another model, tokenizer or chunker.

    Attributes:
        differences: Setting → (what the index was made with, what was asked for).
    """

    def __init__(
        self, path: Path, differences: Mapping[str, tuple[object, object]], *, advice: str | None = None
    ) -> None:
        lines = "; ".join(f"{key}: index has {old!r}, asked for {new!r}" for key, (old, new) in differences.items())
        advice = _advice(path, differences) if advice is None else advice
        super().__init__(f"{path}: this index was made with other settings ({lines}). {advice}")
        self.differences = dict(differences)


def _advice(path: Path, differences: Mapping[str, tuple[object, object]]) -> str:
    if differences.keys() == {"tokenizer"}:
        return (
            f"Make its terms anew with `kure-rag rebuild --terms --index {path}` or KureIndex.reanalyse(), which embed "
            "nothing; or open it with the version, and the user dictionary, that it was made with."
        )
    if "chunker" in differences or "tokenizer" in differences:
        return (
            "If it was made by another version of kure-rag or of Kiwi, ingest the files anew into a new folder; "
            "otherwise open it with the settings it was made with. `kure-rag info` and `kure-rag backup` work as it is."
        )
    return "Open it with the settings it was made with, or ingest into a new folder."


class SearchError(KureError):
    """A query or its settings make no sense."""


class FilterError(SearchError):
    """A `where` filter breaks its grammar."""


class SearchStoppedError(SearchError):
    """The search was cancelled by its caller."""


class ConfigError(KureError):
    """A configuration file has a key or a value that makes no sense."""


class LlmError(KureError):
    """A language model's server cannot be asked, or gave no usable answer."""


class TrainingError(KureError):
    """A training cannot be begun, or broke off; what it had reached is kept."""


class MissingExtraError(KureError, ImportError):
    """An optional feature is not installed; the message holds the command that installs it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f'{feature} needs an optional package. Install it with: pip install "kure-rag[{extra}]"')
        self.extra = extra
