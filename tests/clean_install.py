"""Builds every wheel of the project, installs them into a new environment, and searches there with both frameworks.

Then ``kure-rag[examples]`` is installed beside them, and every notebook of examples/ runs from top to bottom, without a
network.

    python tests/clean_install.py                            # all of it: `make test-clean`
    python tests/clean_install.py --without-notebooks        # the search only
    python tests/clean_install.py -- --extra-index-url URL   # where pip finds a CPU build of torch

Nothing of this environment is seen in the new one: what a wheel's metadata forgot to name is missing there. Only torch
is pinned, so that pip finds a CPU build; all else is resolved as for a user.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SEARCH = """
from kure_rag import KureIndex
from kure_rag.samples import sample_paths
from langchain_kure import KureRetriever
from llama_index.embeddings.kure import KureEmbedding
from llama_index.retrievers.kure import KureRetriever as LlamaKureRetriever

QUESTION = "집에서 일하려면 언제까지 신청해야 하나요?"
with KureIndex.open("index", embeddings=KureEmbedding("static-ko")) as index:
    index.add_paths(sample_paths())
    found = KureRetriever(index=index, k=3).invoke(QUESTION)
    print(found[0].metadata["citation"])
    same = [node.node_id for node in LlamaKureRetriever(index, similarity_top_k=3).retrieve(QUESTION)]
    if [document.id for document in found] != same:
        raise SystemExit("LangChain and LlamaIndex found different passages")
"""
WANTED = "새여울재단_취업규정.pdf p.2 취업규정 > 제3장 근무 > 제11조(재택근무)"


def torch_pin() -> str:
    """The version of torch in requirements.lock."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("torch=="))


def build(dist: Path) -> list[str]:
    """Builds all packages into a folder; the names of those under integrations/."""
    packages = [ROOT, *(path.parent for path in sorted((ROOT / "integrations").glob("*/pyproject.toml")))]
    for package in packages:
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(dist), str(package)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{package.name} does not build:\n{done.stdout}{done.stderr}")
    return [package.name for package in packages[1:]]


def search(python: Path, folder: Path, environment: dict[str, str]) -> str:
    """What both frameworks find there first: its citation."""
    done = subprocess.run([str(python), "-c", SEARCH], cwd=folder, env=environment, capture_output=True, check=False)
    print(done.stderr.decode("utf-8", "replace"), file=sys.stderr, end="")
    return done.stdout.decode("utf-8").strip() if done.returncode == 0 else f"nothing (status {done.returncode})"


def run_notebooks(python: Path, folder: Path, environment: dict[str, str]) -> bool:
    """Runs copies of all notebooks, which lie beside nothing of the project; whether all ran."""
    copies = folder / "examples"
    copies.mkdir()
    files = [ROOT / "examples" / "execute.py", *sorted((ROOT / "examples").glob("[0-9]*.ipynb"))]
    for file in files:
        shutil.copy(file, copies)
    # Whatever asks for another machine is sent to a port where nobody answers.
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    nowhere |= {"NO_PROXY": "127.0.0.1,localhost"}  # the stand-in for a chat model
    offline = environment | nowhere | {name.lower(): value for name, value in nowhere.items()}
    command = [str(python), "-u", str(copies / "execute.py")]
    return subprocess.run(command, cwd=folder, env=offline, check=False).returncode == 0


def main() -> int:
    """0 where the search finds what it should, and all notebooks run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without-notebooks", action="store_true", help="search only, without the extra examples")
    parser.add_argument("pip", nargs="*", help="further arguments of pip for torch, such as an index of CPU builds")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kure-rag-clean-") as name:
        folder = Path(name)
        started = time.monotonic()

        def say(what: str) -> None:
            print(f"{time.monotonic() - started:6.1f} s  {what}", flush=True)

        names = build(folder / "dist")
        say(f"{len(names) + 1} wheels built")
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
        clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
        install = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        subprocess.run([*install, "--no-deps", torch_pin(), *given.pip], check=True, env=clean)
        say(torch_pin())
        from_dist = [*install, "--find-links", str(folder / "dist")]
        subprocess.run([*from_dist, *names], check=True, env=clean)
        subprocess.run([str(python), "-m", "pip", "check"], check=True, env=clean)
        say("installed: " + ", ".join(names))
        clean |= {"HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"}
        found = search(python, folder, clean)
        say(f"found: {found}")
        if found != WANTED or given.without_notebooks:
            return int(found != WANTED)
        subprocess.run([*from_dist, "kure-rag[examples]"], check=True, env=clean)
        subprocess.run([str(python), "-m", "pip", "check"], check=True, env=clean)
        say("installed: kure-rag[examples]")
        ran = run_notebooks(python, folder, clean)
        say("all notebooks ran" if ran else "not all notebooks ran")
        return int(not ran)


if __name__ == "__main__":
    sys.exit(main())
