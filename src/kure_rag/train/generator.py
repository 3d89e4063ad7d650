"""The masked language model that fills in words for ``kodiffcse``: one that is there, or a tiny one trained first."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.errors import ConfigError, CorpusFormatError
from kure_rag.train.scratch import PREFIX

if TYPE_CHECKING:
    from torch import Tensor

SCRATCH: Final = f"{PREFIX}mlm"
"""The name of a generator that is trained first."""

_HEAD: Final = 32  # numbers that one attention head sees
_POOL: Final = 16  # batches that are sorted by length together
_TEXTS: Final = 20_000  # that it learns from at the most: it need not be good, only better than chance


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorSettings:
    """How a tiny generator is trained.

    Attributes:
        steps: Batches that it learns from.
        batch_size: Texts in one.
        learning_rate: Of AdamW, constant.
        max_length: Tokens after which texts are cut.
        mask_share: Share of the words that it learns to fill in.
        seed: Of its weights, its masks and the order of texts.
        layers: Of the model.
        width: Numbers in its vectors; a multiple of 32.
    """

    steps: int = 300
    batch_size: int = 64
    learning_rate: float = 2e-3
    max_length: int = 64
    mask_share: float = 0.15
    seed: int = 42
    layers: int = 1
    width: int = 64


def load_generator(name: str, tokenizer: Any) -> Any:
    """A masked language model with the vocabulary of a tokenizer.

    Args:
        name: A folder, or ``owner/name`` on the model hub.
        tokenizer: The encoder's.

    Raises:
        UnknownModelError: There is no such model.
        ModelNotAvailableError: Its files cannot be reached.
        EmbeddingError: They cannot be used.
        ConfigError: It has another vocabulary: what it fills in would be other words for the encoder.
    """
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    from kure_rag.embed.cards import check_name, folder_of
    from kure_rag.embed.files import check_folder
    from kure_rag.embed.hub import model_folder
    from kure_rag.embed.loading import weight_options
    from kure_rag.embed.settings import EmbedSettings

    check_name(name)
    folder = folder_of(name) or model_folder(name, None, EmbedSettings())
    check_folder(folder, code=False)
    own = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    if own.get_vocab() != tokenizer.get_vocab():
        raise ConfigError(
            f"generator {name} has another vocabulary ({len(own)} tokens) than the base ({len(tokenizer)}): it would "
            f"fill in other words; give the small model of the base's family, or {SCRATCH}, which trains one first"
        )
    return AutoModelForMaskedLM.from_pretrained(str(folder), local_files_only=True, **weight_options())


def scratch_generator(
    tokenizer: Any, texts: Callable[[], Iterable[str]], folder: Path, settings: GeneratorSettings
) -> Any:
    """A tiny generator, trained on the texts now, or earlier where the folder is there.

    The same texts, tokenizer and settings give the same one. Random numbers outside are left as they were, so that a
    training that finds it ready goes on as one that made it.

    Args:
        tokenizer: The encoder's.
        texts: What it learns from; the first 20,000 are taken.
        folder: Where it is kept; appears when it is whole.
        settings: How.

    Raises:
        CorpusFormatError: No text has a word in it.
    """
    from transformers import BertForMaskedLM

    from kure_rag.embed.loading import weight_options

    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
            made = Path(beside, "generator")
            _trained(tokenizer, islice(texts(), _TEXTS), settings).save_pretrained(made)
            made.rename(folder)
    return BertForMaskedLM.from_pretrained(str(folder), local_files_only=True, **weight_options())


def pretrain_encoder(texts: Callable[[], Iterable[str]], folder: Path, settings: GeneratorSettings) -> None:
    """Writes a small BERT that was trained on masked words of some texts, with its tokenizer.

    It can be the base of a recipe that needs a pre-trained one, and its generator: it keeps the layer that fills in.

    Args:
        texts: What it learns from, and what its vocabulary of 8,000 word pieces at the most is made of.
        folder: Where it is written.
        settings: How; for a base, take 2 layers, a width of 128 and thousands of steps.
    """
    from kure_rag.train.scratch import Scratch, make_tokenizer

    tokenizer = make_tokenizer(texts(), vocabulary=Scratch(architecture="bert").vocabulary)
    _trained(tokenizer, texts(), settings).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _trained(tokenizer: Any, texts: Iterable[str], settings: GeneratorSettings) -> Any:
    import torch
    from transformers import BertConfig, BertForMaskedLM

    from kure_rag.train.losses.replaced_token import choose

    rows = list(texts)
    special = torch.zeros(len(tokenizer), dtype=torch.bool)
    special[torch.tensor(tokenizer.all_special_ids)] = True
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = BertForMaskedLM(
            BertConfig(
                vocab_size=len(tokenizer),
                hidden_size=settings.width,
                num_hidden_layers=settings.layers,
                num_attention_heads=settings.width // _HEAD,
                intermediate_size=4 * settings.width,
                max_position_embeddings=settings.max_length,
                pad_token_id=tokenizer.pad_token_id,
                type_vocab_size=2,
            )
        ).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate)
        learned = 0
        for batch in islice(_batches(rows, settings), settings.steps):
            tokens = tokenizer(
                batch, padding=True, truncation=True, max_length=settings.max_length, return_tensors="pt"
            )
            ids: Tensor = tokens["input_ids"]
            masked = choose(tokens["attention_mask"].bool() & ~special[ids], settings.mask_share)
            if not masked.any():
                continue
            given = ids.masked_fill(masked, tokenizer.mask_token_id)
            hidden = model.bert(input_ids=given, attention_mask=tokens["attention_mask"]).last_hidden_state
            # Scores of the masked places alone: those of all places would take most of the time.
            loss = torch.nn.functional.cross_entropy(model.cls(hidden[masked]), ids[masked])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
            optimizer.step()
            learned += 1
    if not learned:
        raise CorpusFormatError("the training texts", "no text with a word in it that a generator could learn from")
    return model.eval()


def _batches(texts: list[str], settings: GeneratorSettings) -> Iterator[list[str]]:
    """Batches in an order drawn anew each time round, without end; texts of like length together, to pad little."""
    import torch

    size = settings.batch_size
    # Of few texts, pools would be all of them, and the same texts would meet in a batch each time.
    pooled = size * max(1, min(_POOL, len(texts) // (4 * size)))
    while texts:
        order = torch.randperm(len(texts)).tolist()
        for start in range(0, len(texts), pooled):
            pool = order[start : start + pooled]
            batches = [0]
            if pooled > size:
                pool.sort(key=lambda i: len(texts[i]))
                batches = torch.randperm(-(-len(pool) // size)).tolist()
            for batch in batches:
                yield [texts[i] for i in pool[batch * size : (batch + 1) * size]]
