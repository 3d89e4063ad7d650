"""The oldest versions that are tested are the oldest that pyproject.toml allows."""

from __future__ import annotations

import framework_versions
from packaging.requirements import Requirement
from packaging.version import Version


def test_the_oldest_versions_are_those_at_the_lower_bound() -> None:
    allowed = {name: Requirement(line).specifier for name, line in framework_versions.supported().items()}
    oldest = {Requirement(line).name: line.partition("==")[2] for line in framework_versions.OLDEST}
    assert set(allowed) == set(framework_versions.FRAMEWORKS) <= set(oldest)
    for name, specifier in allowed.items():
        assert oldest[name] in specifier
        assert [Version(one.version) for one in specifier if one.operator == ">="] == [Version(oldest[name])]


def test_every_file_that_is_run_is_there() -> None:
    named = (*framework_versions.SUITES, *framework_versions.INHERITING, *framework_versions.WHOLE)
    assert [file for file in named if not (framework_versions.ROOT / file).exists()] == []
