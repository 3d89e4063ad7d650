from __future__ import annotations

import pytest
from package_support import Built, build_all


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """All packages, built once."""
    return build_all(tmp_path_factory.mktemp("packages"))
