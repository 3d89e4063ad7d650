"""``ingest.yaml``: how files are read and cut, laid out as AutoRAG's parse and chunk files are.

``kure-rag ingest --help`` prints an example. Every key may be left out but ``module_type``. An unknown key is an error,
not a silent default.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kure_rag.autorag.by_domain import REST, kind_of, settings_by_kind
from kure_rag.autorag.recipe_parse import file_types_of, modules_of, read_parse
from kure_rag.chunk import ChunkSettings
from kure_rag.config import read_chunks, read_lengths, read_profile
from kure_rag.config.yaml_file import Value, read_yaml
from kure_rag.errors import ConfigError
from kure_rag.read import FileType, ReadLimits, ReadSettings
from kure_rag.tokenize.user_dictionary import read_dictionary
from kure_rag.types import DOMAINS, Domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What an ``ingest.yaml`` says.

    Attributes:
        paths: Files and folders, as seen from the working folder; may be empty.
        file_types: What is taken from folders: PDF files, and those that a parse module is for.
        domain: What the documents are; found out for each when ``None``.
        workers: Reading processes; one for each core, four at most, when ``None``.
        read: How files are read.
        limits: What a file may cost, with those of each file type.
        chunks: How documents are cut; as the index was made, when ``None``.
        user_dictionary: A file of terms for the analyser to keep whole, see :mod:`kure_rag.tokenize.user_dictionary`,
            as seen from the working folder; as the index was made, when ``None``.
    """

    paths: tuple[Path, ...] = ()
    file_types: tuple[FileType, ...] = ("pdf",)
    domain: Domain | None = None
    workers: int | None = None
    read: ReadSettings = field(default_factory=ReadSettings)
    limits: ReadLimits = field(default_factory=ReadLimits)
    chunks: ChunkSettings | None = None
    user_dictionary: Path | None = None


def read_recipe(path: str | Path) -> Recipe:
    """Reads an ``ingest.yaml``.

    Raises:
        MissingExtraError: The extra ``autorag`` is not installed.
        ConfigError: The file cannot be read, is no YAML, or has a key or a value that makes no sense; the message
            names the line, the key and the choices.
    """
    file = Path(path).expanduser()
    whole = read_yaml(file, hint="write at least parse: or chunk:, see `kure-rag ingest --help`")
    if isinstance(whole.data, dict) and "modules" in whole.data:
        raise whole.error(
            "has its modules on top, as AutoRAG's two files for parsing and for chunking have; here both are in one "
            "file: put the list under `parse:` or `chunk:`, with a module_type of `kure-rag ingest --help`"
        )
    # What `kure-rag tune` writes says how to search too, which ingesting has no use for.
    top = whole.mapping("paths", "domain", "workers", "user_dictionary", "parse", "chunk", "search")
    parse = read_parse(top.get("parse"))
    return Recipe(
        paths=_paths(top.get("paths"), file.parent),
        file_types=parse.file_types,
        domain=_domain(top.get("domain"), "auto"),
        workers=top["workers"].whole_number(1) if "workers" in top else None,
        read=parse.read,
        limits=parse.limits,
        chunks=_chunk(top.get("chunk")),
        user_dictionary=_dictionary(top.get("user_dictionary"), file.parent),
    )


def _paths(value: Value | None, folder: Path) -> tuple[Path, ...]:
    if value is None:
        return ()
    items = value.items() if isinstance(value.data, list) else [value]
    return tuple(folder / Path(item.text()).expanduser() for item in items)


def _dictionary(value: Value | None, folder: Path) -> Path | None:
    if value is None:
        return None
    path = folder / Path(value.text()).expanduser()
    try:
        read_dictionary(path)
    except ConfigError as error:  # before anything is made, and with the line of the file that names it
        raise value.error(f"cannot be used: {error}") from error
    return path


def _domain(value: Value | None, *more: str) -> Domain | None:
    if value is None:
        return None
    chosen = value.choice((*more, *DOMAINS))
    return next((domain for domain in DOMAINS if domain == chosen), None)


def _chunk(section: Value | None) -> ChunkSettings | None:
    if section is None:
        return None
    if isinstance(section.data, dict) and section.data.keys() & {"profile", "target", "longest"}:
        return read_chunks(section)  # the short form, which `kure-rag tune` writes
    seen: dict[str, Value] = {}
    found: dict[str, ChunkSettings] = {}
    for module in modules_of(section):
        kind = module.part("module_type")
        name = read_profile(kind) if kind is not None else ""
        keys = module.mapping("module_type", "file_type", "domain", "target", "longest")
        module.need(keys, "module_type")
        settings = read_lengths(name, keys)
        domain = _domain(keys.get("domain"), "auto")
        for file_type in file_types_of(keys.get("file_type")) or (None,):
            which = kind_of(file_type, domain)
            if which in seen:
                raise module.error(
                    f"is a second module for {_whom(file_type, domain)}, after {seen[which].where}; "
                    "give it another file_type or domain"
                )
            seen[which], found[which] = module, settings
    rest = found.pop(REST, ChunkSettings())
    return settings_by_kind(rest, found) if found else rest


def _whom(file_type: FileType | None, domain: Domain | None) -> str:
    if domain is None:
        return f"{file_type} files" if file_type else "all files that no other names"
    return f"{file_type} files of domain {domain}" if file_type else f"domain {domain}"
