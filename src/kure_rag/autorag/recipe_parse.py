"""The part of an ``ingest.yaml`` below ``parse:``: which module reads which type of file, and how.

As in AutoRAG 0.3.27, a module is for one ``file_type``, a list stands for a module for each of its items, and a type
without a module is read by the default one. Other than there, ``all_files`` stands beside other modules and means the
types that they leave, and a second module for the same files is an error and no comparison.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, get_args

from kure_rag.config.yaml_file import Value
from kure_rag.read import FILE_TYPES, FileType, ReadLimits, ReadSettings
from kure_rag.read.file_types import TEXT_TYPES
from kure_rag.read.settings import TYPE_LIMITS, Ocr

ALL_FILES: Final = "all_files"  # what AutoRAG calls a module for everything
PARSE_MODULES: Final[Mapping[str, tuple[FileType, ...]]] = {"pdf": ("pdf",), "text": TEXT_TYPES}  # and what each reads
_KEYS: Final = ("module_type", "file_type", "limits")
_READ_KEYS: Final = tuple(item.name for item in fields(ReadSettings))
_LIMIT_KEYS: Final = tuple(item.name for item in fields(ReadLimits) if item.name != "by_type")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parse:
    """What the modules below ``parse:`` say.

    Attributes:
        read: How PDF files are read; text files are read in one way only.
        limits: What a file may cost, with those of each file type.
        file_types: What is taken from folders: PDF files, and those that a module is for.
    """

    read: ReadSettings = field(default_factory=ReadSettings)
    limits: ReadLimits = field(default_factory=ReadLimits)
    file_types: tuple[FileType, ...] = ("pdf",)


@dataclass(frozen=True, slots=True)
class _Module:
    """One module: its name, where it stands, and its keys."""

    name: str
    at: Value
    keys: Mapping[str, Value]

    @property
    def reads(self) -> tuple[FileType, ...]:
        return PARSE_MODULES[self.name]


def modules_of(section: Value | None) -> list[Value]:
    """The list below ``modules:``; empty without the section.

    Raises:
        ConfigError: There is none, or another key.
    """
    if section is None:
        return []
    keys = section.mapping("modules")
    if "modules" not in keys:
        raise section.error("has no modules; write a list of modules, each with a module_type")
    return keys["modules"].items()


def file_types_of(value: Value | None) -> tuple[FileType, ...] | None:
    """The types that a ``file_type`` names; ``None`` for ``all_files``, and where it is left out.

    Raises:
        ConfigError: It names another type, or one twice.
    """
    if value is None or value.data == ALL_FILES:
        return None
    if not isinstance(value.data, list):
        value.choice((*FILE_TYPES, ALL_FILES))
        return tuple(kind for kind in FILE_TYPES if kind == value.data)
    named = [item.choice(FILE_TYPES) for item in value.items()]
    if len(set(named)) < len(named):
        raise value.error("names a file type twice; write it once")
    return tuple(kind for kind in FILE_TYPES if kind in named)


def read_parse(section: Value | None) -> Parse:
    """What the section says.

    Raises:
        ConfigError: A key or a value makes no sense, or two modules are for the same files.
    """
    chosen = _by_type([_module(item) for item in modules_of(section)])
    pdf = chosen["pdf"].keys if "pdf" in chosen else {}
    limits = ReadLimits(**_limits(pdf.get("limits"), _LIMIT_KEYS))
    default = ReadLimits()
    by_type: dict[str, dict[str, int]] = {}
    for kind in TEXT_TYPES:  # the limits of PDF files are not theirs
        own = {name: getattr(default, name) for name in TYPE_LIMITS}
        if kind in chosen:
            own |= _limits(chosen[kind].keys.get("limits"), TYPE_LIMITS)
        if other := {name: value for name, value in own.items() if value != getattr(limits, name)}:
            by_type[kind] = other
    return Parse(
        read=ReadSettings(**_settings(pdf)),
        limits=replace(limits, by_type=by_type),
        file_types=tuple(kind for kind in FILE_TYPES if kind == "pdf" or kind in chosen),
    )


def _module(at: Value) -> _Module:
    kind = at.part("module_type")  # first: it says which other keys there are
    name = kind.choice(tuple(PARSE_MODULES)) if kind is not None else ""
    keys = at.mapping(*_KEYS, *(() if name == "text" else _READ_KEYS))
    at.need(keys, "module_type")
    return _Module(name, at, keys)


def _by_type(modules: Sequence[_Module]) -> dict[FileType, _Module]:
    """Which module reads which type."""
    chosen: dict[FileType, _Module] = {}
    rest: _Module | None = None
    for module in modules:
        value = module.keys.get("file_type")
        if value is not None and value.data == ALL_FILES:
            if rest is not None:
                raise module.at.error(f"is a second module for all_files, after {rest.at.where}; keep one of them")
            rest = module
            continue
        named = file_types_of(value) or module.reads
        if value is not None and (wrong := [kind for kind in named if kind not in module.reads]):
            raise value.error(f"has {_and(wrong)}, but {_cannot(module, wrong)}")
        for kind in named:
            if kind in chosen:
                where = chosen[kind].at.where
                raise module.at.error(f"is a second module for {kind} files, after {where}; keep one of them")
            chosen[kind] = module
    if rest is not None:
        chosen.update(dict.fromkeys(_rest(rest, chosen), rest))
    return chosen


def _rest(module: _Module, chosen: Mapping[FileType, _Module]) -> list[FileType]:
    """The types that ``all_files`` stands for."""
    left = [kind for kind in FILE_TYPES if kind not in chosen]
    value = module.keys["file_type"]
    if not left:
        raise value.error("is all_files, but each file type has a module of its own; leave this one out")
    if wrong := [kind for kind in left if kind not in module.reads]:
        raise value.error(f"is all_files, which here stands for {_and(left)}, but {_cannot(module, wrong)}")
    return left


def _cannot(module: _Module, kinds: Sequence[FileType]) -> str:
    other = next(name for name, reads in PARSE_MODULES.items() if kinds[0] in reads)
    return (
        f"module {module.name} cannot read {' or '.join(kinds)} files; "
        f"choose {' or '.join(module.reads)} here, and module {other} for {_and(kinds)}"
    )


def _and(kinds: Sequence[FileType]) -> str:
    return kinds[0] if len(kinds) == 1 else f"{', '.join(kinds[:-1])} and {kinds[-1]}"


def _settings(keys: Mapping[str, Value]) -> dict[str, Any]:
    values: dict[str, Any] = {name: keys[name].truth() for name in ("tables", "fallback") if name in keys}
    return values | ({"ocr": keys["ocr"].choice(get_args(Ocr))} if "ocr" in keys else {})


def _limits(section: Value | None, names: Sequence[str]) -> dict[str, Any]:
    if section is None:
        return {}
    default = ReadLimits()
    return {
        name: value.whole_number(1) if isinstance(getattr(default, name), int) else value.number()
        for name, value in section.mapping(*names).items()
    }
