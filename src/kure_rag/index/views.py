"""The three views of an index, open, as of one state of the catalog."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kure_rag.errors import IndexCorruptError, KureIndexError
from kure_rag.index.catalog import State
from kure_rag.index.dense import DenseView
from kure_rag.index.lexical import LexicalView
from kure_rag.index.matrix import MatrixView

_log = logging.getLogger(__name__)
_PATIENCE: Final = 5.0  # seconds


class OpenViews:
    """Views that searches share; closed when they are out of date and the last search has let go of them.

    Chroma is opened when it is first asked for: most searches never need it, and importing it takes a second.

    Args:
        lexical: Open.
        matrix: Open, or ``None`` while it is not made yet.
        dense: Opens the vector view, or says by a :class:`KureIndexError` why that cannot be done now.
        state: Of the catalog. Moved on when this process itself brings the views up to date.
    """

    def __init__(
        self, lexical: LexicalView, matrix: MatrixView | None, dense: Callable[[], DenseView], state: State
    ) -> None:
        self.lexical = lexical
        self.matrix = matrix
        self.state = state
        self.users = 0
        self.retired = False
        self._open_dense = dense
        self._dense: DenseView | None = None
        self._again = 0.0  # when to try to open it again
        self._guard = threading.Lock()

    def dense(self) -> DenseView | None:
        """The vector view; ``None`` while it cannot be used, which is said once and tried again every few seconds."""
        with self._guard:
            if self._dense is None and time.monotonic() >= self._again:
                try:
                    self._dense = self._open_dense()
                except KureIndexError as error:
                    _log.log(logging.INFO if self._again else logging.WARNING, "searching without Chroma: %s", error)
                    self._again = time.monotonic() + _PATIENCE
            return self._dense

    def dense_to_write(self) -> DenseView:
        """The vector view, for the one who holds the writer's lock.

        Raises:
            KureIndexError: It cannot be opened.
        """
        with self._guard:
            if self._dense is None:
                self._dense = self._open_dense()
            return self._dense

    def close_if_done(self) -> None:
        """Lets go of the files when nobody searches them any more."""
        if self.retired and not self.users:
            self.lexical.close()
            if self.matrix is not None:
                self.matrix.close()
            if self._dense is not None:
                self._dense.close()


@dataclass(frozen=True, slots=True)
class Views:
    """What a search works on.

    Attributes:
        lexical: The keyword view.
        matrix: All vectors, for exact scores; ``None`` in an index of an older version that nobody has written to yet
            and that another process is writing to now.
        visible: The newest generation that all views hold whole: rows of later ones, and rows gone by then, are not
            to be shown.
        generation: Of the catalog. Later than ``visible`` while views catch up.
    """

    lexical: LexicalView
    matrix: MatrixView | None
    visible: int
    generation: int
    opened: OpenViews = field(repr=False)

    @property
    def dense(self) -> DenseView | None:
        """The vector view, opened when first asked for; ``None`` while it cannot be used: torn, and not rebuilt yet."""
        return self.opened.dense()


def open_lexical(folder: Path) -> tuple[LexicalView | None, list[str]]:
    """The keyword view, or why it cannot be opened."""
    try:
        return LexicalView(folder), []
    except IndexCorruptError as error:
        return None, [str(error)]


def open_matrix(folder: Path) -> tuple[MatrixView | None, list[str]]:
    """The matrix, or why it cannot be opened."""
    try:
        return MatrixView(folder), []
    except IndexCorruptError as error:
        return None, [str(error)]
