"""The packages under integrations/: where they lie, and a folder with all of their wheels installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "integrations"


@dataclass(frozen=True)
class Package:
    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def stem(self) -> str:
        """The name as wheels and source archives have it."""
        return self.name.replace("-", "_")

    @property
    def pyproject(self) -> dict[str, Any]:
        return tomllib.loads((self.folder / "pyproject.toml").read_text(encoding="utf-8"))

    @property
    def module(self) -> str:
        """What a user imports: ``langchain_kure`` or ``llama_index.readers.kure``."""
        if self.name.startswith("langchain-"):
            return self.stem
        return str(self.pyproject["tool"]["llamahub"]["import_path"])

    @property
    def code(self) -> Path:
        return self.folder / self.module.replace(".", "/")


PACKAGES = [Package(path.parent) for path in sorted(FOLDER.glob("*/pyproject.toml"))]


@dataclass(frozen=True)
class Built:
    """Archives of all packages, and a folder that holds what their wheels hold."""

    archives: Path
    installed: Path

    def wheel(self, package: Package) -> Path:
        (found,) = self.archives.glob(f"{package.stem}-*-py3-none-any.whl")
        return found

    def sdist(self, package: Package) -> Path:
        (found,) = self.archives.glob(f"{package.stem}-*.tar.gz")
        return found

    @property
    def environment(self) -> dict[str, str]:
        """For a child process that finds the packages before anything else, and no network."""
        return {**os.environ, "PYTHONPATH": str(self.installed), "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"}


def build_all(folder: Path) -> Built:
    """Builds each package's source archive and, from that, its wheel; then installs the wheels into a folder."""
    built = Built(folder / "dist", folder / "installed")
    for package in PACKAGES:
        command = [
            sys.executable,
            "-m",
            "build",
            "--no-isolation",
            "--outdir",
            str(built.archives),
            str(package.folder),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{package.name}: {done.stdout}\n{done.stderr}"
    wheels = [str(built.wheel(package)) for package in PACKAGES]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", str(built.installed)]
    subprocess.run([*pip, *wheels], check=True)
    return built


def names_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())
