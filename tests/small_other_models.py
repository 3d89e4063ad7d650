"""Small sparse, late-interaction and cross-encoder models: random ones, and ones that know what belongs together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import CrossEncoder, MultiVectorEncoder, SparseEncoder
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from sentence_transformers.sparse_encoder.modules import SpladePooling
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    set_seed,
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "?", ".", ",", "[Q]", "[D]"]
SIZE = 32


def tokenizer(letters: str, **more: Any) -> PreTrainedTokenizerFast:
    """A token for each letter, with or without a space before it; pairs as BERT writes them."""
    vocab = {word: i for i, word in enumerate(SPECIAL)}
    for letter in dict.fromkeys(letters):
        for form in (letter, f"##{letter}"):
            vocab.setdefault(form, len(vocab))
    made = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        additional_special_tokens=["[Q]", "[D]"],
        **more,
    )


def checkpoint(folder: Path, kind: Callable[[BertConfig], Any], letters: str, **more: Any) -> Path:
    """A BERT such as ``save_pretrained`` leaves; 64 positions."""
    words = tokenizer(letters)
    set_seed(0)
    settings: dict[str, Any] = {
        "hidden_size": SIZE,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        "initializer_range": 0.5,  # with the usual 0.02, two random layers tell no texts apart
    }
    kind(BertConfig(vocab_size=len(words), **{**settings, **more})).eval().save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def sparse(folder: Path, letters: str, *, lexical: bool = False) -> Path:
    """A SPLADE with ``[Q]`` and ``[D]``; ``lexical`` weighs the letters of a text itself and no others."""
    plain = {"hidden_act": "linear"} if lexical else {}
    base = checkpoint(folder.with_name(f".{folder.name}"), BertForMaskedLM, letters, **plain)
    if lexical:
        made = BertForMaskedLM.from_pretrained(base)
        with torch.no_grad():
            _silence(made.bert)
            made.cls.predictions.transform.dense.weight.copy_(torch.eye(SIZE))
            rows = torch.nn.functional.normalize(torch.randn(made.config.vocab_size, SIZE), dim=-1)
            made.bert.embeddings.word_embeddings.weight.copy_(rows * SIZE**0.5)
            made.cls.predictions.bias.fill_(-0.75 * SIZE)  # what a letter says of another one stays below it
        made.save_pretrained(base)
    modules = [Transformer(str(base), transformer_task="fill-mask"), SpladePooling(pooling_strategy="max")]
    model = SparseEncoder(modules=modules, device="cpu", prompts={"query": "[Q] ", "document": "[D] "})
    model.save_pretrained(str(folder))
    return folder


def late(folder: Path, letters: str, *, lexical: bool = False, **lengths: Any) -> Path:
    """A ColBERT; ``lexical`` gives each letter a vector of its own, whatever stands beside it.

    Args:
        folder: Where to save it.
        letters: Of its tokenizer.
        lexical: See above.
        lengths: ``query_length``, ``document_length`` and ``query_expansion`` of the library's transformer.
    """
    base = checkpoint(folder.with_name(f".{folder.name}"), BertModel, letters)
    if lexical:
        made = BertModel.from_pretrained(base)
        with torch.no_grad():
            _silence(made)
        made.save_pretrained(base)
    set_seed(1)
    dense = Dense(
        SIZE,
        SIZE if lexical else 8,
        bias=False,
        activation_function=torch.nn.Identity(),
        module_input_name="token_embeddings",
        module_output_name="token_embeddings",
    )
    modules = [Transformer(str(base), **lengths), dense, MultiVectorMask()]
    MultiVectorEncoder(modules=modules, device="cpu").save_pretrained(str(folder))
    return folder


def reranker(folder: Path, letters: str, *, pairs: Sequence[tuple[str, str, bool]] = ()) -> Path:
    """A cross-encoder; its last layer is solved for so that it knows which of some pairs belong together."""
    base = checkpoint(folder.with_name(f".{folder.name}"), BertForSequenceClassification, letters, num_labels=1)
    if pairs:
        made = BertForSequenceClassification.from_pretrained(base).eval()
        words = tokenizer(letters)
        with torch.no_grad():
            seen = [made.bert(**words(query, passage, return_tensors="pt"))[1][0] for query, passage, _ in pairs]
            wanted = torch.tensor([[3.0] if together else [-3.0] for _, _, together in pairs])
            made.classifier.weight.copy_((torch.linalg.pinv(torch.stack(seen)) @ wanted).T)
            made.classifier.bias.zero_()
        made.save_pretrained(base)
    CrossEncoder(str(base), device="cpu").save_pretrained(str(folder))
    return folder


def xlm_roberta_reranker(folder: Path, letters: str) -> Path:
    """The architecture of bge-reranker-v2-m3-ko, with 34 positions, of which 32 are good; no limit is stored."""
    words = tokenizer(letters)
    set_seed(0)
    config = XLMRobertaConfig(
        vocab_size=len(words),
        hidden_size=SIZE,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=34,
        initializer_range=0.3,
        type_vocab_size=1,
        pad_token_id=1,
        num_labels=1,
    )
    XLMRobertaForSequenceClassification(config).eval().save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def modernbert_reranker(folder: Path, letters: str) -> Path:
    """A cross-encoder with rotary positions, whose layers attend to neighbours and to all in turn."""
    words = tokenizer(letters)
    set_seed(0)
    config = ModernBertConfig(
        vocab_size=len(words),
        hidden_size=SIZE,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=256,
        initializer_range=0.3,
        pad_token_id=0,
        num_labels=1,
    )
    ModernBertForSequenceClassification(config).eval().save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def _silence(bert: Any) -> None:
    """Leaves of an encoder what it makes of each token by itself."""
    for layer in bert.encoder.layer:
        for part in (layer.attention.output.dense, layer.output.dense):
            part.weight.zero_()
            part.bias.zero_()
    bert.embeddings.position_embeddings.weight.zero_()
    bert.embeddings.token_type_embeddings.weight.zero_()
