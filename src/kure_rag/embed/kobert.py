"""KoBERT: a BERT whose tokenizer is a SentencePiece model, for which transformers has no class.

Facts of the tokenizer from ``monologg/KoBERT-Transformers`` (Apache-2.0) and SentencePiece's own documentation: pieces
are looked up in ``vocab.txt``, accents are dropped, a comma after a digit is a token of its own, and a text stands
between ``[CLS]`` and ``[SEP]``.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.embed.files import KOBERT_TOKENIZER, read_json
from kure_rag.errors import EmbeddingError, MissingExtraError

if TYPE_CHECKING:
    import torch

_SPACE: Final = "▁"  # what SentencePiece writes for the space before a word
_SPECIAL: Final = {"unk": "[UNK]", "pad": "[PAD]", "cls": "[CLS]", "sep": "[SEP]"}
_FILES: Final = (KOBERT_TOKENIZER, "spiece.model")
_BESIDE: Final = ("vocab.txt", "tokenizer_config.json")
_LONGEST: Final = 512


class KoBertTokenizer:
    """KoBERT's tokenizer, called as those of transformers are.

    Hangul goes through as it is, in syllables: taken apart into letters, as accents are, it would be unknown to the
    model unless the SentencePiece model happens to put it together again.

    Args:
        folder: Holds ``tokenizer_78b3253a26.model`` or ``spiece.model``, and ``vocab.txt`` where the model's token ids
            are not those of that file.

    Attributes:
        model_max_length: Tokens of a text that are used, special tokens among them.
        truncation_side: Where long texts are cut.

    Raises:
        MissingExtraError: The package ``sentencepiece`` is not installed.
        EmbeddingError: A file is broken, or knows no ``[CLS]``.
    """

    truncation_side = "right"
    padding_side = "right"

    def __init__(self, folder: Path) -> None:
        try:
            from sentencepiece import SentencePieceProcessor
        except ModuleNotFoundError as error:
            raise MissingExtraError("KoBERT's tokenizer", "kobert") from error
        file = next((folder / name for name in _FILES if (folder / name).is_file()), folder / KOBERT_TOKENIZER)
        self._folder, self._file = folder, file
        self._model: Any = SentencePieceProcessor()
        try:
            self._model.LoadFromSerializedProto(file.read_bytes())
        except (OSError, RuntimeError) as error:
            raise EmbeddingError(f"{file}: no SentencePiece model can be read from it; copy the file again") from error
        self._ids = _vocabulary(folder, self._model)
        self.unk_token_id, self.pad_token_id, self.cls_token_id, self.sep_token_id = _special_ids(folder, self._ids)
        stored = _stored(folder)
        self._lower = bool(stored.get("do_lower_case", False))
        self._keep_accents = bool(stored.get("keep_accents", False))
        self.model_max_length = _whole(stored.get("model_max_length"), _LONGEST)

    def __len__(self) -> int:
        return len(self._ids)

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """``[CLS]`` and ``[SEP]``, and another ``[SEP]`` after a second text."""
        return 3 if pair else 2

    def tokenize(self, text: str) -> list[str]:
        """The pieces of a text, without special tokens."""
        pieces: list[str] = []
        for piece in self._model.EncodeAsPieces(self._normalized(text)):
            pieces += self._without_comma(piece) if _is_number_and_comma(piece) else [piece]
        return pieces

    def __call__(
        self, texts: str | Sequence[str], *, truncation: bool = False, max_length: int | None = None, **_: Any
    ) -> dict[str, list[list[int]]]:
        """Token ids with special tokens, not padded.

        Args:
            texts: One or several.
            truncation: Whether to cut at ``max_length``, or at ``model_max_length`` where that is ``None``.
            max_length: Most tokens of a text.
        """
        limit = max_length or self.model_max_length
        rows = []
        for text in [texts] if isinstance(texts, str) else texts:
            ids = [self._ids.get(piece, self.unk_token_id) for piece in self.tokenize(text)]
            if truncation:
                ids = ids[: max(0, limit - self.num_special_tokens_to_add())]
            rows.append([self.cls_token_id, *ids, self.sep_token_id])
        return {"input_ids": rows}

    def save(self, folder: Path) -> None:
        """Copies its files, so that a model trained with it is loaded with it."""
        kept = {self._file: folder / KOBERT_TOKENIZER}
        kept |= {self._folder / name: folder / name for name in _BESIDE if (self._folder / name).is_file()}
        for source, place in kept.items():
            place.write_bytes(source.read_bytes())

    def _normalized(self, text: str) -> str:
        text = " ".join(unicodedata.normalize("NFC", text).split()).replace("``", '"').replace("''", '"')
        if not self._keep_accents:
            text = "".join(map(_without_accents, text))
        return text.lower() if self._lower else text

    def _without_comma(self, piece: str) -> list[str]:
        """The pieces of a number and, by itself, the comma after it: ``1,`` is as frequent in text as ``1``."""
        pieces = list(self._model.EncodeAsPieces(piece[:-1].replace(_SPACE, "")))
        if not piece.startswith(_SPACE) and pieces and pieces[0].startswith(_SPACE):
            pieces = pieces[1:] if pieces[0] == _SPACE else [pieces[0][1:], *pieces[1:]]
        return [*pieces, ","]


def _is_number_and_comma(piece: str) -> bool:
    return len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()


def _without_accents(character: str) -> str:
    if character.isascii() or _is_hangul(character):
        return character
    parts = unicodedata.normalize("NFKD", character)
    return unicodedata.normalize("NFC", "".join(c for c in parts if not unicodedata.combining(c)))


def _is_hangul(character: str) -> bool:
    """Syllables and letters, in whatever block."""
    return (
        "가" <= character <= "힣"
        or "\u1100" <= character <= "\u11ff"  # letters that syllables are composed of
        or "\u3130" <= character <= "\u318f"  # letters by themselves, as in ㅋㅋ
        or "\ua960" <= character <= "\ua97f"  # old letters
        or "\ud7b0" <= character <= "\ud7ff"
        or "\uffa0" <= character <= "\uffdc"  # half-width letters
    )


def _vocabulary(folder: Path, model: Any) -> Mapping[str, int]:
    file = folder / "vocab.txt"
    if not file.is_file():
        return {model.IdToPiece(i): i for i in range(model.GetPieceSize())}
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise EmbeddingError(f"{file}: cannot be read ({error}); copy the file again") from error
    return {line.strip(): i for i, line in enumerate(lines) if line.strip()}


def _special_ids(folder: Path, ids: Mapping[str, int]) -> tuple[int, ...]:
    if missing := [token for token in _SPECIAL.values() if token not in ids]:
        raise EmbeddingError(f"{folder}: the tokenizer knows no {' and no '.join(missing)}; copy its vocab.txt as well")
    return tuple(ids[token] for token in _SPECIAL.values())


def _stored(folder: Path) -> Mapping[str, Any]:
    file = folder / "tokenizer_config.json"
    stored = read_json(file) if file.is_file() else {}
    return stored if isinstance(stored, dict) else {}


def _whole(value: Any, most: int) -> int:
    return min(value, most) if isinstance(value, int) and value > 0 else most


def kobert_module(folder: Path, model_kwargs: Mapping[str, Any], *, max_tokens: int | None) -> Any:
    """The transformer and its tokenizer as a module of sentence-transformers.

    The library's own module insists on a tokenizer that transformers has a class for.

    Args:
        folder: Of the checkpoint.
        model_kwargs: For ``AutoModel.from_pretrained``.
        max_tokens: Tokens of a text that are used, where the checkpoint's settings say.
    """
    from torch import nn, ones, tensor
    from torch.nn.utils.rnn import pad_sequence
    from transformers import AutoModel

    class Transformer(nn.Module):
        """Token ids → token vectors of the last layer."""

        save_in_root = True

        def __init__(self) -> None:
            super().__init__()
            self.tokenizer = KoBertTokenizer(folder)
            self.model = AutoModel.from_pretrained(folder, **model_kwargs)
            if len(self.tokenizer) > self.config.vocab_size:
                raise EmbeddingError(
                    f"{folder}: the tokenizer has {len(self.tokenizer):,} tokens and the model "
                    f"{self.config.vocab_size:,}; they belong to different models"
                )
            limits = (self.tokenizer.model_max_length, max_tokens, self.config.max_position_embeddings)
            self.max_seq_length = min(limit for limit in limits if limit)

        @property
        def config(self) -> Any:
            return self.model.config

        @property
        def auto_model(self) -> Any:
            return self.model

        def get_embedding_dimension(self) -> int:
            return int(self.config.hidden_size)

        def preprocess(self, inputs: Sequence[str], prompt: str | None = None, **_: Any) -> dict[str, torch.Tensor]:
            """Texts → token ids, padded to the longest."""
            texts = [(prompt or "") + text for text in inputs]
            rows = self.tokenizer(texts, truncation=True, max_length=self.max_seq_length)["input_ids"]
            ids = pad_sequence([tensor(row) for row in rows], True, self.tokenizer.pad_token_id)
            mask = pad_sequence([ones(len(row), dtype=ids.dtype) for row in rows], True)
            return {"input_ids": ids, "attention_mask": mask}

        def save(self, output_path: str, *_: Any, **__: Any) -> None:
            """Weights and tokenizer, as :func:`kure_rag.embed.loading.load_model` finds them again."""
            self.model.save_pretrained(output_path)
            self.tokenizer.save(Path(output_path))
            stored = json.dumps({"max_seq_length": self.max_seq_length})
            Path(output_path, "sentence_bert_config.json").write_text(stored, encoding="utf-8")

        def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            out = self.model(input_ids=features["input_ids"], attention_mask=features["attention_mask"])
            return {**features, "token_embeddings": out.last_hidden_state}

    # A folder that it is saved in has the layout of the library's module, and names it; ours knows the tokenizer.
    Transformer.__module__ = "sentence_transformers.sentence_transformer.modules"
    return Transformer()
