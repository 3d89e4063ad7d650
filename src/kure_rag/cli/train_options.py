"""Options made of a recipe's settings: one for each, with the recipe's value and what its docstring says of it."""

from __future__ import annotations

import argparse
import inspect
import re
import types
import typing
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from kure_rag.errors import ConfigError

if TYPE_CHECKING:
    from kure_rag.train.settings import TrainSettings

_ATTRIBUTE: Final = re.compile(r"^ {4}(\w+): ", re.MULTILINE)
_GIVEN: Final = "set_"  # before a setting's name in the parsed options


def add_settings(parser: argparse.ArgumentParser, settings: TrainSettings) -> None:
    """One option for each setting."""
    group = parser.add_argument_group("settings (with the recipe's values)")
    said = _descriptions(type(settings))
    hints = typing.get_type_hints(type(settings))
    for field in fields(settings):
        value = getattr(settings, field.name)
        words = said.get(field.name, "").rstrip(".").replace("%", "%%")
        shown = " ".join(str(part) for part in value) if isinstance(value, tuple) else value
        default = "" if value is None or isinstance(value, bool) else f" (default: {shown})"
        kind = _kind(hints[field.name], value)
        turned_off = kind.get("action") == "store_const" and value
        group.add_argument(
            f"--{'no-' if turned_off else ''}{field.name.replace('_', '-')}",
            dest=f"{_GIVEN}{field.name}",
            help=f"{words[:1].lower()}{words[1:]}{default}",
            **kind,
        )


def chosen_settings(options: argparse.Namespace, settings: Any) -> Any:
    """The settings with what was given on the command line.

    Raises:
        ConfigError: A value that nothing can be trained with.
    """
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for field in fields(settings)
        if (value := getattr(options, _GIVEN + (name := field.name))) is not None
    }
    try:
        return replace(settings, **given)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _kind(hint: Any, value: Any = None) -> dict[str, Any]:
    """How argparse reads a value of that type; a switch turns what it is by default."""
    inner = [part for part in typing.get_args(hint) if part is not types.NoneType]
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return _kind(inner[0], value)
    if typing.get_origin(hint) is Literal:
        return {"choices": inner}
    if typing.get_origin(hint) is tuple:
        return {"nargs": "+", **_kind(inner[0])}
    if hint is bool:
        return {"action": "store_const", "const": not value}
    return {"type": hint, "metavar": {int: "N", float: "X"}.get(hint, hint.__name__.upper())}


def _descriptions(settings: type) -> dict[str, str]:
    """What the docstrings of a settings class, and of those it comes from, say of each attribute."""
    found: dict[str, str] = {}
    for one in reversed(settings.__mro__):
        text = inspect.cleandoc(one.__doc__ or "")
        _, _, attributes = text.partition("Attributes:\n")
        places = list(_ATTRIBUTE.finditer(attributes))
        ends = [*(place.start() for place in places[1:]), len(attributes)]
        for place, end in zip(places, ends, strict=False):  # no place has the end of none
            words = attributes[place.end() : end]
            found[place[1]] = " ".join(words.split("\n\n")[0].split()).replace("`", "")
    return found
