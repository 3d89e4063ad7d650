"""For every architecture and pooling, vectors equal a reference written by hand over transformers alone."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_models
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaModel,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
    XLMRobertaConfig,
    XLMRobertaModel,
    set_seed,
)

from kure_rag.embed import Embedder, EmbedSettings
from kure_rag.embed.cards import ModelCard
from kure_rag.errors import EmbeddingError

SIZE = 32
PREFIXES = {"query_prefix": "질문: ", "passage_prefix": "문서: "}
TEXTS = [
    "연차휴가는 며칠인가요?",
    "휴가",
    "1년간 80퍼센트 이상 출근한 근로자에게 15일의 유급휴가를 준다.",
    "보험금은 청구한 날부터 3일 안에 지급하며, 조사가 필요하면 그 까닭을 알린다. 지급이 늦으면 이자를 더한다.",
    "예금자보호 한도",
]
PAD, UNK, FIRST, LAST = 0, 1, 2, 3


def tokenizer(template: str = "[CLS] $A [SEP]", **sides: str) -> PreTrainedTokenizerFast:
    """Every character is a token: texts of quite different lengths."""
    characters = sorted(set("".join([*TEXTS, *PREFIXES.values()])) - {" "})
    vocabulary = {token: i for i, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *characters])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split("", behavior="isolated")]
    )
    used = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]") if token in template]
    made.post_processor = processors.TemplateProcessing(template, None, used)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", **sides
    )


COMMON: dict[str, Any] = {
    "hidden_size": SIZE,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 130,
    "initializer_range": 0.4,  # with the usual .02, two random layers tell no texts apart
    "pad_token_id": PAD,
}


def bert(words: int) -> Any:
    return BertModel(BertConfig(vocab_size=words, **COMMON), add_pooling_layer=True)


def roberta(words: int) -> Any:
    return RobertaModel(RobertaConfig(vocab_size=words, type_vocab_size=1, **COMMON))


def xlm_roberta(words: int) -> Any:
    return XLMRobertaModel(XLMRobertaConfig(vocab_size=words, type_vocab_size=1, **COMMON), add_pooling_layer=False)


def t5(words: int) -> Any:
    return T5EncoderModel(_t5_config(words))


def t5_whole(words: int) -> Any:
    return T5ForConditionalGeneration(_t5_config(words))


def _t5_config(words: int) -> T5Config:
    return T5Config(
        vocab_size=words, d_model=SIZE, d_kv=8, d_ff=64, num_layers=2, num_heads=4, pad_token_id=PAD, dropout_rate=0.0
    )


def llama(words: int) -> Any:
    return LlamaModel(LlamaConfig(vocab_size=words, num_key_value_heads=2, **COMMON))


def llama_whole(words: int) -> Any:
    return LlamaForCausalLM(LlamaConfig(vocab_size=words, num_key_value_heads=2, **COMMON))


def llama_both_ways(words: int) -> Any:
    """A decoder whose tokens see those after them, too, as of KURE-v3."""
    return LlamaModel(LlamaConfig(vocab_size=words, num_key_value_heads=2, is_causal=False, **COMMON))


def llama_both_ways_whole(words: int) -> Any:
    return LlamaForCausalLM(LlamaConfig(vocab_size=words, num_key_value_heads=2, is_causal=False, **COMMON))


def modern_bert(words: int) -> Any:
    """Rotary positions; two of three layers see eight tokens around each, fewer than the texts have."""
    special = {"bos_token_id": FIRST, "cls_token_id": FIRST, "eos_token_id": LAST, "sep_token_id": LAST}
    config = {**COMMON, **special, "num_hidden_layers": 3, "local_attention": 8, "global_attn_every_n_layers": 3}
    return ModernBertModel(ModernBertConfig(vocab_size=words, **config))


ENCODERS = [bert, roberta, xlm_roberta, t5, t5_whole, modern_bert]
DECODERS = [llama, llama_whole]
BOTH_WAYS = [llama_both_ways, llama_both_ways_whole]


def checkpoint(folder: Path, make: Callable[[int], Any], words: PreTrainedTokenizerFast | None = None) -> Path:
    words = words or tokenizer("$A [SEP]" if make in {t5, t5_whole, *DECODERS, *BOTH_WAYS} else "[CLS] $A [SEP]")
    set_seed(20261121)
    make(len(words)).eval().save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


# The reference: one text at a time, without padding


@functools.cache
def _parts(folder: Path, encoder: Any) -> tuple[Any, Any]:
    model = (encoder or AutoModel).from_pretrained(folder, dtype=torch.float32).eval()
    return AutoTokenizer.from_pretrained(folder), model


def states(folder: Path, text: str, encoder: Any = None) -> np.ndarray:
    words, model = _parts(folder, encoder)
    with torch.no_grad():
        ids = torch.tensor([words(text)["input_ids"]])
        return np.asarray(model(input_ids=ids).last_hidden_state[0].numpy(), dtype=np.float64)


POOL: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "cls": lambda rows: rows[0],
    "mean": lambda rows: rows.mean(axis=0),
    "max": lambda rows: rows.max(axis=0),
    "lasttoken": lambda rows: rows[-1],
    "weightedmean": lambda rows: np.average(rows, axis=0, weights=np.arange(1, len(rows) + 1)),
    "mean_sqrt_len_tokens": lambda rows: rows.sum(axis=0) / np.sqrt(len(rows)),
}


def unit(rows: list[np.ndarray]) -> np.ndarray:
    return np.stack([row / np.linalg.norm(row) for row in rows])


def assert_equal(folder: Path, pool: Callable[[np.ndarray], np.ndarray], encoder: Any = None, **given: Any) -> None:
    embedder = Embedder(str(folder), EmbedSettings(precision="fp32", device="cpu", **PREFIXES, **given))
    for embed, prefix in (
        (embedder.embed_queries, PREFIXES["query_prefix"]),
        (embedder.embed_passages, PREFIXES["passage_prefix"]),
    ):
        expected = unit([pool(states(folder, prefix + text, encoder)) for text in TEXTS])
        np.testing.assert_allclose(embed(TEXTS), expected, atol=1e-5)
        # The check is worth something: texts and poolings differ by far more than it allows.
        assert np.abs(expected - expected[::-1]).max() > 1e-2
    assert not np.allclose(embedder.embed_queries(TEXTS), embedder.embed_passages(TEXTS), atol=1e-3)


# Plain checkpoints, pooled as settings or cards say


@pytest.mark.parametrize(
    ("make", "pooling"),
    [
        *((bert, pooling) for pooling in POOL),
        *((make, pooling) for make in ENCODERS[1:] for pooling in ("cls", "mean")),
    ],
)
def test_encoders(tmp_path: Path, make: Callable[[int], Any], pooling: Any) -> None:
    folder = checkpoint(tmp_path / "model", make)
    assert_equal(folder, POOL[pooling], T5EncoderModel if "t5" in make.__name__ else None, pooling=pooling)


@pytest.mark.parametrize("sides", [{}, {"padding_side": "left"}])
@pytest.mark.parametrize("pooling", ["lasttoken", "mean", "weightedmean"])
@pytest.mark.parametrize("make", DECODERS)
def test_decoders(tmp_path: Path, make: Callable[[int], Any], pooling: Any, sides: dict[str, str]) -> None:
    folder = checkpoint(tmp_path / "model", make, tokenizer("$A [SEP]", **sides))
    assert_equal(folder, POOL[pooling], pooling=pooling)


def states_both_ways(folder: Path, text: str) -> np.ndarray:
    """With a mask of its own that hides nothing, whatever the library makes of `is_causal` in the configuration."""
    words = AutoTokenizer.from_pretrained(folder)
    model = LlamaModel.from_pretrained(folder, is_causal=True, attn_implementation="eager", dtype=torch.float32).eval()
    ids = torch.tensor([words(text)["input_ids"]])
    with torch.no_grad():
        rows = model(input_ids=ids, attention_mask=torch.zeros(1, 1, ids.shape[1], ids.shape[1])).last_hidden_state
    return np.asarray(rows[0].numpy(), dtype=np.float64)


@pytest.mark.parametrize("sides", [{}, {"padding_side": "left"}])
@pytest.mark.parametrize("pooling", ["mean", "lasttoken"])
@pytest.mark.parametrize("make", BOTH_WAYS)
def test_decoders_whose_tokens_see_those_after_them(
    tmp_path: Path, make: Callable[[int], Any], pooling: Any, sides: dict[str, str]
) -> None:
    folder = checkpoint(tmp_path / "model", make, tokenizer("$A [SEP]", **sides))
    settings = EmbedSettings(precision="fp32", device="cpu", pooling=pooling, **PREFIXES)
    texts = [PREFIXES["query_prefix"] + text for text in TEXTS]
    expected = unit([POOL[pooling](states_both_ways(folder, text)) for text in texts])
    np.testing.assert_allclose(Embedder(str(folder), settings).embed_queries(TEXTS), expected, atol=1e-5)
    one_way = checkpoint(tmp_path / "one way", llama, tokenizer("$A [SEP]", **sides))
    causal = unit([POOL[pooling](states(one_way, text)) for text in texts])
    assert np.abs(expected - causal).max() > 1e-2, "the direction changes vectors, so it is tested"


def test_kure_v3_has_its_stored_pooling_and_its_prefixes(tmp_path: Path) -> None:
    folder = stored(tmp_path / "KURE-v3", llama_both_ways, Pooling(SIZE, pooling_mode="mean"), Normalize())
    embedder = Embedder(str(folder), EmbedSettings(precision="fp32", device="cpu"))
    assert embedder.name == "nlpai-lab/KURE-v3"
    for embed, prefix in ((embedder.embed_queries, "query: "), (embedder.embed_passages, "passage: ")):
        expected = unit([states_both_ways(folder, prefix + text).mean(axis=0) for text in TEXTS])
        np.testing.assert_allclose(embed(TEXTS), expected, atol=1e-5)


def test_a_card_s_first_token_is_of_the_last_layer_and_not_of_the_pooler(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "KoSimCSE-roberta", roberta)
    assert (folder / "model.safetensors").is_file()
    assert any("pooler" in name for name in load_file(folder / "model.safetensors"))
    assert_equal(folder, POOL["cls"])


@pytest.mark.parametrize(
    ("make", "pooling"),
    [(bert, "mean"), (t5, "mean"), (llama, "mean"), (llama_whole, "lasttoken"), (llama_both_ways_whole, "mean")],
)
def test_what_is_assumed_of_a_plain_checkpoint_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, make: Callable[[int], Any], pooling: str
) -> None:
    folder = checkpoint(tmp_path / "model", make)
    embedder = Embedder(str(folder), EmbedSettings(precision="fp32", device="cpu"))
    with caplog.at_level(logging.WARNING, logger="kure_rag"):
        found = embedder.embed_queries(TEXTS)
        embedder.embed_passages(TEXTS)
    message = (
        f"{folder} stores no pooling; {pooling} pooling is assumed, and nothing is put before queries and passages. "
        "If it was trained with another, say so: pooling='cls' for the first token, or "
        "card=... for a known model that is used alike"
    )
    assert [r.getMessage() for r in caplog.records if r.name == "kure_rag.embed.loading"] == [message]
    encoder = T5EncoderModel if make is t5 else None
    np.testing.assert_allclose(found, unit([POOL[pooling](states(folder, t, encoder)) for t in TEXTS]), atol=1e-5)
    caplog.clear()
    Embedder(str(folder), EmbedSettings(pooling="mean", device="cpu")).load()
    assert "pooling is assumed" not in caplog.text


def test_of_an_encoder_and_decoder_only_the_encoder_is_loaded(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model", t5_whole)
    from kure_rag.embed.loading import load_model

    model: Any = load_model(folder, ModelCard(name="t5", pooling="mean"), EmbedSettings(device="cpu"))
    assert not [name for name, _ in model[0].model.named_parameters() if "decoder" in name]


# Folders of sentence-transformers


def stored(folder: Path, make: Callable[[int], Any], *after: Any) -> Path:
    base = checkpoint(folder.with_name("base"), make)
    transformer = Transformer(str(base), model_kwargs={"dtype": torch.float32})
    SentenceTransformer(modules=[transformer, *after], device="cpu").save_pretrained(str(folder))
    return folder


@pytest.mark.parametrize(
    ("make", "pooling"),
    [*((xlm_roberta, pooling) for pooling in POOL), (t5, "mean"), *((llama, mode) for mode in POOL if mode != "cls")],
)
def test_stored_pooling(tmp_path: Path, make: Callable[[int], Any], pooling: Any) -> None:
    folder = stored(tmp_path / "model", make, Pooling(SIZE, pooling_mode=pooling), Normalize())
    assert_equal(folder, POOL[pooling], T5EncoderModel if make is t5 else None)


@pytest.mark.parametrize("make", [bert, t5])
def test_a_stored_dense_module_follows_the_pooling(tmp_path: Path, make: Callable[[int], Any]) -> None:
    set_seed(7)
    dense = Dense(SIZE, 24, activation_function=torch.nn.Tanh())
    folder = stored(tmp_path / "model", make, Pooling(SIZE, pooling_mode="mean"), dense, Normalize())
    weights = load_file(folder / "2_Dense" / "model.safetensors")
    matrix, bias = weights["linear.weight"].numpy(), weights["linear.bias"].numpy()
    assert_equal(
        folder, lambda rows: np.tanh(matrix @ rows.mean(axis=0) + bias), T5EncoderModel if make is t5 else None
    )


def test_two_poolings_at_once(tmp_path: Path) -> None:
    folder = stored(tmp_path / "model", bert, Pooling(SIZE, pooling_mode=("cls", "mean")))
    assert_equal(folder, lambda rows: np.concatenate([rows[0], rows.mean(axis=0)]))


def test_settings_replace_a_stored_pooling_and_keep_what_follows(tmp_path: Path) -> None:
    set_seed(8)
    dense = Dense(SIZE, 16, bias=False, activation_function=torch.nn.Identity())
    folder = stored(tmp_path / "model", bert, Pooling(SIZE, pooling_mode="mean"), dense)
    matrix = load_file(folder / "2_Dense" / "model.safetensors")["linear.weight"].numpy()
    assert_equal(folder, lambda rows: matrix @ rows[0], pooling="cls")


def test_a_pooling_that_makes_other_lengths_cannot_be_replaced(tmp_path: Path) -> None:
    folder = stored(tmp_path / "model", bert, Pooling(SIZE, pooling_mode=("cls", "mean")))
    with pytest.raises(EmbeddingError, match="leave pooling out"):
        Embedder(str(folder), EmbedSettings(pooling="cls")).load()


def test_a_pooling_that_leaves_the_prompt_out_is_refused_where_there_is_one(tmp_path: Path) -> None:
    folder = stored(tmp_path / "model", bert, Pooling(SIZE, pooling_mode="mean", include_prompt=False))
    with pytest.raises(EmbeddingError, match="leaves the prompt's tokens out"):
        Embedder(str(folder), EmbedSettings(**PREFIXES)).load()
    embedder = Embedder(str(folder), EmbedSettings(precision="fp32", device="cpu"))
    np.testing.assert_allclose(
        embedder.embed_queries(TEXTS), unit([states(folder, text).mean(axis=0) for text in TEXTS]), atol=1e-5
    )


@pytest.mark.parametrize("normalize", [True, False])
def test_shorter_vectors_are_the_beginning_of_long_ones(tmp_path: Path, normalize: bool) -> None:
    folder = stored(tmp_path / "model", bert, Pooling(SIZE, pooling_mode="mean"))
    settings = EmbedSettings(precision="fp32", device="cpu", dimension=8, normalize=normalize)
    expected = np.stack([states(folder, text).mean(axis=0)[:8] for text in TEXTS])
    if normalize:
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(Embedder(str(folder), settings).embed_queries(TEXTS), expected, atol=1e-5)


def test_weights_stored_in_half_precision_are_computed_in_full(tmp_path: Path) -> None:
    set_seed(9)
    dense = Dense(SIZE, 16, activation_function=torch.nn.Identity())
    folder = stored(tmp_path / "model", bert, Pooling(SIZE, pooling_mode="mean"), dense)
    file = folder / "model.safetensors"
    save_file({name: w.half() for name, w in load_file(file).items()}, file, metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": "float16"}))
    weights = load_file(folder / "2_Dense" / "model.safetensors")
    matrix, bias = weights["linear.weight"].numpy(), weights["linear.bias"].numpy()
    assert_equal(folder, lambda rows: matrix @ rows.mean(axis=0) + bias)


# Limits


def test_a_roberta_uses_every_position_it_has_and_no_more(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model", roberta)
    embedder = Embedder(str(folder), EmbedSettings(pooling="mean", precision="fp32", device="cpu"))
    assert embedder.load().max_tokens == 129  # 130 positions; the first is for padding, whose id is 0
    long = "휴가" * 300
    cut = AutoTokenizer.from_pretrained(folder)(long, truncation=True, max_length=129)["input_ids"]
    with torch.no_grad():
        rows = AutoModel.from_pretrained(folder).eval()(input_ids=torch.tensor([cut])).last_hidden_state[0].numpy()
    np.testing.assert_allclose(embedder.embed_queries([long, "휴가"])[0], unit([rows.mean(axis=0)])[0], atol=1e-5)


def test_a_t5_without_a_limit_has_none(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model", t5)
    assert Embedder(str(folder), EmbedSettings(pooling="mean", device="cpu")).load().max_tokens is None


# KoBERT


@pytest.fixture
def kobert(tmp_path: Path) -> Path:
    """A BERT with a SentencePiece tokenizer under KoBERT's file name, trained here."""
    pytest.importorskip("sentencepiece")
    lines = tmp_path / "문장.txt"
    lines.write_text("\n".join([*TEXTS, *PREFIXES.values(), "1,200원과 15,000원", "cafe Resume ㅋㅋ"] * 20), "utf-8")
    return small_models.kobert(tmp_path / "kobert", lines)


def kobert_ids(folder: Path, text: str) -> list[int]:
    from sentencepiece import SentencePieceProcessor

    ids = {piece: i for i, piece in enumerate((folder / "vocab.txt").read_text("utf-8").splitlines())}
    pieces = SentencePieceProcessor(model_file=str(folder / "tokenizer_78b3253a26.model")).EncodeAsPieces(text)
    return [ids["[CLS]"], *(ids.get(piece, ids["[UNK]"]) for piece in pieces), ids["[SEP]"]]


def kobert_states(folder: Path, text: str) -> np.ndarray:
    model = BertModel.from_pretrained(folder).eval()
    with torch.no_grad():
        out = model(input_ids=torch.tensor([kobert_ids(folder, text)])).last_hidden_state[0].numpy()
    return np.asarray(out, dtype=np.float64)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_kobert(kobert: Path, pooling: Any) -> None:
    settings = EmbedSettings(precision="fp32", device="cpu", pooling=pooling, **PREFIXES)
    embedder = Embedder(str(kobert), settings)
    for embed, prefix in (
        (embedder.embed_queries, PREFIXES["query_prefix"]),
        (embedder.embed_passages, PREFIXES["passage_prefix"]),
    ):
        expected = unit([POOL[pooling](kobert_states(kobert, prefix + text)) for text in TEXTS])
        np.testing.assert_allclose(embed(TEXTS), expected, atol=1e-5)


def test_kobert_with_stored_modules(kobert: Path) -> None:
    set_seed(5)
    for module, path in ((Pooling(SIZE, pooling_mode="mean"), "1_Pooling"), (Dense(SIZE, 12), "2_Dense")):
        (kobert / path).mkdir()
        module.save(str(kobert / path))
    package = "sentence_transformers.models"  # as in folders of versions before 5
    modules = [{"idx": 0, "name": "0", "path": "", "type": f"{package}.Transformer"}]
    modules += [
        {"idx": i, "name": str(i), "path": path, "type": f"{package}.{path[2:]}"}
        for i, path in enumerate(["1_Pooling", "2_Dense"], 1)
    ]
    (kobert / "modules.json").write_text(json.dumps(modules))
    (kobert / "sentence_bert_config.json").write_text('{"max_seq_length": 20, "do_lower_case": false}')
    embedder = Embedder(str(kobert), EmbedSettings(precision="fp32", device="cpu"))
    assert embedder.load().max_tokens == 20
    weights = load_file(kobert / "2_Dense" / "model.safetensors")
    matrix, bias = weights["linear.weight"].numpy(), weights["linear.bias"].numpy()
    short = [text for text in TEXTS if len(kobert_ids(kobert, text)) <= 20]
    assert len(short) >= 2
    expected = unit([np.tanh(matrix @ kobert_states(kobert, text).mean(axis=0) + bias) for text in short])
    np.testing.assert_allclose(embedder.embed_queries(short), expected, atol=1e-5)


def test_kobert_s_tokenizer_keeps_hangul_whole(kobert: Path) -> None:
    from kure_rag.embed.kobert import KoBertTokenizer

    made = KoBertTokenizer(kobert)
    for text in TEXTS:
        assert made(text)["input_ids"][0] == kobert_ids(kobert, text)
        assert "".join(made.tokenize(text)).replace("▁", " ").strip() == text
    assert made._normalized("ㅋㅋ 훈민정음 ㄱㅏ") == "ㅋㅋ 훈민정음 ㄱㅏ"
    assert made("Café Résumé")["input_ids"] == made("Cafe Resume")["input_ids"]


def test_kobert_s_tokenizer_takes_the_comma_from_a_number(kobert: Path) -> None:
    from kure_rag.embed.kobert import KoBertTokenizer

    pieces = KoBertTokenizer(kobert).tokenize("1,200원과 15,000원")
    assert "".join(pieces).replace("▁", " ").strip() == "1,200원과 15,000원"
    assert not [piece for piece in pieces if len(piece) > 1 and piece.endswith(",") and piece[-2].isdigit()]


def test_kobert_s_tokenizer_cuts_before_the_last_token(kobert: Path) -> None:
    from kure_rag.embed.kobert import KoBertTokenizer
    from kure_rag.embed.tokens import TextTokenizer

    whole = kobert_ids(kobert, TEXTS[2])
    tokens = TextTokenizer(KoBertTokenizer(kobert), 9).encode([TEXTS[2], TEXTS[1]])
    assert tokens.ids == [[*whole[:8], whole[-1]], kobert_ids(kobert, TEXTS[1])]
    assert tokens.too_long == [(0, len(whole))]


@pytest.mark.parametrize(("name", "content"), [("vocab.txt", "가\n나\n"), ("tokenizer_78b3253a26.model", "아니다")])
def test_kobert_with_a_broken_tokenizer_is_a_clear_error(kobert: Path, name: str, content: str) -> None:
    (kobert / name).write_text(content, "utf-8")
    with pytest.raises(EmbeddingError, match="copy"):
        Embedder(str(kobert), EmbedSettings(pooling="mean")).load()
