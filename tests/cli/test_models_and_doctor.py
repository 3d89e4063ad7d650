import dataclasses
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
from rich.cells import cell_len
from rich.console import Console

from kure_rag.cli import doctor, embedding, main, model_table
from kure_rag.embed import CARDS, ModelCard
from kure_rag.embed.model_card import PlainPooling
from kure_rag.embed.settings import BackendName, PoolingName, Precision

Said = tuple[int, str, str]
HEADINGS = {"dense": "dense", "sparse": "sparse", "late interaction": "late-interaction", "rerankers": "reranker"}


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Any:
    def called(*arguments: str) -> Said:
        status = main(arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return called


@pytest.fixture(scope="module")
def prompted(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A copy of the tiny model that stores prompts, under a name that no card has."""
    folder = tmp_path_factory.mktemp("models") / "우리-모델"
    shutil.copytree(tiny_model, folder)
    config = folder / "config_sentence_transformers.json"
    stored = json.loads(config.read_text(encoding="utf-8"))
    stored["prompts"] = {"query": "질문: ", "document": "문서: "}
    config.write_text(json.dumps(stored), encoding="utf-8")
    return folder


# models


def test_the_table_has_every_card_under_its_kind(call: Any) -> None:
    status, out, _ = call("models")
    assert status == 0
    lines = out.splitlines()
    headings = [lines.index(line) for line in lines if line.partition(":")[0] in HEADINGS]
    assert [lines[i].partition(":")[0] for i in headings] == list(HEADINGS)
    for heading, end in zip(headings, [*headings[1:], lines.index("", headings[-1])], strict=True):
        kind = HEADINGS[lines[heading].partition(":")[0]]
        shown = {line.split()[0].rstrip("*") for line in lines[heading + 1 : end] if "/" in line.partition(" ")[0]}
        assert shown == {card.name for card in CARDS.values() if card.kind == kind}


def _drawn(width: int) -> tuple[list[str], str]:
    """The table's lines as a terminal of that width shows them, and what is said below."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, no_color=True, highlight=False)
    with console.capture() as shown:
        console.print(model_table.model_table(width))
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.get()).splitlines(), model_table.legend(width)


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_the_table_names_every_model_whole_and_fits(width: int) -> None:
    lines, legend = _drawn(width)
    assert max(map(cell_len, [*lines, *legend.splitlines()])) <= min(width, 120)
    assert all(any(line.startswith((f"{name} ", f"{name}*")) for line in lines) for name in CARDS)
    assert sum(line.count("…") for line in lines) == 1, "the instruction, which is a sentence"


def test_from_120_columns_on_the_table_has_all(call: Any) -> None:
    lines, legend = _drawn(120)
    assert call("models")[1] == "\n".join([*lines, "", *model_table.legend(200).splitlines(), ""]), "as in a pipe"
    row = {line.split()[0]: line.split() for line in lines if "/" in line}
    assert row["nomic-ai/nomic-embed-text-v2-moe*"][1:] == [
        *("768", "512", "'search_query:", "'", "'search_document:", "'", "mean", "Apache-2.0", "a", ".6410")
    ]
    assert row["dragonkue/snowflake-arctic-embed-l-v2.0-ko"][-2:] == ["b", ".7653"]
    at = next(i for i, line in enumerate(lines) if line.startswith("nlpai-lab/KURE-v1"))
    assert lines[at].split() == ["nlpai-lab/KURE-v1", "1024", "8192", "cls", "MIT", "a", ".6947"]
    assert lines[at + 1].strip() == "kure, at d14c8a942394"
    told = " ".join(legend.split())
    assert "b: nDCG@10, MTEB(kor, v2) retrieval, mean of 9 tasks" in told
    assert "NAME` shows all that is known of one, whether vectors are scaled and their default weight" in told
    assert model_table.benchmark_marks().keys() == {c.published[0][:2] for c in CARDS.values() if c.published}


def test_at_80_columns_both_prefixes_stand_in_one_column() -> None:
    lines, legend = _drawn(80)
    at = next(i for i, line in enumerate(lines) if line.startswith("nlpai-lab/KoE5"))
    assert lines[at].split() == ["nlpai-lab/KoE5", "1024", "512", "query:", "mean"]
    assert lines[at + 1].split() == ["at", "bc6d284c60fe", "passage:"]
    arctic = next(i for i, line in enumerate(lines) if line.startswith("Snowflake/"))
    assert lines[arctic + 1].split() == ["arctic-l-v2.0", "-"], "passages have none"
    assert "Licences and scores need 120 columns." in legend


def test_the_part_after_the_slash_is_an_alias_as_the_table_says() -> None:
    assert all(card.name.rpartition("/")[2] in card.aliases for card in CARDS.values())


def test_prefixes_of_hangul_keep_the_columns_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ModelCard(
        name="우리/모델", query_prefix="질문: ", passage_prefix="문서에서 찾을 글: ", dimension=7, max_tokens=9
    )
    monkeypatch.setitem(CARDS, own.name, own)
    for width, prefix in ((120, "'질문: '"), (80, "질문:")):
        lines, _ = _drawn(width)
        [line] = [line for line in lines if line.startswith("우리/모델")]
        assert cell_len(line) == cell_len(lines[0])
        assert cell_len(line[: line.index(prefix)]) == 55, "where the column begins"


def test_all_cards_as_json(call: Any) -> None:
    told = json.loads(call("models", "--json")[1])
    assert [card["name"] for card in told["models"]] == list(CARDS)
    first = told["models"][0]
    assert first["reference"]["similarities"] == [[0, 1, 0.6967], [0, 2, 0.5306], [1, 2, 0.4427]]
    fields = {field.name for field in dataclasses.fields(ModelCard)}
    assert all(card.keys() == fields | {"used_by"} for card in told["models"])
    assert ["MTEB(kor, v2) retrieval, mean of 9 tasks", "nDCG@10", 0.7616] in first["published"]


@pytest.mark.parametrize("name", CARDS)
def test_one_card(call: Any, name: str) -> None:
    card = CARDS[name]
    assert json.loads(call("models", name, "--json")[1])["name"] == name
    status, out, _ = call("models", card.aliases[0])
    assert status == 0
    facts, _, snippet = out.partition("\n\n")
    assert json.loads(call("models", name, "--json")[1])["snippet"] == snippet.partition("\n# ")[0].strip()
    told = dict(line.split(":", 1) for line in facts.splitlines() if not line.startswith("published"))
    assert told["name"].strip() == name
    assert told["kind"].strip() == card.kind
    assert ("licence" in told["not known"] if card.licence is None else card.licence in told["licence"]) is True
    assert (
        ("revision" in told["not known"]) == (card.revision is None and name != "kure-rag/static-ko")
        if ("not known" in told)
        else card.revision is not None
    )
    assert f'"{name}"' in snippet
    assert ("trust_remote_code=True" in snippet) == card.needs_remote_code
    exec(snippet, {})  # nothing is loaded before the first text


@pytest.mark.parametrize(
    ("name", "used_by"),
    [
        ("KoE5", "from kure_rag import KureEmbeddings\nembeddings = KureEmbeddings("),
        ("KURE-Sparse-nano", "from kure_rag.embed import SparseEmbedder\nembedder = SparseEmbedder("),
        ("KURE-v2", "from kure_rag.embed import LateInteractionEmbedder\nembedder = LateInteractionEmbedder("),
        ("bge-reranker-v2-m3-ko", "from kure_rag.embed import KureReranker\nreranker = KureReranker("),
    ],
)
def test_each_kind_is_shown_with_the_class_that_uses_it(call: Any, name: str, used_by: str) -> None:
    assert used_by in call("models", name)[1]


def test_what_a_card_says(call: Any) -> None:
    out = call("models", "KoE5")[1]
    assert "query_prefix:   'query: '\npassage_prefix: 'passage: '\n" in out
    assert "reference:      similarities 0.6721, 0.3897, 0.3740 of published sentences (README of github.com/nlp" in out
    assert "pooling:        mean (as its own modules do)\n" in out
    assert out.endswith("# to check it on this machine: kure-rag doctor --model nlpai-lab/KoE5\n")
    assert "query_prefix:   none\n" in call("models", "KURE-v1")[1]
    assert "can be cut to:  512, 256, 128, 64, 32 (dimension=...)" in call("models", "ko-sroberta-sts-mrl")[1]
    sparse = call("models", "KURE-Sparse-base")[1]
    assert "query_prefix:   what the model stores" in sparse
    assert "not known:      revision (the newest is loaded), dimension, max_tokens\n" in sparse


def test_a_copy_of_a_known_model_is_shown_with_its_folder(call: Any, tiny_model: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "KoE5")
    out = call("models", str(tmp_path / "KoE5"))[1]
    assert "name:           nlpai-lab/KoE5\n" in out
    assert f'KureEmbeddings("{tmp_path / "KoE5"}")' in out


def test_a_folder_without_card_is_shown_as_its_files_say(call: Any, prompted: Path) -> None:
    status, out, _ = call("models", str(prompted))
    assert status == 0
    assert "has no card here: it is used as its files say." in out
    assert "query_prefix:   '질문: '\npassage_prefix: '문서: '\n" in out
    assert "dimension:      32\n" in out
    assert "assumed" not in out
    assert f'KureEmbeddings("{prompted}")' in out
    told = json.loads(call("models", str(prompted), "--json")[1])
    assert told == {
        "name": "우리-모델",
        "card": None,
        "kind": "dense",
        "architecture": None,
        "made_from": None,
        "modules": ["StaticEmbedding"],
        "pooling": "by its own modules",
        "query_prefix": "질문: ",
        "passage_prefix": "문서: ",
        "dimension": 32,
        "max_tokens": None,
        "assumed": [],
        "used_by": "KureEmbeddings",
        "snippet": f'from kure_rag import KureEmbeddings\nembeddings = KureEmbeddings("{prompted}")',
    }


def _written(folder: Path, files: dict[str, object]) -> Path:
    for name, value in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
    return folder


MODULES = [
    {"path": "", "type": "sentence_transformers.models.Transformer"},
    {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"path": "2_Dense", "type": "sentence_transformers.models.Dense"},
]
OLD_POOLING = {
    "word_embedding_dimension": 768,
    "pooling_mode_cls_token": True,
    "pooling_mode_mean_tokens": False,
    "pooling_mode_max_tokens": False,
}


def test_pooling_limit_and_dimension_are_read_without_weights(call: Any, tmp_path: Path) -> None:
    files = {
        "modules.json": MODULES,
        "config.json": {"model_type": "bert", "hidden_size": 768, "max_position_embeddings": 512},
        "sentence_bert_config.json": {"max_seq_length": 128},
        "1_Pooling/config.json": OLD_POOLING,
        "2_Dense/config.json": {"in_features": 768, "out_features": 256},
    }
    folder = _written(tmp_path / "우리", files)
    (folder / "model.safetensors").touch()
    told = json.loads(call("models", str(folder), "--json")[1])
    assert (told["architecture"], told["pooling"], told["dimension"], told["max_tokens"]) == ("bert", "cls", 256, 128)
    assert told["modules"] == ["Transformer", "Pooling", "Dense"]
    assert told["assumed"] == ["no prompts are stored, so nothing is put before queries and passages"]
    _written(folder, {"1_Pooling/config.json": {"embedding_dimension": 768, "pooling_mode": "lasttoken"}})
    assert json.loads(call("models", str(folder), "--json")[1])["pooling"] == "lasttoken"


def test_what_a_plain_checkpoint_leaves_open_is_said(call: Any, tmp_path: Path) -> None:
    config = {"model_type": "roberta", "hidden_size": 768}
    limits = {"model_max_length": 1000000000000000019884624838656}
    folder = _written(tmp_path / "우리", {"config.json": config, "tokenizer_config.json": limits})
    _, out, _ = call("models", str(folder))
    assert "pooling:        mean\n" in out
    assert "assumed:        a plain checkpoint says nothing of pooling, so the mean of its tokens is taken\n" in out
    assert "assumed:        no limit is stored, so texts are never cut\n" in out
    assert "assumed:        there are no safetensors, so it cannot be loaded: pickled weights are refused\n" in out


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no model is here"),
        ({"config.json": [1]}, "config.json: the model's settings are broken"),
        ({"modules.json": [{"a": 1}]}, "modules.json: lists no modules"),
        ({"modules.json": [{"path": "", "type": "x.StaticEmbedding"}]}, "model.safetensors: the weights are broken"),
    ],
)
def test_a_folder_that_is_no_model_is_named(call: Any, tmp_path: Path, files: dict[str, object], message: str) -> None:
    status, _, err = call("models", str(_written(tmp_path, files)))
    assert status == 1
    assert message in err
    assert str(tmp_path) in err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("KoE55", "Did you mean nlpai-lab/KoE5"),
        ("", "No model named ''"),
        (
            "someone/unknown-model",
            "no card for 'someone/unknown-model'. If it is on the model hub it works all the same",
        ),
    ],
)
def test_an_unknown_name_is_an_error(call: Any, name: str, message: str) -> None:
    status, _, err = call("models", name)
    assert status == 1
    assert message in err


def test_a_plain_copy_is_shown_with_the_pooling_it_gets(call: Any, tmp_path: Path) -> None:
    config = {"model_type": "xlm-roberta", "hidden_size": 1024, "max_position_embeddings": 8194}
    folder = _written(tmp_path / "KURE-v1", {"config.json": config})
    assert "pooling:        cls\n" in call("models", str(folder))[1]
    folder = _written(tmp_path / "copy", {"config.json": {**config, "_name_or_path": "nlpai-lab/KoE5"}})
    out = call("models", str(folder))[1]
    assert "made from:      nlpai-lab/KoE5\n" in out
    assert "query_prefix:   'query: '\npassage_prefix: 'passage: '\npooling:        mean\n" in out
    assert "assumed:        it was made from nlpai-lab/KoE5, as config.json says, and is used as that model's" in out


# doctor


def test_doctor_passes_a_sound_model(call: Any, tiny_model: Path) -> None:
    status, out, _ = call("doctor", "--model", str(tiny_model))
    assert status == 0
    assert "FAIL" not in out
    assert "no published reference" in out
    assert "pooling" in out  # of a model without a card, as `kure-rag models` promises
    assert "assumed" in out
    assert out.endswith("0 failed, 5 with nothing to compare\n")


def test_doctor_fails_a_model_that_is_not_what_its_name_says(call: Any, tiny_model: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "KoE5")
    status, out, _ = call("doctor", "--model", str(tmp_path / "KoE5"))
    assert status == 1
    failed = [line for line in out.splitlines() if line.startswith("FAIL")]
    assert len(failed) == 4  # the dimension, and three similarities
    assert any("0.6721 ± 0.005" in line for line in failed)
    assert "Check that the weights are whole and are this model's" in out
    assert f"checked: {tmp_path / 'KoE5'}, on torch, auto\n" in out
    told = json.loads(call("doctor", "--model", str(tmp_path / "KoE5"), "--json")[1])
    assert (told["model"], told["passed"]) == ("nlpai-lab/KoE5", False)
    assert sum(check["passed"] is False for check in told["checks"]) == 4
    assert {"name": "dimension", "expected": "1024", "got": "32", "passed": False} in told["checks"]


def test_doctor_takes_a_card_and_prefixes(call: Any, tiny_model: Path) -> None:
    status, out, _ = call("doctor", "--model", str(tiny_model), "--query-prefix", "질문: ", "--json")
    checks = {check["name"]: check for check in json.loads(out)["checks"]}
    assert status == 0
    assert checks["query prefix"]["expected"].startswith("'질문: '")
    status, out, _ = call("doctor", "--model", str(tiny_model), "--card", "KoE5", "--json")
    told = json.loads(out)
    assert (status, told["model"], told["engine"]) == (
        1,
        "nlpai-lab/KoE5",
        {"backend": "torch", "precision": "auto"},
    )


def test_doctor_checks_what_a_model_stores(call: Any, prompted: Path) -> None:
    status, out, _ = call("doctor", "--model", str(prompted))
    assert status == 0
    assert "'질문: ': the prefixed text's vector, not the bare one's" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "KoE55"], "Did you mean nlpai-lab/KoE5"),
        (["--model", "KoE5", "--backend", "remote"], "endpoint"),
        (["--model", "static-ko", "--precision", "int8"], "--precision int8 needs --backend openvino"),
    ],
)
def test_doctor_says_what_cannot_be_checked(call: Any, arguments: list[str], message: str) -> None:
    status, out, err = call("doctor", "--json", *arguments)
    assert status == 1
    assert message in err
    assert message in json.loads(out)["error"]["message"]


def test_doctor_shows_the_machine(call: Any) -> None:
    status, out, _ = call("doctor")
    assert status == 0
    for word in ("torch ", "sentence-transformers ", "devices ", "cpu (", "bf16 on the CPU", "Korean OCR"):
        assert word in out
    told = json.loads(call("doctor", "--json")[1])
    assert told["versions"]["torch"]
    assert told["devices"][0].startswith("cpu (")
    assert set(told) == {"versions", "devices", "bf16_instructions", "extras", "ocr_missing"}


def test_doctor_names_what_an_extra_lacks() -> None:
    requirements = [
        "numpy>=1.26",
        "kure-rag[llama-index]; extra == 'all'",
        'no-such-package>=2; extra == "remote"',
        'numpy; extra == "remote"',
        "numpy<9,>=1 ; python_version >= '3.11' and extra == 'late-interaction'",
        "no-such-package; extra == 'dev'",
    ]
    assert doctor.missing_packages(requirements) == {"remote": ["no-such-package"], "late-interaction": []}


def test_the_choices_of_options_are_those_of_the_settings() -> None:
    assert get_args(BackendName) == embedding.BACKENDS
    assert get_args(Precision) == embedding.PRECISIONS
    assert get_args(PoolingName) == get_args(PlainPooling) == embedding.POOLINGS
