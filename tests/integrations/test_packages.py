"""Each package under integrations/ builds, installs with its own wheel, and gives kure-rag's own classes."""

from __future__ import annotations

import email
import json
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import requires

import pytest
from package_support import FOLDER, PACKAGES, ROOT, Built, Package, names_in
from packaging.requirements import Requirement
from packaging.version import Version

import kure_rag
import kure_rag.langchain
import kure_rag.llama_index

each_package = pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)


def _frameworks() -> dict[str, Requirement]:
    """The versions of both frameworks that kure-rag itself takes."""
    lines = [Requirement(line) for line in requires("kure-rag") or ()]
    return {line.name: line for line in lines if line.name in ("langchain-core", "llama-index-core")}


def test_these_are_the_packages() -> None:
    assert [package.name for package in PACKAGES] == [
        "langchain-kure",
        "llama-index-embeddings-kure",
        "llama-index-node-parser-kure",
        "llama-index-postprocessor-kure-rerank",
        "llama-index-readers-kure",
        "llama-index-retrievers-kure",
        "llama-index-vector-stores-kure",
    ]
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [package.name for package in PACKAGES if f"({package.name})" not in page] == []


@each_package
def test_a_wheel_holds_the_module_and_the_licence_and_nothing_else(package: Package, built: Built) -> None:
    inside = package.module.replace(".", "/")
    info = f"{package.stem}-{kure_rag.__version__}.dist-info"
    assert names_in(built.wheel(package)) == sorted(
        [
            f"{inside}/__init__.py",
            f"{inside}/py.typed",
            f"{info}/METADATA",
            f"{info}/RECORD",
            f"{info}/WHEEL",
            f"{info}/licenses/LICENSE",
        ]
    )  # no __init__.py above it: `llama_index` belongs to many packages


@each_package
def test_a_source_archive_holds_its_tests(package: Package, built: Built) -> None:
    with tarfile.open(built.sdist(package)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO"} <= names
    assert any(name.startswith("tests/") and name.rpartition("/")[2].startswith("test_") for name in names)


@each_package
def test_metadata_follows_kure_rag(package: Package, built: Built) -> None:
    with zipfile.ZipFile(built.wheel(package)) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        about = email.message_from_string(archive.read(name).decode("utf-8"))
    main = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert about["Name"] == package.name
    assert about["Version"] == kure_rag.__version__
    assert about["License-Expression"] == main["license"]
    assert about["Requires-Python"] == main["requires-python"]
    assert about["Summary"]
    assert about.get_payload() == (package.folder / "README.md").read_text(encoding="utf-8")
    needed = {line.name: line for line in map(Requirement, about.get_all("Requires-Dist"))}
    framework = "langchain-core" if package.name.startswith("langchain-") else "llama-index-core"
    assert needed.keys() == {"kure-rag", framework}
    assert needed[framework].specifier == _frameworks()[framework].specifier
    assert needed["kure-rag"].extras == (set() if framework == "langchain-core" else {"llama-index"})
    version = Version(kure_rag.__version__)
    assert version in needed["kure-rag"].specifier
    assert f"{version.major}.{version.minor + 1}" not in needed["kure-rag"].specifier  # 0.x may change the interface


@each_package
def test_the_licence_is_the_project_s(package: Package) -> None:
    assert (package.folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@each_package
def test_llamahub_knows_where_its_classes_are(package: Package) -> None:
    if package.name.startswith("langchain-"):
        assert "llamahub" not in package.pyproject.get("tool", {})
        return
    hub = package.pyproject["tool"]["llamahub"]
    assert package.name == "-".join(["llama-index", *hub["import_path"].split(".")[1:]]).replace("_", "-")
    assert (package.code / "__init__.py").is_file()
    assert set(hub["class_authors"]) == set(_exported(package))


def _exported(package: Package) -> list[str]:
    """``__all__``, read and not imported: the packages are not installed where the tests run."""
    names: dict[str, object] = {}
    exec(compile((package.code / "__init__.py").read_text(encoding="utf-8"), package.module, "exec"), names)
    exported = names["__all__"]
    assert isinstance(exported, list)
    return exported


def test_all_of_langchain_is_in_its_package() -> None:
    (package,) = [package for package in PACKAGES if package.module == "langchain_kure"]
    helpers = {"to_document"}  # between hits and documents; of use where the core is at hand anyway
    assert set(_exported(package)) == set(kure_rag.langchain.__all__) - helpers


def test_all_of_llama_index_is_in_its_packages() -> None:
    exported = [name for package in PACKAGES if package.module != "langchain_kure" for name in _exported(package)]
    helpers = {name for name in kure_rag.llama_index.__all__ if name[0].islower()}
    assert sorted(exported) == sorted(set(kure_rag.llama_index.__all__) - helpers)


def test_installed_they_import_from_their_own_wheels_and_give_kure_rag_s_classes(built: Built) -> None:
    code = (
        "import importlib, json, sys\n"
        "found = {}\n"
        "for name in sys.argv[1:]:\n"
        "    module = importlib.import_module(name)\n"
        "    found[name] = [module.__file__, [getattr(module, one).__module__ for one in module.__all__]]\n"
        "print(json.dumps(found))\n"
    )
    modules = [package.module for package in PACKAGES]
    command = [sys.executable, "-c", code, *modules]
    done = subprocess.run(command, env=built.environment, cwd=built.installed.parent, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    found = json.loads(done.stdout)
    assert found.keys() == set(modules)
    for name, (file, homes) in found.items():
        assert file == str(built.installed / name.replace(".", "/") / "__init__.py")
        framework = "langchain" if name == "langchain_kure" else "llama_index"
        assert {home.rpartition(".")[0] for home in homes} == {f"kure_rag.{framework}"}


@pytest.mark.parametrize("framework", ["langchain", "llama-index"])
def test_their_own_tests_pass_with_the_installed_wheels(built: Built, framework: str) -> None:
    folders = [str(package.folder / "tests") for package in PACKAGES if package.name.startswith(framework)]
    options = ["-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-o", "addopts=", "--import-mode=importlib"]
    command = [sys.executable, "-m", "pytest", *options, f"--rootdir={FOLDER}", *folders]
    done = subprocess.run(command, env=built.environment, cwd=built.installed.parent, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")
