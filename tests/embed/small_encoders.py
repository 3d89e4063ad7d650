"""Small encoders of each architecture with random weights, and a tokenizer of syllables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModel,
    BertConfig,
    CamembertConfig,
    ElectraConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    XLMRobertaConfig,
    set_seed,
)

CONFIGS = {
    "bert": BertConfig,
    "roberta": RobertaConfig,
    "xlm-roberta": XLMRobertaConfig,
    "camembert": CamembertConfig,
}
OTHERS = {"electra": ElectraConfig}  # computed with padding
LETTERS = sorted(
    set("제조항연차휴가는며칠인가요보험금을청구한다의사진단서내면병까지허할수있급여매월십오일에지하고그날이면전")
)
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def small_encoder(folder: Path, kind: str, *, pooling: str = "cls", hidden: int = 32, **changes: Any) -> Path:
    """The folder of a sentence-transformers model of this architecture."""
    tokenizer = Tokenizer(
        models.WordLevel({token: i for i, token in enumerate([*SPECIAL, *LETTERS])}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex("."), "isolated")]
    )
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", None, [("<s>", 0), ("</s>", 2)])
    plain = folder / "plain"
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=60,
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
    ).save_pretrained(plain)
    set_seed(7)
    settings: dict[str, Any] = {
        "vocab_size": len(SPECIAL) + len(LETTERS),
        "hidden_size": hidden,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 2 * hidden,
        "max_position_embeddings": 62,
        "pad_token_id": 1,
        "initializer_range": 0.4,  # so that texts differ, and a wrong position shows
        **changes,
    }
    AutoModel.from_config((CONFIGS | OTHERS)[kind](**settings)).save_pretrained(plain)
    modules = [Transformer(str(plain)), Pooling(hidden, pooling_mode=pooling), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder))
    return folder


def loaded(folder: Path) -> SentenceTransformer:
    return SentenceTransformer(str(folder), device="cpu").eval()
