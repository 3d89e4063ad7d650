"""Every notebook runs from top to bottom offline, says what its kept outputs say, and needs what its extra brings."""

import ast
import base64
import importlib.util
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from kure_rag.cli.main import build_parser

nbformat = pytest.importorskip("nbformat", reason="the extra examples is not installed")

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
LARGEST = 100_000  # bytes of a file
LAST = "## 다음에 해 볼 것"
OF_A_MACHINE = re.compile(
    r"/(?:tmp|home|root|Users|work|usr|var|opt|private)/|[A-Z]:\\|site-packages|127\.0\.0\.1:\d|\x1b"
)
WITHOUT_KOREAN = """
from matplotlib import font_manager
font_manager.fontManager.ttflist = [font for font in font_manager.fontManager.ttflist if font.name.startswith("DejaVu")]
"""


def _runner() -> Any:
    spec = importlib.util.spec_from_file_location("examples_execute", EXAMPLES / "execute.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RUNNER = _runner()
NOTEBOOKS = RUNNER.notebooks()
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook: Any) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def printed(cell: Any) -> str:
    """What a cell says, without numbers that differ in their last digit between machines."""
    parts = [output.get("text", "") for output in cell.outputs]
    parts += [kind for output in cell.outputs for kind in sorted(output.get("data", {}))]
    return re.sub(r"-?\d*\.\d+", "#", "".join(parts))


def stderr(notebook: Any) -> str:
    return "".join(output.text for cell in code(notebook) for output in cell.outputs if output.get("name") == "stderr")


def test_there_are_the_seven_notebooks() -> None:
    assert [path.name[:3] for path in NOTEBOOKS] == [f"0{number}_" for number in range(1, 8)]


@each_notebook
def test_a_notebook_runs_in_an_empty_folder_and_says_what_is_kept_in_it(path: Path) -> None:
    fresh, kept = RUNNER.execute(path), read(path)

    assert stderr(fresh) == ""
    for new, old in zip(code(fresh), code(kept), strict=True):
        assert printed(new) == printed(old), f"stale: run `python examples/execute.py --write {path.name[:2]}`"
    assert RUNNER.size(fresh) < LARGEST


@each_notebook
def test_the_kept_outputs_are_whole_and_small_and_name_no_machine(path: Path) -> None:
    kept = read(path)

    nbformat.validate(kept)
    assert path.stat().st_size < LARGEST
    assert [cell.execution_count for cell in code(kept)] == list(range(1, len(code(kept)) + 1))
    for cell in code(kept):
        assert not cell.metadata, "times and states of the editor are not kept"
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
            for kind, value in output.get("data", {}).items():
                assert kind in ("text/plain", "image/png")
                if kind == "image/png":
                    assert base64.b64decode(value).startswith(b"\x89PNG")
            text = output.get("text", "") + output.get("data", {}).get("text/plain", "")
            assert not OF_A_MACHINE.search(text), text
    assert any(cell.outputs for cell in code(kept))
    assert set(kept.metadata) == {"kernelspec", "language_info"}


@each_notebook
def test_a_notebook_is_korean_with_english_notes_and_ends_with_what_to_try_next(
    path: Path,
) -> None:
    texts = prose(read(path))

    for text in texts:
        assert re.search(r"[가-힣]", text)
        assert "*English: " in text, text
    assert texts[0].startswith(f"# {path.name[:2]}. ")
    assert texts[-1].startswith(LAST)
    assert read(path).cells[-1].source == texts[-1]


@each_notebook
def test_links_lead_to_files_that_are_there(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", "\n".join(prose(read(path)))):
        assert (EXAMPLES / target).exists(), target


@each_notebook
def test_commands_that_a_notebook_names_parse(path: Path) -> None:
    for command in re.findall(r"`kure-rag ([^`]+)`", "\n".join(prose(read(path)))):
        words = command.split()
        if len(words) > 1:
            build_parser().parse_args(words)
        else:
            assert re.search(rf"(?m)^    {words[0]}\s", build_parser().format_help()), command


@each_notebook
def test_a_notebook_imports_only_what_the_extra_installs(path: Path) -> None:
    tree = ast.parse("\n".join(cell.source for cell in code(read(path))), feature_version=(3, 11))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    installed = _installed_by("examples")
    homes = metadata.packages_distributions()

    for name in {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"kure_rag"}:
        brought_by = {_plain(home) for home in homes[name]}
        assert brought_by & installed, f"{name} ({', '.join(brought_by)}) is not in kure-rag[examples]"


def test_plots_have_english_labels_where_no_font_has_hangul() -> None:
    [path] = RUNNER.notebooks("03")

    fresh = RUNNER.execute(path, first=WITHOUT_KOREAN)

    assert "Glyph" not in stderr(fresh)
    assert stderr(fresh) == ""


def test_all_notebooks_that_plot_choose_the_font_alike() -> None:
    sources = {path.name: "\n".join(cell.source for cell in code(read(path))) for path in NOTEBOOKS}
    plotting = {name: source for name, source in sources.items() if "pyplot" in source}
    chosen = {name: re.search(r"KOREAN = .*?plt\.rcParams.*?\n", text, re.DOTALL) for name, text in plotting.items()}

    assert len(plotting) >= 2
    assert len({found[0] for found in chosen.values() if found is not None}) == 1
    assert None not in chosen.values()


def test_the_readme_lists_every_notebook() -> None:
    readme = (EXAMPLES / "README.md").read_text("utf-8")

    for path in NOTEBOOKS:
        assert f"]({path.name})" in readme


def test_a_cell_that_fails_is_told_with_its_notebook_and_the_others_still_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, source in (("01_broken.ipynb", "1 / 0"), ("02_right.ipynb", "print(1 + 1)")):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
        nbformat.write(notebook, tmp_path / name)
    monkeypatch.setattr(RUNNER, "FOLDER", tmp_path)

    status = RUNNER.main(["--write"])

    said = capsys.readouterr()
    assert status == 1
    assert "01_broken.ipynb" in said.err
    assert "ZeroDivisionError" in said.err
    assert code(read(tmp_path / "01_broken.ipynb"))[0].outputs == []
    assert code(read(tmp_path / "02_right.ipynb"))[0].outputs[0].text == "2\n"


LATE = """
import time
from IPython import get_ipython

kernel = get_ipython().kernel

def late(status, channel, *rest, publish=kernel._publish_status):
    time.sleep(2 * (status == "idle" and channel == "shell"))
    publish(status, channel, *rest)

kernel._publish_status = late  # says that all outputs are sent
"""


def test_outputs_that_do_not_come_in_time_are_an_error_and_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(LATE)]), tmp_path / "late.ipynb")
    monkeypatch.setattr(RUNNER, "SECONDS", 1)

    with pytest.raises(TimeoutError, match="IOPub"):
        RUNNER.execute(tmp_path / "late.ipynb")


def test_a_chat_model_in_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KURE_LLM_URL", "http://127.0.0.1:9/v1")
    source = "import os; print(os.environ.get('KURE_LLM_URL'))"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), tmp_path / "one.ipynb")

    assert code(RUNNER.execute(tmp_path / "one.ipynb"))[0].outputs[0].text == "None\n"


def _installed_by(extra: str) -> set[str]:
    """The distributions that ``pip install "kure-rag[extra]"`` brings, as far as they are here."""
    found: set[tuple[str, str]] = set()
    todo = [("kure-rag", ""), ("kure-rag", extra)]
    while todo:
        name, its_extra = one = todo.pop()
        if one in found:
            continue
        found.add(one)
        for wanted in map(Requirement, _required(name, its_extra)):
            if wanted.marker is None or wanted.marker.evaluate({"extra": its_extra}):
                todo += [(_plain(wanted.name), each) for each in ("", *wanted.extras)]
    return {name for name, _ in found}


def _required(name: str, extra: str) -> list[str]:
    if name == "kure-rag":  # what stands in the file, not what an older installation said
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        required: list[str] = project["optional-dependencies"][extra] if extra else project["dependencies"]
        return required
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
