"""Models and texts for measuring speed where no model hub can be reached.

Speed depends on a model's shape and on the lengths of texts, not on what the weights have learnt: a random model of
XLM-RoBERTa-large's shape (KURE-v1, KoE5, bge-m3 and multilingual-e5-large have it) takes as long as a trained one.
The tokenizer is real: a unigram one, as XLM-RoBERTa's, trained on the statutes, so that Korean has real lengths.

    python benchmarks/models.py --data ../shared/data --folder /tmp/models     # builds, and says what it built
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ARTICLES = Path("statutes", "articles.jsonl.gz")
DEFAULT_FOLDER = Path(tempfile.gettempdir()) / "kure-rag-models"
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
LONGEST = 700  # characters of a passage; a longer article becomes several

_SENTENCES = (
    "근로자가 퇴직한 경우에는 그 지급 사유가 발생한 때부터 십사 일 이내에 임금을 지급하여야 한다.",
    "보험회사는 보험금 청구서류를 접수한 날부터 사흘 안에 보험금을 지급하고 지연되면 이자를 더한다.",
    "의약품은 어린이의 손이 닿지 않는 서늘하고 건조한 곳에 보관하고 유효기간이 지나면 버린다.",
    "임차인은 계약이 끝나기 두 달 전까지 갱신을 요구할 수 있고 임대인은 정당한 사유 없이 거절하지 못한다.",
    "이사회는 이사 과반수의 출석과 출석이사 과반수의 찬성으로 결의하며 감사는 의견을 말할 수 있다.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The shape of an XLM-RoBERTa encoder.

    Attributes:
        layers: Transformer layers.
        hidden: Numbers of a token's vector.
        heads: Attention heads.
        inner: Numbers inside a feed-forward block.
        vocabulary: Rows of the embedding table; the tokenizer uses only the first of them.
        positions: Rows of the position table, 2 more than the longest text: 514 or 8194.
        pooling: ``cls`` or ``mean``.
        weights: ``plain``: as transformers initialises a model before training, with a deviation of .02. ``spread``:
            larger ones, so that vectors of different texts are further apart, and each layer magnifies what those
            before it have rounded.
    """

    layers: int = 24
    hidden: int = 1024
    heads: int = 16
    inner: int = 4096
    vocabulary: int = 250_002
    positions: int = 514
    pooling: str = "cls"
    weights: str = "spread"

    @property
    def name(self) -> str:
        """A folder's name."""
        size = f"{self.layers}x{self.hidden}-{self.vocabulary}-{self.positions}"
        return f"xlmr-{size}-{self.pooling}-{self.weights}"

    def flops(self, length: float) -> float:
        """Floating-point operations for one token of a text of this length: matrix products and attention."""
        weights = 4 * self.hidden**2 + 2 * self.hidden * self.inner
        return self.layers * (2 * weights + 4 * length * self.hidden)


LARGE = Shape()
SMALL = Shape(layers=2, hidden=64, heads=4, inner=128, vocabulary=8000)


def statute_passages(data: Path | None) -> list[str]:
    """Passages of the statutes as a splitter makes them, in a fixed order; without the data, made-up ones."""
    if data is None:
        return _made_up()
    with gzip.open(data / ARTICLES, "rt", encoding="utf-8") as lines:
        articles = [json.loads(line) for line in lines]
    passages = [part for row in articles for part in _cut(f"{row['law']} {row['title']}\n{row['text']}")]
    random.Random(20261121).shuffle(passages)
    return passages


def questions(data: Path | None, count: int) -> list[str]:
    """Short texts of about 15 tokens, as people ask."""
    starts = [
        re.split(r"[\n.]", passage, maxsplit=2)[-1][:24].strip() for passage in statute_passages(data)[: 4 * count]
    ]
    return [f"{start} 무엇인가요?" for start in starts if len(start) > 16][:count]


def build(shape: Shape, data: Path | None, folder: Path = DEFAULT_FOLDER) -> Path:
    """The folder of a sentence-transformers model of this shape, made once.

    Args:
        shape: See :class:`Shape`.
        data: Holds the statutes that the tokenizer is trained on; ``None`` for a few made-up sentences.
        folder: Where models are kept.
    """
    made = folder / (shape.name if data else f"{shape.name}-no-data")
    if (made / "modules.json").is_file():
        return made
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import XLMRobertaConfig, XLMRobertaModel

    plain = made / "plain"
    _tokenizer(statute_passages(data)[:6000], shape, plain)
    torch.manual_seed(20261121)
    model = XLMRobertaModel(
        XLMRobertaConfig(
            vocab_size=shape.vocabulary,
            hidden_size=shape.hidden,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=shape.inner,
            max_position_embeddings=shape.positions,
            type_vocab_size=1,
            pad_token_id=SPECIAL.index("<pad>"),
            layer_norm_eps=1e-5,
        )
    )
    _vary(model)
    if shape.weights == "spread":
        _spread(model)
    model.save_pretrained(plain)
    modules = [Transformer(str(plain)), Pooling(shape.hidden, pooling_mode=shape.pooling), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(made))
    for file in plain.iterdir():
        file.unlink()
    plain.rmdir()
    return made


def _vary(model: object) -> None:
    """Biases and norms as trained models have them: zeros and ones would be left out of an exported graph."""
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():  # type: ignore[attr-defined]
            if weight.ndim == 1:
                weight.normal_(1.0 if name.endswith("LayerNorm.weight") else 0.0, 0.02)


def _spread(model: object) -> None:
    """Weights by which vectors of different texts are further apart than by those that transformers begins with."""
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():  # type: ignore[attr-defined]
            if name.startswith("encoder") and weight.ndim == 2:
                gain = 2.0 if "value" in name or "attention.output" in name else 1.0
                weight.normal_(0, gain * weight.shape[1] ** -0.5)


def _tokenizer(texts: Sequence[str], shape: Shape, folder: Path) -> None:
    """A unigram tokenizer with XLM-RoBERTa's marks, trained here."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.Unigram())
    # As XLM-RoBERTa's: a line break is a space. LangChain's class replaces them, and would get other tokens otherwise.
    made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " ")])
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=min(16_000, shape.vocabulary // 2),
        special_tokens=list(SPECIAL),
        unk_token="<unk>",
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    made.post_processor = processors.TemplateProcessing("<s> $A </s>", None, [("<s>", 0), ("</s>", 2)])
    PreTrainedTokenizerFast(
        tokenizer_object=made,
        model_max_length=shape.positions - 2,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    ).save_pretrained(folder)


def _cut(text: str) -> Iterator[str]:
    while len(text) > LONGEST:
        at = max(text.rfind(mark, LONGEST // 2, LONGEST) for mark in ("\n", ". ", " "))
        at = at if at > 0 else LONGEST
        yield text[:at].strip()
        text = text[at:].strip()
    if text.strip():
        yield text.strip()


def _made_up() -> list[str]:
    chosen = random.Random(20261121)
    return [" ".join(chosen.choices(_SENTENCES, k=chosen.randint(1, 8))) for _ in range(400)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Build a random model of XLM-RoBERTa-large's shape.")
    parser.add_argument("--data", type=Path, help="folder that holds statutes/articles.jsonl.gz")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where models are kept")
    parser.add_argument("--positions", type=int, default=LARGE.positions, choices=(514, 8194))
    arguments = parser.parse_args()
    made = build(Shape(positions=arguments.positions), arguments.data, arguments.folder)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(made)
    lengths = sorted(map(len, tokenizer(statute_passages(arguments.data)[:2000])["input_ids"]))
    marks = {share: lengths[int(share / 100 * (len(lengths) - 1))] for share in (5, 25, 50, 75, 95)}
    print(f"{made}\ntokens of a passage: mean {sum(lengths) / len(lengths):.0f}, percentiles {marks}")


if __name__ == "__main__":
    main()
