"""Small random transformers with a tokenizer that knows every Hangul syllable in a text as a token of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    LlamaConfig,
    LlamaModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    XLMRobertaConfig,
    XLMRobertaModel,
    set_seed,
)

SIZE = 32
_SPECIAL = {"[CLS]": 2, "[SEP]": 3}
_COMMON: dict[str, Any] = {
    "hidden_size": SIZE,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 130,
    "initializer_range": 0.2,
    "pad_token_id": 0,
}


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a syllable: all 11,172 are many for a small model, so they share 400 ids."""
    vocabulary = {"[PAD]": 0, "[UNK]": 1, **_SPECIAL}
    for code in range(ord("가"), ord("힣") + 1, 28):
        vocabulary[chr(code)] = len(vocabulary)
    for character in "0123456789.,?%()":
        vocabulary[character] = len(vocabulary)
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split("", behavior="isolated")]
    )
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, list(_SPECIAL.items()))
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def bert(words: int) -> Any:
    """An encoder with segment embeddings."""
    return BertModel(BertConfig(vocab_size=words, **_COMMON))


def xlm_roberta(words: int) -> Any:
    """The architecture of KURE-v1; its positions count from the padding token's id."""
    return XLMRobertaModel(XLMRobertaConfig(vocab_size=words, type_vocab_size=1, **_COMMON))


def distilbert(words: int) -> Any:
    """An encoder without segments."""
    return DistilBertModel(
        DistilBertConfig(vocab_size=words, dim=SIZE, n_layers=2, n_heads=4, hidden_dim=64, initializer_range=0.2)
    )


def llama(words: int) -> Any:
    """A decoder with rotary positions and causal attention."""
    return LlamaModel(LlamaConfig(vocab_size=words, num_key_value_heads=2, **_COMMON))


def t5(words: int) -> Any:
    """An encoder with relative positions and no bias."""
    return T5EncoderModel(
        T5Config(vocab_size=words, d_model=SIZE, d_kv=8, d_ff=64, num_layers=2, num_heads=4, pad_token_id=0)
    )


def kobert(folder: Path, lines: Path) -> Path:
    """A plain BERT with a SentencePiece tokenizer under KoBERT's file name, trained on the texts of a file."""
    from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

    SentencePieceTrainer.Train(
        input=str(lines),
        model_prefix=str(lines.with_name("made")),
        vocab_size=200,
        hard_vocab_limit=False,
        unk_piece="[UNK]",
        bos_id=-1,
        eos_id=-1,
        pad_id=1,
        unk_id=0,
        pad_piece="[PAD]",
        control_symbols="[CLS],[SEP],[MASK]",
        minloglevel=2,
    )
    pieces = SentencePieceProcessor(model_file=str(lines.with_name("made.model")))
    names = [pieces.IdToPiece(i) for i in range(pieces.GetPieceSize())]
    set_seed(3)
    bert(len(names)).eval().save_pretrained(folder)
    lines.with_name("made.model").rename(folder / "tokenizer_78b3253a26.model")
    (folder / "vocab.txt").write_text("\n".join(reversed(names)) + "\n", "utf-8")  # ids are this file's lines
    return folder


def transformer(
    folder: Path, make: Any = bert, pooling: str | Sequence[str] = "mean", *, dense: int | None = None, seed: int = 0
) -> Path:
    """A model of sentence-transformers.

    Args:
        folder: Where to save it.
        make: One of the architectures above.
        pooling: One mode, or several whose vectors stand side by side.
        dense: Output size of a dense layer after the pooling.
        seed: Of the weights.
    """
    words = tokenizer()
    set_seed(seed)
    plain = folder.with_name(f".plain-{folder.name}")
    make(len(words)).eval().save_pretrained(plain)
    words.save_pretrained(plain)
    first = Transformer(str(plain))
    modules: list[Any] = [first, Pooling(SIZE, pooling_mode=pooling)]
    if dense is not None:
        modules.append(Dense(modules[-1].get_embedding_dimension(), dense, activation_function=torch.nn.Tanh()))
    SentenceTransformer(modules=[*modules, Normalize()], device="cpu").save_pretrained(str(folder))
    return folder


def plain_checkpoint(folder: Path, *, positions: int = 130, spread: float = 0.2, seed: int = 0) -> Path:
    """A small checkpoint of KURE-v1's architecture, such as ``AutoModel.save_pretrained`` leaves."""
    words = tokenizer()
    set_seed(seed)
    config = XLMRobertaConfig(
        vocab_size=len(words),
        hidden_size=SIZE,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=positions,
        type_vocab_size=1,
        initializer_range=spread,
        pad_token_id=0,
    )
    XLMRobertaModel(config).eval().save_pretrained(folder)
    words.save_pretrained(folder)
    return folder
