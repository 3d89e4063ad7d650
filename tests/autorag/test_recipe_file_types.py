"""ingest.yaml: a parse and a chunk module for each file type, and what of that reaches a document."""

from pathlib import Path

import pytest

from kure_rag import Document
from kure_rag.autorag import Recipe, read_recipe
from kure_rag.chunk import ChunkSettings, chunk_document, chunker_fingerprint, find_profile
from kure_rag.errors import ConfigError
from kure_rag.read import FileType, ReadLimits, ReadSettings, read_text
from kure_rag.tokenize import NgramTokenizer
from kure_rag.types import Domain

SENTENCES = " ".join(f"{i}번째 사항은 담당 부서가 해마다 정하여 알린다." for i in range(60))


def recipe(folder: Path, text: str) -> Recipe:
    path = folder / "ingest.yaml"
    path.write_text(text, encoding="utf-8")
    return read_recipe(path)


def parse(folder: Path, *modules: str) -> Recipe:
    return recipe(folder, "parse:\n  modules:\n" + "".join(f"    - {{{module}}}\n" for module in modules))


def chunk(folder: Path, *modules: str) -> ChunkSettings:
    found = recipe(folder, "chunk:\n  modules:\n" + "".join(f"    - {{{module}}}\n" for module in modules)).chunks
    assert found is not None
    return found


def longest(settings: ChunkSettings, file_type: FileType, domain: Domain) -> int:
    metadata = {} if file_type == "pdf" else {"file_type": file_type}
    document = Document("d", f"글.{file_type}", "글", domain, SENTENCES, metadata=metadata)
    items = chunk_document(document, NgramTokenizer(2), settings)
    assert all(SENTENCES[item.chunk.start : item.chunk.end] == item.chunk.text for item in items)
    return max(len(item.chunk.text) for item in items)


# parse


@pytest.mark.parametrize(
    ("modules", "file_types"),
    [
        (["module_type: pdf"], ("pdf",)),
        (["module_type: pdf, file_type: pdf"], ("pdf",)),
        (["module_type: pdf, file_type: [pdf]"], ("pdf",)),
        (["module_type: text"], ("pdf", "txt", "md")),
        (["module_type: text, file_type: txt"], ("pdf", "txt")),
        (["module_type: text, file_type: md", "module_type: pdf"], ("pdf", "md")),
        (["module_type: text, file_type: [md, txt]"], ("pdf", "txt", "md")),
        (["module_type: text, file_type: all_files", "module_type: pdf"], ("pdf", "txt", "md")),
        (["module_type: pdf, file_type: all_files", "module_type: text"], ("pdf", "txt", "md")),
        (
            ["module_type: text, file_type: md", "module_type: pdf", "module_type: text, file_type: all_files"],
            ("pdf", "txt", "md"),
        ),
    ],
)
def test_folders_give_pdf_files_and_what_a_module_is_for(
    tmp_path: Path, modules: list[str], file_types: tuple[FileType, ...]
) -> None:
    found = parse(tmp_path, *modules)
    assert found.file_types == file_types
    assert (found.read, found.limits) == (ReadSettings(), ReadLimits())


def test_without_modules_folders_give_pdf_files(tmp_path: Path) -> None:
    assert recipe(tmp_path, "domain: legal").file_types == ("pdf",)
    assert Recipe().file_types == ("pdf",)


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        (
            ["module_type: pdf, file_type: txt"],
            "line 3: parse.modules[0].file_type has txt, but module pdf cannot read txt files; choose pdf here, and",
        ),
        (
            ["module_type: text, file_type: [md, pdf]"],
            "module text cannot read pdf files; choose txt or md here, and module pdf for pdf",
        ),
        (
            ["module_type: pdf, file_type: all_files"],
            "which here stands for pdf, txt and md, but module pdf cannot read txt or md files; choose pdf here",
        ),
        (
            ["module_type: pdf, file_type: all_files", "module_type: text, file_type: txt"],
            "parse.modules[0].file_type is all_files, which here stands for pdf and md, but module pdf cannot read",
        ),
        (
            ["module_type: text, file_type: all_files"],
            "which here stands for pdf, txt and md, but module text cannot read pdf files; choose txt or md here, and",
        ),
        (
            ["module_type: text", "module_type: pdf", "module_type: pdf, file_type: all_files"],
            "line 5: parse.modules[2].file_type is all_files, but each file type has a module of its own",
        ),
        (
            ["module_type: text, file_type: all_files", "module_type: pdf", "module_type: text, file_type: all_files"],
            "line 5: parse.modules[2] is a second module for all_files, after line 3; keep one of them",
        ),
        (
            ["module_type: text, file_type: [txt, md]", "module_type: text, file_type: md"],
            "line 4: parse.modules[1] is a second module for md files, after line 3; keep one of them",
        ),
        (["module_type: text, file_type: [txt, txt]"], "parse.modules[0].file_type names a file type twice"),
        (["module_type: text, file_type: []"], "parse.modules[0].file_type is empty; write a list"),
        (["module_type: text, file_type: [md, all_files]"], "file_type[1] is 'all_files'; choose pdf, txt or md"),
        (["module_type: text, file_type: csv"], "file_type is 'csv'; choose pdf, txt, md or all_files"),
        (["module_type: text, file_type: {a: b}"], "choose pdf, txt, md or all_files"),
        (["module_type: text, ocr: auto"], "parse.modules[0].ocr is no key of parse.modules[0]; choose module_type, "),
        (
            ["module_type: text, limits: {max_pages: 3}"],
            "max_pages is no key of parse.modules[0].limits; did you mean max_chars? Choose max_bytes or max_chars",
        ),
        (["module_type: pdf, limits: {by_type: {}}"], "limits.by_type is no key of parse.modules[0].limits"),
        (["file_type: txt"], "parse.modules[0] has no module_type; add one"),
        (["module_type: [text]"], "module_type is ['text']; choose pdf or text"),
    ],
)
def test_a_parse_module_that_makes_no_sense(tmp_path: Path, modules: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(tmp_path, *modules)
    assert said in str(caught.value)


def test_each_type_has_the_limits_of_its_module(tmp_path: Path) -> None:
    limits = parse(
        tmp_path,
        "module_type: pdf, limits: {max_bytes: 100, max_pages: 3, max_seconds: 9}",
        "module_type: text, file_type: md, limits: {max_bytes: 200, max_chars: 50}",
    ).limits
    default = ReadLimits()
    assert limits.of("pdf") == ReadLimits(max_bytes=100, max_pages=3, max_seconds=9)
    assert (limits.of("md").max_bytes, limits.of("md").max_chars) == (200, 50)
    assert (limits.of("txt").max_bytes, limits.of("txt").max_chars) == (default.max_bytes, default.max_chars)


# chunk

PARTS = {
    "rest": "module_type: general, target: 60, longest: 60",
    "domain": "module_type: general, domain: legal, target: 110, longest: 110",
    "type": "module_type: general, file_type: md, target: 190, longest: 190",
    "both": "module_type: general, file_type: md, domain: legal, target: 330, longest: 330",
}


@pytest.mark.parametrize("backwards", [False, True])
def test_the_module_that_says_most_about_a_document_cuts_it(tmp_path: Path, backwards: bool) -> None:
    order = list(PARTS)[::-1] if backwards else list(PARTS)
    settings = chunk(tmp_path, *(PARTS[name] for name in order))

    def size(file_type: FileType, domain: Domain) -> str:
        found = longest(settings, file_type, domain)
        return next(name for name, most in zip(PARTS, (60, 110, 190, 330), strict=True) if found <= most)

    assert size("md", "legal") == "both"
    assert size("md", "general") == size("md", "finance") == "type"
    assert size("pdf", "legal") == size("txt", "legal") == "domain"
    assert size("pdf", "general") == size("txt", "medical") == "rest"


def test_a_file_type_goes_before_a_domain(tmp_path: Path) -> None:
    settings = chunk(tmp_path, PARTS["domain"], PARTS["type"])
    assert 110 < longest(settings, "md", "legal") <= 190
    assert longest(settings, "pdf", "legal") <= 110
    assert longest(settings, "pdf", "general") > 190  # what is not named is cut as without a file


def test_a_module_may_be_for_several_types_and_for_all(tmp_path: Path) -> None:
    several = chunk(tmp_path, "module_type: general, file_type: [txt, md], target: 60, longest: 60")
    one_each = chunk(
        tmp_path, *(f"module_type: general, file_type: {kind}, target: 60, longest: 60" for kind in ("txt", "md"))
    )
    assert several == one_each
    assert longest(several, "txt", "general") == longest(several, "md", "general") <= 60
    assert longest(several, "pdf", "general") > 190
    assert chunk(tmp_path, "module_type: general, file_type: all_files") == ChunkSettings(profile="general")
    assert chunk(tmp_path, "module_type: legal, file_type: all_files, domain: legal") == (
        chunk(tmp_path, "module_type: legal, domain: legal")
    )


def test_a_text_file_that_was_read_says_its_type(tmp_path: Path) -> None:
    settings = chunk(tmp_path, PARTS["type"], PARTS["rest"])
    for name, most in (("글.md", 190), ("글.txt", 60)):
        document = read_text(SENTENCES.encode("cp949"), name)
        found = max(len(item.chunk.text) for item in chunk_document(document, NgramTokenizer(2), settings))
        assert most / 2 < found <= most


def test_an_index_opened_again_gets_the_same_profile(tmp_path: Path) -> None:
    settings = chunk(tmp_path, *PARTS.values())
    profile = find_profile(settings.profile, "general")
    assert settings.profile == f"kure_rag.autorag.by_domain:{profile.name}"
    assert "md/legal=general,330,330" in profile.name
    assert (settings.target, settings.longest) == (60, 330)
    assert len({chunker_fingerprint(chunk(tmp_path, PARTS[name])) for name in PARTS}) == len(PARTS)


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        (
            ["module_type: auto, file_type: md", "module_type: legal, file_type: [txt, md]"],
            "line 4: chunk.modules[1] is a second module for md files, after line 3; give it another file_type or",
        ),
        (
            ["module_type: auto, file_type: md, domain: legal", "module_type: auto, domain: legal, file_type: md"],
            "line 4: chunk.modules[1] is a second module for md files of domain legal, after line 3",
        ),
        (
            ["module_type: auto, file_type: all_files", "module_type: general"],
            "line 4: chunk.modules[1] is a second module for all files that no other names, after line 3",
        ),
        (["module_type: auto, file_type: docx"], "file_type is 'docx'; choose pdf, txt, md or all_files"),
        (["file_type: md"], "chunk.modules[0] has no module_type; add one"),
    ],
)
def test_a_chunk_module_that_makes_no_sense(tmp_path: Path, modules: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        chunk(tmp_path, *modules)
    assert said in str(caught.value)
