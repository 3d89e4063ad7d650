"""Runs the notebooks of this folder from top to bottom, each in a fresh process and a fresh folder.

    python examples/execute.py              # run all of them; the files stay as they are
    python examples/execute.py 03 04        # run those whose names begin so
    python examples/execute.py --write      # keep the new outputs in the files

A chat model that is named by ``KURE_LLM_URL`` is not used, so that the outputs are the same everywhere.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parent
SECONDS: Final = 300  # for one cell, and for its outputs; a quiet machine takes 10 for a whole notebook
STARTING: Final = 300  # seconds until Python answers; where many processes start, nbclient's minute is short
_OWN: Final = ("KURE_LLM_URL", "KURE_LLM_MODEL", "KURE_LLM_API_KEY", "KURE_RERANKER")


def notebooks(*beginnings: str) -> list[Path]:
    """The notebooks whose names begin with one of these, or all."""
    return [path for path in sorted(FOLDER.glob("[0-9]*.ipynb")) if not beginnings or path.name.startswith(beginnings)]


def execute(path: Path, *, first: str = "") -> Any:
    """Runs a notebook and gives it back with its outputs.

    Args:
        path: The file, which is only read.
        first: Code to run before its first cell; it leaves no cell behind.

    Raises:
        CellExecutionError: A cell failed.
        CellTimeoutError: A cell took too long, or its outputs did not all come.
        RuntimeError: The kernel died, or did not start.
    """
    import nbformat
    from nbclient import NotebookClient
    from traitlets.config import Config

    notebook = nbformat.read(path, as_version=4)
    if first:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(first))
    with tempfile.TemporaryDirectory(prefix="kure-rag-notebook-") as folder:
        client = NotebookClient(
            notebook,
            timeout=SECONDS,
            startup_timeout=STARTING,
            # nbclient waits 4 seconds for the outputs after a cell ends, which a busy machine may exceed, and then goes
            # on without them.
            iopub_timeout=SECONDS,
            raise_on_iopub_timeout=True,
            kernel_name="python3",
            record_timing=False,
            config=Config({"KernelManager": _transport(folder)}),
            resources={"metadata": {"path": folder}},
        )
        client.execute(env=_environment(Path(folder)))
    if first:
        del notebook.cells[0]
    return _tidy(notebook)


def _transport(folder: str) -> dict[str, str]:
    """Sockets in a folder of our own where the system has them, instead of ports that anybody here may connect to."""
    return {"transport": "ipc", "ip": f"{folder}/.kernel"} if os.name == "posix" else {}


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _OWN}
    return {**kept, "IPYTHONDIR": str(folder / ".ipython"), "HF_HUB_OFFLINE": "1"}


def _tidy(notebook: Any) -> Any:
    """Joins the pieces of a stream and numbers the cells from 1, so that the same outputs are the same file."""
    number = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        number += 1
        cell.execution_count = number
        joined: list[Any] = []
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = number
            if joined and output.output_type == "stream" == joined[-1].output_type and output.name == joined[-1].name:
                joined[-1].text += output.text
            else:
                joined.append(output)
        cell.outputs = joined
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the notebooks that are named on the command line."""
    parser = argparse.ArgumentParser(description="Runs the notebooks of this folder from top to bottom.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="how names begin, such as 03 (default: all)")
    parser.add_argument("--write", action="store_true", help="keep the new outputs in the files")
    options = parser.parse_args(arguments)
    found = notebooks(*options.names)
    if not found:
        parser.error(f"no notebook in {FOLDER.name}/ begins with {' or '.join(options.names)}")

    import nbformat
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    failed = 0
    for path in found:
        started = time.monotonic()
        try:
            done = execute(path)
        except (CellExecutionError, CellTimeoutError, RuntimeError) as error:
            failed += 1
            print(f"{path.name}: {error}", file=sys.stderr)
            continue
        if options.write:
            nbformat.write(done, path)
        cells = sum(cell.cell_type == "code" for cell in done.cells)
        print(f"{path.name}: {cells} cells, {size(done):,} bytes, {time.monotonic() - started:.1f} s")
    return 1 if failed else 0


def size(notebook: Any) -> int:
    """Bytes of the file that it would be."""
    import nbformat

    return len(nbformat.writes(notebook).encode())


if __name__ == "__main__":
    raise SystemExit(main())
