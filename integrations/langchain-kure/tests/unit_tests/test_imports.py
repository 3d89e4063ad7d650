"""The names of this package."""

import langchain_kure

import kure_rag.langchain


def test_every_name_is_kure_rag_s() -> None:
    for name in langchain_kure.__all__:
        assert getattr(langchain_kure, name) is getattr(kure_rag.langchain, name)
