"""YAML whose values know where they stand, so that a wrong one can be named with its line."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import ConfigError, MissingExtraError
from kure_rag.read.corpus import short

_MAX_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a YAML file.

    Attributes:
        data: What :func:`yaml.safe_load` made of it.
        node: The same in the tree that knows lines.
        file: The file's name.
        key: Its way from the top, such as ``parse.modules[0].ocr``; empty for the whole file.
    """

    data: Any
    node: Any
    file: str
    key: str

    @property
    def where(self) -> str:
        """Its line, such as ``line 7``."""
        return f"line {self.node.start_mark.line + 1}"

    def error(self, what: str) -> ConfigError:
        """An error about this value; ``what`` goes on after its name."""
        return ConfigError(f"{self.file} {self.where}: {self.key or 'the file'} {what}")

    def mapping(self, *allowed: str) -> dict[str, Value]:
        """Its keys and values.

        Raises:
            ConfigError: It is no mapping, or has a key that is not allowed, or one twice.
        """
        if not isinstance(self.data, dict):
            raise self.error(f"is {_kind(self.data)}; write a mapping with {_or(allowed)}")
        found: dict[str, Value] = {}
        for key_node, node in self.node.value:
            name = key_node.value if isinstance(key_node.value, str) else ""
            here = Value(self.data.get(name), node, self.file, f"{self.key}.{name}" if self.key else name)
            at = Value(None, key_node, self.file, here.key)
            if name not in allowed:
                close = difflib.get_close_matches(name, allowed, 1)
                raise at.error(
                    f"is no key of {self.key or 'this file'}; "
                    + (f"did you mean {close[0]}? Choose " if close else "choose ")
                    + _or(allowed)
                )
            if name in found:
                raise at.error(f"is written twice, first on {found[name].where}; keep one of them")
            found[name] = here
        return found

    def part(self, name: str) -> Value | None:
        """One of its keys, whatever the others are: what it says may decide which others there can be."""
        nodes = self.node.value if isinstance(self.data, dict) else ()
        found = next((node for key, node in nodes if key.value == name), None)
        return None if found is None else Value(self.data.get(name), found, self.file, f"{self.key}.{name}")

    def need(self, keys: Mapping[str, Value], name: str) -> Value:
        """One of its keys.

        Raises:
            ConfigError: It is missing.
        """
        if name not in keys:
            raise self.error(f"has no {name}; add one")
        return keys[name]

    def items(self) -> list[Value]:
        """The values of a list.

        Raises:
            ConfigError: It is no list, or an empty one.
        """
        if not isinstance(self.data, list) or not self.data:
            raise self.error(
                f"is {'empty' if self.data == [] else _kind(self.data)}; write a list, each item after a -"
            )
        pairs = zip(self.data, self.node.value, strict=True)
        return [Value(data, node, self.file, f"{self.key}[{i}]") for i, (data, node) in enumerate(pairs)]

    def text(self) -> str:
        """A string."""
        if not isinstance(self.data, str) or not self.data.strip():
            raise self.error(f"is {_kind(self.data)}; write a word")
        return self.data

    def choice(self, choices: Sequence[str], *, more: str = "") -> str:
        """One of some words."""
        if self.data not in choices:
            raise self.error(f"is {short(self.data)}; choose {_or(choices)}{', ' + more if more else ''}")
        return str(self.data)

    def truth(self) -> bool:
        """True or false."""
        if not isinstance(self.data, bool):
            raise self.error(f"is {short(self.data)}; choose true or false")
        return self.data

    def whole_number(self, least: int) -> int:
        """A whole number."""
        if not isinstance(self.data, int) or isinstance(self.data, bool) or self.data < least:
            raise self.error(f"is {short(self.data)}; write a whole number from {least} up")
        return self.data

    def number(self) -> float:
        """A number above 0."""
        good = isinstance(self.data, int | float) and not isinstance(self.data, bool)
        if not good or not math.isfinite(self.data) or self.data <= 0:
            raise self.error(f"is {short(self.data)}; write a number above 0")
        return float(self.data)

    def share(self) -> float:
        """A number from 0 to 1."""
        good = isinstance(self.data, int | float) and not isinstance(self.data, bool)
        if not good or not 0 <= self.data <= 1:
            raise self.error(f"is {short(self.data)}; write a number from 0 to 1")
        return float(self.data)


def read_yaml(file: Path, *, hint: str) -> Value:
    """A YAML file, read by ``yaml.safe_load``.

    Args:
        file: Which.
        hint: What to write into an empty one, for its error.

    Raises:
        MissingExtraError: The extra ``autorag`` is not installed.
        ConfigError: It cannot be read, or is no YAML.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("reading a YAML file", "autorag") from error
    try:
        with file.open("rb") as stream:
            raw = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror or error}); check the path") from error
    if len(raw) > _MAX_BYTES:
        raise ConfigError(f"{file.name}: longer than {_MAX_BYTES:,} bytes; give the YAML file of settings")
    try:
        text = raw.decode("utf-8-sig")
        data, node = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file.name}: not UTF-8 (byte {error.start + 1}); save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{file.name}{line}: not YAML ({error.problem}); check its indentation and quotes") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file.name}: not YAML that can be read ({short(str(error))}); check the file") from error
    if node is None:
        raise ConfigError(f"{file.name}: is empty; {hint}")
    return Value(data, node, file.name, "")


def _kind(value: object) -> str:
    kinds = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a word",
        list: "a list",
        dict: "a mapping",
    }
    return "empty" if value is None or value == "" else kinds.get(type(value), f"a {type(value).__name__}")


def _or(choices: Sequence[str]) -> str:
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"
