"""``ingest.yaml``: how files are read and cut, laid out as AutoRAG's parse and chunk files are.

``kure-rag ingest --help`` prints an example. Every key may be left out but ``module_type``. An unknown key is an error,
not a silent default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, get_args

from kure_rag.autorag.by_domain import settings_by_domain
from kure_rag.autorag.yaml_file import Value, read_yaml
from kure_rag.chunk import PROFILES, ChunkSettings, find_profile
from kure_rag.read import ReadLimits, ReadSettings
from kure_rag.read.settings import Ocr
from kure_rag.types import DOMAINS, Domain

FILE_TYPES: Final = ("pdf", "all_files")  # all_files: what AutoRAG calls one module for everything
PARSE_MODULES: Final = ("pdf",)
CHUNK_MODULES: Final = ("auto", "general", "finance", "legal", "medical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What an ``ingest.yaml`` says.

    Attributes:
        paths: Files and folders, as seen from the working folder; may be empty.
        domain: What the documents are; found out for each when ``None``.
        workers: Reading processes; one for each core, four at most, when ``None``.
        read: How files are read.
        limits: What a file may cost.
        chunks: How documents are cut; as the index was made, when ``None``.
    """

    paths: tuple[Path, ...] = ()
    domain: Domain | None = None
    workers: int | None = None
    read: ReadSettings = field(default_factory=ReadSettings)
    limits: ReadLimits = field(default_factory=ReadLimits)
    chunks: ChunkSettings | None = None


def read_recipe(path: str | Path) -> Recipe:
    """Reads an ``ingest.yaml``.

    Raises:
        MissingExtraError: The extra ``autorag`` is not installed.
        ConfigError: The file cannot be read, is no YAML, or has a key or a value that makes no sense; the message
            names the line, the key and the choices.
    """
    file = Path(path).expanduser()
    whole = read_yaml(file)
    if isinstance(whole.data, dict) and "modules" in whole.data:
        raise whole.error(
            "has its modules on top, as AutoRAG's two files for parsing and for chunking have; here both are in one "
            "file: put the list under `parse:` or `chunk:`, with a module_type of `kure-rag ingest --help`"
        )
    top = whole.mapping("paths", "domain", "workers", "parse", "chunk")
    read, limits = _parse(top.get("parse"))
    return Recipe(
        paths=_paths(top.get("paths"), file.parent),
        domain=_domain(top.get("domain"), "auto"),
        workers=top["workers"].whole_number(1) if "workers" in top else None,
        read=read,
        limits=limits,
        chunks=_chunk(top.get("chunk")),
    )


def _paths(value: Value | None, folder: Path) -> tuple[Path, ...]:
    if value is None:
        return ()
    items = value.items() if isinstance(value.data, list) else [value]
    return tuple(folder / Path(item.text()).expanduser() for item in items)


def _domain(value: Value | None, *more: str) -> Domain | None:
    if value is None:
        return None
    chosen = value.choice((*more, *DOMAINS))
    return next((domain for domain in DOMAINS if domain == chosen), None)


def _modules(section: Value | None) -> list[Value]:
    if section is None:
        return []
    keys = section.mapping("modules")
    if "modules" not in keys:
        raise section.error("has no modules; write a list of modules, each with a module_type")
    return keys["modules"].items()


def _file_type(value: Value | None) -> str:
    return value.choice(FILE_TYPES) if value is not None else FILE_TYPES[0]


def _parse(section: Value | None) -> tuple[ReadSettings, ReadLimits]:
    settings, limits = ReadSettings(), ReadLimits()
    first: Value | None = None
    for module in _modules(section):
        keys = module.mapping("module_type", "file_type", "limits", *(item.name for item in fields(ReadSettings)))
        module.need(keys, "module_type").choice(PARSE_MODULES)
        _file_type(keys.get("file_type"))
        if first is not None:
            raise module.error(f"is a second module for pdf files, after {first.where}; keep one of them")
        first = module
        settings = ReadSettings(**_read_values(keys))
        if "limits" in keys:
            limits = ReadLimits(**_limit_values(keys["limits"]))
    return settings, limits


def _read_values(keys: Mapping[str, Value]) -> dict[str, Any]:
    values: dict[str, Any] = {name: keys[name].truth() for name in ("tables", "fallback") if name in keys}
    return values | ({"ocr": keys["ocr"].choice(get_args(Ocr))} if "ocr" in keys else {})


def _limit_values(section: Value) -> dict[str, Any]:
    kinds = {item.name: type(getattr(ReadLimits(), item.name)) for item in fields(ReadLimits)}
    given = section.mapping(*kinds)
    return {name: value.whole_number(1) if kinds[name] is int else value.number() for name, value in given.items()}


def _chunk(section: Value | None) -> ChunkSettings | None:
    if section is None:
        return None
    seen: dict[str, Value] = {}
    found: dict[str, ChunkSettings] = {}
    for module in _modules(section):
        keys = module.mapping("module_type", "file_type", "domain", "target", "longest")
        settings = _chunk_settings(module, keys)
        _file_type(keys.get("file_type"))
        domain = _domain(keys.get("domain"), "auto") or "auto"
        if domain in seen:
            whom = "a domain that no other names" if domain == "auto" else f"domain {domain}"
            raise module.error(f"is a second module for {whom}, after {seen[domain].where}; give it another domain")
        seen[domain], found[domain] = module, settings
    rest = found.pop("auto", ChunkSettings())
    return settings_by_domain(rest, found) if found else rest


def _chunk_settings(module: Value, keys: Mapping[str, Value]) -> ChunkSettings:
    kind = module.need(keys, "module_type")
    name = kind.text()
    if name not in CHUNK_MODULES and ":" not in name:
        kind.choice(CHUNK_MODULES, more="or package.module:NAME for your own")
    if name not in PROFILES and name not in CHUNK_MODULES:
        try:
            find_profile(name, "general")
        except ValueError as error:
            raise kind.error(str(error)) from error
    default = ChunkSettings()
    target = keys["target"].whole_number(1) if "target" in keys else None
    longest = keys["longest"].whole_number(1) if "longest" in keys else None
    if target is None:
        target = min(default.target, longest or default.target)
    if longest is None:
        longest = default.longest if target == default.target else 2 * target
    if target > longest:
        raise keys["target"].error(f"is {target}, more than longest ({longest}); make it smaller, or longest larger")
    return ChunkSettings(target=target, longest=longest, profile=name)
