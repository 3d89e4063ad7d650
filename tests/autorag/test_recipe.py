"""ingest.yaml: what it may say, and how a wrong word is named with its line and the choices."""

import sys
from pathlib import Path

import pytest

from kure_rag import Document
from kure_rag.autorag import Recipe, read_recipe
from kure_rag.chunk import ChunkSettings, chunk_document, chunker_fingerprint, find_profile
from kure_rag.errors import ConfigError, MissingExtraError
from kure_rag.read import ReadLimits, ReadSettings
from kure_rag.tokenize import NgramTokenizer

WHOLE = """\
paths: [문서, ../공통/약관.pdf, /자료/규정.pdf]
domain: auto
workers: 2
parse:
  modules:
    - module_type: pdf
      file_type: pdf
      tables: false
      fallback: false
      ocr: never
      limits:
        max_pages: 2000
        max_seconds: 120
chunk:
  modules:
    - module_type: general
      file_type: all_files
      target: 300
      longest: 500
"""
SENTENCES = " ".join(f"{i}번째 사항은 담당 부서가 해마다 정하여 알린다." for i in range(40))


def recipe(folder: Path, text: str) -> Recipe:
    path = folder / "ingest.yaml"
    path.write_text(text, encoding="utf-8")
    return read_recipe(path)


def test_all_that_it_may_say(tmp_path: Path) -> None:
    assert recipe(tmp_path, WHOLE) == Recipe(
        paths=(tmp_path / "문서", tmp_path / "../공통/약관.pdf", Path("/자료/규정.pdf")),
        workers=2,
        read=ReadSettings(tables=False, fallback=False, ocr="never"),
        limits=ReadLimits(max_pages=2000, max_seconds=120),
        chunks=ChunkSettings(profile="general", target=300, longest=500),
    )


def test_what_is_left_out_is_as_without_a_file(tmp_path: Path) -> None:
    assert recipe(tmp_path, "domain: legal") == Recipe(domain="legal")
    assert recipe(tmp_path, "paths: 문서").paths == (tmp_path / "문서",)
    assert recipe(tmp_path, "parse: {modules: [{module_type: pdf}]}") == Recipe()
    assert recipe(tmp_path, "chunk: {modules: [{module_type: auto}]}").chunks == ChunkSettings()
    assert recipe(
        tmp_path, "\ufeffchunk:\n- x".replace("\n- x", " {modules: [{module_type: auto, target: 600}]}")
    ).chunks == (ChunkSettings(target=600, longest=1200))
    assert recipe(tmp_path, "chunk: {modules: [{module_type: auto, longest: 200}]}").chunks == (
        ChunkSettings(target=200, longest=200)
    )


def test_a_user_dictionary_beside_it(tmp_path: Path) -> None:
    (tmp_path / "용어.txt").write_text("중도해지이율\n", encoding="utf-8")
    assert recipe(tmp_path, "user_dictionary: 용어.txt").user_dictionary == tmp_path / "용어.txt"
    with pytest.raises(ConfigError, match=r"line 2: user_dictionary cannot be used: .*없는용어\.txt"):
        recipe(tmp_path, "domain: auto\nuser_dictionary: 없는용어.txt")
    (tmp_path / "용어.txt").write_text("중도해지이율\n온누리적금\tNOUN\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"용어\.txt, line 2: no tag named 'NOUN'"):
        recipe(tmp_path, "user_dictionary: 용어.txt")
    with pytest.raises(ConfigError, match="user_dictionary is a list; write a word"):
        recipe(tmp_path, "user_dictionary: [중도해지이율]")


def test_one_domain_can_be_cut_in_another_way(tmp_path: Path) -> None:
    modules = "{module_type: general, target: 400}, {module_type: general, domain: finance, target: 80, longest: 90}"
    settings = recipe(tmp_path, f"chunk: {{modules: [{modules}]}}").chunks
    assert settings is not None
    profile = find_profile(settings.profile, "finance")
    assert profile.name in settings.profile
    assert profile.version
    assert chunker_fingerprint(settings) != chunker_fingerprint(ChunkSettings())

    def lengths(domain: str) -> list[int]:
        document = Document("d", "글.pdf", "글", domain, SENTENCES)  # type: ignore[arg-type]
        return [len(item.chunk.text) for item in chunk_document(document, NgramTokenizer(2), settings)]

    assert max(lengths("finance")) <= 90
    assert max(lengths("legal")) > 200
    assert sum(lengths("finance")) >= len(SENTENCES) - len(lengths("finance"))


def test_ones_own_profile_by_its_module(tmp_path: Path) -> None:
    name = "kure_rag.autorag.by_domain:*=general,100,200"
    with pytest.raises(ConfigError, match="is no Profile"):
        recipe(tmp_path, "chunk: {modules: [{module_type: 'kure_rag.types:DOMAINS'}]}")
    with pytest.raises(ConfigError, match=r"chunk\.modules\[0\]\.module_type chunk profile 'nowhere:X'"):
        recipe(tmp_path, "chunk: {modules: [{module_type: 'nowhere:X'}]}")
    settings = recipe(tmp_path, f"chunk: {{modules: [{{module_type: '{name}'}}]}}").chunks
    assert settings is not None
    assert settings.profile == name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; write at least parse: or chunk:"),
        ("# 주석뿐\n", "is empty"),
        (
            "- a\n- b",
            (
                "line 1: the file is a list; "
                "write a mapping with paths, domain, workers, user_dictionary, parse, chunk or search"
            ),
        ),
        ("domain: 법률", "line 1: domain is '법률'; choose auto, general, finance, legal or medical"),
        ("modules:\n- module_type: pdf", "has its modules on top, as AutoRAG's two files"),
        ("\n\nchnk: 1", "line 3: chnk is no key of this file; did you mean chunk? Choose paths, domain, workers"),
        ("workers: 2\nworkers: 3", "line 2: workers is written twice, first on line 1"),
        ("workers: 0", "line 1: workers is 0; write a whole number from 1 up"),
        ("workers: true", "workers is True; write a whole number"),
        ("workers:", "workers is None; write a whole number"),
        ("paths: []", "paths is empty; write a list, each item after a -"),
        ("paths: [1]", "paths[0] is a number; write a word"),
        ("paths: {a: b}", "paths is a mapping; write a word"),
        ("parse:\n  tables: true", "line 2: parse.tables is no key of parse; choose modules"),
        ("parse: {}", "parse has no modules; write a list of modules, each with a module_type"),
        ("parse:\n  modules: pdf", "line 2: parse.modules is a word; write a list, each item after a -"),
        ("parse: {modules: [pdf]}", "parse.modules[0] is a word; write a mapping with module_type"),
        ("parse: {modules: [{ocr: auto}]}", "parse.modules[0] has no module_type; add one"),
        ("parse: {modules: [{module_type: langchain_parse}]}", "module_type is 'langchain_parse'; choose pdf or text"),
        (
            "parse:\n  modules:\n    - module_type: pdf\n      file_type: hwp",
            "line 4: parse.modules[0].file_type is 'hwp'; choose pdf, txt, md or all_files",
        ),
        (
            "parse:\n  modules:\n    - module_type: pdf\n      ocr: 예",
            "line 4: parse.modules[0].ocr is '예'; choose auto, never or always",
        ),
        ("parse: {modules: [{module_type: pdf, tables: 1}]}", "tables is 1; choose true or false"),
        ("parse: {modules: [{module_type: pdf, limits: {max_page: 3}}]}", "did you mean max_pages? Choose max_bytes"),
        ("parse: {modules: [{module_type: pdf, limits: {max_pages: 1.5}}]}", "max_pages is 1.5; write a whole number"),
        ("parse: {modules: [{module_type: pdf, limits: {max_seconds: .inf}}]}", "max_seconds is inf; write a number"),
        (
            "parse:\n  modules:\n    - module_type: pdf\n    - module_type: pdf",
            "line 4: parse.modules[1] is a second module for pdf files, after line 3; keep one of them",
        ),
        (
            "parse:\n  modules:\n    - parse_method: pdfminer\n      module_type: langchain_parse",
            "line 4: parse.modules[0].module_type is 'langchain_parse'; choose pdf or text",
        ),
        (
            "chunk: {modules: [{chunk_method: Token, chunk_size: 1024, module_type: llama_index_chunk}]}",
            "module_type is 'llama_index_chunk'; choose auto, general, finance, legal or medical, or package.mod",
        ),
        (
            "chunk: {modules: [{module_type: Token}]}",
            "is 'Token'; choose auto, general, finance, legal or medical, or package.module:NAME for your own",
        ),
        (
            "chunk: {modules: [{module_type: auto, chunk_size: 9}]}",
            "chunk.modules[0].chunk_size is no key of chunk.modules[0]; choose module_type, file_type",
        ),
        (
            "chunk:\n  modules:\n    - module_type: no_such_module_here:NAME",
            "line 3: chunk.modules[0].module_type chunk profile 'no_such_module_here:NAME': there is no module",
        ),
        ("chunk: {modules: [{module_type: 'decimal:Decimal'}]}", "Decimal is a class; give an instance"),
        ("chunk: {modules: [{module_type: auto, target: 9, longest: 8}]}", "target is 9, more than longest (8)"),
        ("chunk: {modules: [{module_type: auto, target: -1}]}", "target is -1; write a whole number from 1 up"),
        (
            "chunk:\n  modules:\n    - {module_type: auto, domain: legal}\n    - {module_type: legal, domain: legal}",
            "line 4: chunk.modules[1] is a second module for domain legal, after line 3",
        ),
        (
            "chunk: {modules: [{module_type: auto}, {module_type: general}]}",
            "a second module for all files that no other names, after",
        ),
        ("parse: [", "line 1: not YAML"),
        ("a: b: c", "line 1: not YAML"),
        ("a:\n\tb", "line 2: not YAML"),
        ("domain: !!python/object/apply:os.system ['true']", "not YAML"),
        ("domain: &a [*a]", "domain is"),
        ("[" * 5000, "not YAML"),
        ("workers: 2026-13-45", "not YAML that can be read"),
        ("a: 1\n---\nb: 2", "not YAML"),
    ],
)
def test_a_wrong_word_is_named_with_its_line_and_the_choices(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        recipe(tmp_path, text)
    assert str(caught.value).startswith("ingest.yaml")
    assert said in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_recipe(tmp_path / "없음.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_recipe(tmp_path)
    (tmp_path / "cp949.yaml").write_bytes("domain: 법률".encode("cp949"))
    with pytest.raises(ConfigError, match=r"not UTF-8 \(byte 9\)"):
        read_recipe(tmp_path / "cp949.yaml")
    (tmp_path / "큰.yaml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(ConfigError, match="longer than"):
        read_recipe(tmp_path / "큰.yaml")


def test_aliases_that_multiply_cost_nothing(tmp_path: Path) -> None:
    text = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))
    with pytest.raises(ConfigError, match="a0 is no key"):
        recipe(tmp_path, text)


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtraError, match=r'pip install "kure-rag\[autorag\]"'):
        recipe(tmp_path, WHOLE)


@pytest.mark.parametrize("name", ["x", "legal=legal,400,800", "legal=legal,a,b;*=auto,400,800", "*=auto,0,0", ""])
def test_a_name_that_says_nothing_is_no_profile(name: str) -> None:
    with pytest.raises(ValueError, match="by_domain"):
        find_profile(f"kure_rag.autorag.by_domain:{name}", "legal")
