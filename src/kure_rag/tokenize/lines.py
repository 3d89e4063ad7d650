"""Lines of the small text files that users write: dictionaries and synonyms."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kure_rag.errors import ConfigError

_COMMENT: Final = re.compile(r"(?:^|\s)#.*")  # a term may hold the sign: C#


def content_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with something on them, numbered from 1, in NFC, without comments (``#``) and outer spaces.

    Raises:
        ConfigError: The file cannot be read, or is not UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror or error}); check the path and its rights"
        ) from None
    except UnicodeDecodeError as error:
        broken = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}, line {broken}: is not UTF-8; save the file as UTF-8") from None
    for number, line in enumerate(unicodedata.normalize("NFC", text).splitlines(), 1):
        content = _COMMENT.sub("", line).strip()
        if content:
            yield number, content
