import io
import os
import zipfile
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from kure_rag.train import StaticSettings

FOLDER = Path(str(files("kure_rag"))) / "embed" / "static_ko"
DATA = Path(os.environ.get("KURE_RAG_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
KORSTS = "sts/kornlu/KorSTS/sts-test.tsv"
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def model():
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(FOLDER), device="cpu", local_files_only=True)


def test_it_takes_sixteen_megabytes_of_the_wheel():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path in sorted(FOLDER.rglob("*")):
            wheel.write(path, path.relative_to(FOLDER))
    assert packed.tell() <= 16 * MEBIBYTE


def test_it_takes_87_megabytes_of_memory(model):
    rows = model[0].embedding.weight
    assert rows.nelement() * rows.element_size() <= 87_000_000


def test_it_loads_without_code_of_ours(model):
    assert [type(module).__name__ for module in model] == ["StaticEmbedding", "Normalize"]
    assert model.get_embedding_dimension() == 368
    embeddings = model.encode(["퇴직금은 언제 지급하나요?", "예금자 보호 한도", "MRI 급여 기준", "?"])
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_every_vector_points_somewhere(model):
    rows = model[0].embedding.weight.detach().numpy()
    assert np.isfinite(rows).all()
    assert np.linalg.norm(rows, axis=1).min() > 0


def test_batches_do_not_matter(model):
    texts = ["의료급여 수급권자의 본인부담금", "주택임대차 계약의 갱신을 거절할 수 있는 경우", "금리"]
    together = model.encode(texts)
    alone = np.vstack([model.encode([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_unknown_names_are_told_apart(model):
    names = model.encode(["갈뭇쳥", "벌슥쾍", "쀍뚫챯", "Zyqxv", "Wvkjq"])
    assert (names @ names.T - 2 * np.eye(len(names))).max() < 0.8


def test_the_card_names_data_and_licence():
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for named in ("CC BY-SA 4.0", "KorSTS", "XNLI", "NTREX", "Kiwi", "nDCG@10", "kure-rag train static"):
        assert named in card


def test_the_card_tells_the_size_that_the_files_have(model):
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    pieces, dimension = model[0].embedding.weight.shape
    assert f"one vector for each of {pieces:,} pieces" in card
    assert f"{dimension} dimensions" in card


def test_it_is_what_the_default_settings_make(model):
    assert StaticSettings().dim == model.get_embedding_dimension()
    with safe_open(FOLDER / "model.safetensors", framework="np") as file:
        assert int(np.abs(file.get_tensor("embeddings")).max()) == StaticSettings().levels


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "sets" / "korquad_dev").is_dir(), reason="the evaluation data are not here")
def test_it_finds_the_paragraphs_that_its_card_says(model):
    from kure_rag.train.static_score import dense_scores

    scores = dense_scores(model, DATA / "sets" / "korquad_dev")["all"]
    assert f"| 5,774 | {scores.ndcg_at_10:.3f} | {scores.mrr_at_10:.3f} |" in (FOLDER / "README.md").read_text("utf-8")
    assert scores.ndcg_at_10 > 0.775, "the first model had .758"


@pytest.mark.data
@pytest.mark.skipif(not (DATA / KORSTS).is_file(), reason="the evaluation data are not here")
def test_its_cosines_follow_human_judgement_as_its_card_says(model):
    from kure_rag.train.static_score import korsts_scores

    pearson, spearman = korsts_scores(model, DATA / KORSTS)
    assert f"| KorSTS test | {pearson:.2f} | {spearman:.2f} |" in (FOLDER / "README.md").read_text("utf-8")
    assert spearman > 67.5, "the first model had 66.34"
