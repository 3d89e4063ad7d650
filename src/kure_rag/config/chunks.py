"""How documents are cut, as a YAML file says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kure_rag.chunk import PROFILES, ChunkSettings, find_profile
from kure_rag.config.yaml_file import Value

_NAMES: Final = ("auto", "general", "finance", "legal", "medical")
_KEYS: Final = ("profile", "target", "longest")


def read_chunks(section: Value | None) -> ChunkSettings | None:
    """What the keys ``profile``, ``target`` and ``longest`` say; ``None`` without the section.

    Raises:
        ConfigError: A key or a value makes no sense.
    """
    if section is None:
        return None
    keys = section.mapping(*_KEYS)
    return read_lengths(read_profile(keys["profile"]) if "profile" in keys else ChunkSettings().profile, keys)


def read_profile(value: Value) -> str:
    """The name of a profile, which there must be.

    Raises:
        ConfigError: There is none of that name.
    """
    name = value.text()
    if name not in _NAMES and ":" not in name:
        value.choice(_NAMES, more="or package.module:NAME for your own")
    if name not in PROFILES and name not in _NAMES:
        try:
            find_profile(name, "general")
        except ValueError as error:
            raise value.error(str(error)) from error
    return name


def read_lengths(profile: str, keys: Mapping[str, Value]) -> ChunkSettings:
    """Settings from ``target`` and ``longest``; what is left out follows from the other.

    Raises:
        ConfigError: No whole numbers from 1 up, or a target over the longest.
    """
    default = ChunkSettings()
    target = keys["target"].whole_number(1) if "target" in keys else None
    longest = keys["longest"].whole_number(1) if "longest" in keys else None
    if target is None:
        target = min(default.target, longest or default.target)
    if longest is None:
        longest = default.longest if target == default.target else 2 * target
    if target > longest:
        raise keys["target"].error(f"is {target}, more than longest ({longest}); make it smaller, or longest larger")
    return ChunkSettings(target=target, longest=longest, profile=profile)
