"""Small encoders with random weights and a vocabulary of their own: to try a recipe without a download.

``scratch:bert``, ``scratch:roberta``, ``scratch:t5`` are transformers of 2 layers, 128 wide; ``scratch:bert-4x256`` has
4 layers, 256 wide. ``scratch:static`` is a table of vectors (``scratch:static-256`` of 256 numbers each). They learn
little from little data: what they show is that a recipe, its data and its settings do what they should.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

from kure_rag.errors import CorpusFormatError, UnknownModelError

PREFIX: Final = "scratch:"
Architecture = Literal["bert", "roberta", "t5", "static"]

_NAME: Final = re.compile(r"scratch:(bert|roberta|t5)(?:-(\d+)x(\d+))?|scratch:(static)(?:-(\d+))?")
_SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_HEAD: Final = 32  # numbers that one attention head sees
_POSITIONS: Final = 512
# BERT's spread of random weights is for 768 numbers. With fewer, layers would hand on so little that dropout drowns it,
# and the vector of [CLS] would be the same for all texts.
_SPREAD: Final = 0.02
_SPREAD_WIDTH: Final = 768
_ROBERTA_PADDING: Final = 2  # its positions begin behind the padding token's


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """An encoder to be made.

    Attributes:
        architecture: Whose layers it has.
        layers: How many; none in a static one.
        width: Numbers in a vector.
        vocabulary: The most word pieces.
    """

    architecture: Architecture
    layers: int = 2
    width: int = 128
    vocabulary: int = 8_000

    @classmethod
    def named(cls, name: str) -> Self:
        """The encoder that a name such as ``scratch:bert-2x128`` means.

        Raises:
            UnknownModelError: It means none.
        """
        found = _NAME.fullmatch(name)
        if found is None:
            raise UnknownModelError(
                f"No base named {name!r}: an encoder from scratch is scratch:bert, scratch:roberta, scratch:t5 or "
                "scratch:static, with layers and width behind it where you want others, such as scratch:bert-4x256"
            )
        architecture: Any
        architecture, layers, width, static, dimension = found.groups()
        if static:
            return cls(architecture="static", layers=0, width=int(dimension or 128))
        made = cls(architecture=architecture, layers=int(layers or 2), width=int(width or 128))
        if not made.layers or made.width < _HEAD or made.width % _HEAD:
            raise UnknownModelError(f"{name}: give 1 layer or more and a width that {_HEAD} divides, such as 2x128")
        return made


def make_tokenizer(texts: Iterable[str], *, vocabulary: int) -> Any:
    """A tokenizer of byte-pair merges of characters (Sennrich et al. 2016), as transformers uses it.

    Text is put into Unicode form NFC, case and accents are kept: Hangul must not fall apart into letters. The same
    texts give the same vocabulary, which the library's trainer of WordPiece does not promise.

    Raises:
        CorpusFormatError: The texts have no word in them.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    pad, unknown, first, last, mask = _SPECIAL
    tokenizer = Tokenizer(models.BPE(unk_token=unknown))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits(individual_digits=True)]
    )
    # Tokens → the text as it was: the loss of the recipe `kure` hands that to a guide with a tokenizer of its own.
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=list(_SPECIAL), show_progress=False)
    tokenizer.train_from_iterator(_normal(texts), trainer)
    if tokenizer.get_vocab_size() <= len(_SPECIAL):
        raise CorpusFormatError("the training texts", "no word in them, so no vocabulary can be made")
    ids = [(token, tokenizer.token_to_id(token)) for token in (first, last)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", pair=f"{first} $A {last} $B:1 {last}:1", special_tokens=ids
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=pad,
        unk_token=unknown,
        cls_token=first,
        sep_token=last,
        mask_token=mask,
        model_max_length=_POSITIONS,
    )


def make_encoder(scratch: Scratch, texts: Iterable[str], folder: Path, *, seed: int, labels: int | None = None) -> None:
    """Writes an encoder with random weights, as transformers (a static one: as sentence-transformers) lays it out.

    Args:
        scratch: What to make.
        texts: What its vocabulary is made of.
        folder: An empty folder.
        seed: Of the weights.
        labels: Scores that it ends in, for a cross-encoder; none by default.

    Raises:
        CorpusFormatError: The texts have no word in them.
        UnknownModelError: A cross-encoder of that architecture cannot be made.
    """
    import torch

    tokenizer = make_tokenizer(texts, vocabulary=scratch.vocabulary)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if scratch.architecture == "static":
            if labels is not None:
                raise UnknownModelError("scratch:static has no layers that could read two texts together")
            _static(scratch, tokenizer, folder)
            return
        model = _model(scratch, len(tokenizer), tokenizer.pad_token_id, labels)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _static(scratch: Scratch, tokenizer: Any, folder: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    # Without the marks for the beginning and the end, which would be in every mean.
    plain = tokenizer.backend_tokenizer
    plain.post_processor = None
    static = StaticEmbedding(plain, embedding_dim=scratch.width)
    model = SentenceTransformer(modules=[static, Normalize()], device="cpu", similarity_fn_name="cosine")
    model.save(str(folder), create_model_card=False)


def _model(scratch: Scratch, size: int, pad: int, labels: int | None) -> Any:
    import transformers

    common: dict[str, Any] = {"vocab_size": size, "pad_token_id": pad}
    if labels is not None:
        common["num_labels"] = labels
    if scratch.architecture == "t5":
        if labels is not None:
            raise UnknownModelError("scratch:t5 makes no cross-encoder; take scratch:bert or scratch:roberta")
        t5 = transformers.T5Config(
            d_model=scratch.width,
            d_kv=_HEAD,
            d_ff=4 * scratch.width,
            num_layers=scratch.layers,
            num_heads=scratch.width // _HEAD,
            **common,
        )
        return transformers.T5EncoderModel(t5)
    padding = _ROBERTA_PADDING if scratch.architecture == "roberta" else 0
    shape: dict[str, Any] = {
        "hidden_size": scratch.width,
        "intermediate_size": 4 * scratch.width,
        "num_hidden_layers": scratch.layers,
        "num_attention_heads": scratch.width // _HEAD,
        "max_position_embeddings": _POSITIONS + padding,
        "type_vocab_size": 2,
        "initializer_range": _SPREAD * math.sqrt(_SPREAD_WIDTH / scratch.width),
        **common,
    }
    if scratch.architecture == "bert":
        bert = transformers.BertConfig(**shape)
        return transformers.BertModel(bert) if labels is None else transformers.BertForSequenceClassification(bert)
    roberta = transformers.RobertaConfig(**shape)
    if labels is None:
        return transformers.RobertaModel(roberta)
    return transformers.RobertaForSequenceClassification(roberta)


def _normal(texts: Iterable[str]) -> Iterator[str]:
    return (unicodedata.normalize("NFC", text) for text in texts)
