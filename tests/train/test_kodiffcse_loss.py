"""The loss of ``kodiffcse``: both parts by hand, which words are masked, what the vector is for, what is frozen."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from kure_rag.errors import ConfigError  # noqa: E402
from kure_rag.train.generator import GeneratorSettings, load_generator, scratch_generator  # noqa: E402
from kure_rag.train.losses.replaced_token import DropoutReplacedTokenLoss, choose, masked_logits  # noqa: E402
from kure_rag.train.recipes.kodiffcse import KoDiffCseSettings, difference_loss  # noqa: E402
from kure_rag.train.scratch import Scratch, make_encoder  # noqa: E402

TEXTS = (
    "아이가 공원에서 자전거를 탄다.",
    "어부가 새벽에 그물을 걷는다.",
    "시장에서 사과를 한 봉지 산다.",
    "눈이 와서 길이 미끄럽다.",
    "도서관은 일요일에 문을 닫는다.",
    "버스가 늦게 와서 회의에 늦었다.",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("encoder")
    make_encoder(Scratch.named("scratch:bert-1x32"), TEXTS, made, seed=5)
    return made


@pytest.fixture(scope="module")
def generator_folder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import AutoTokenizer

    made = tmp_path_factory.mktemp("generators") / "generator"
    settings = GeneratorSettings(steps=3, batch_size=4, max_length=24)
    scratch_generator(AutoTokenizer.from_pretrained(str(folder)), lambda: TEXTS, made, settings)
    return made


def encoder(folder: Path, dropout: bool = False) -> Any:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    transformer = Transformer(str(folder))
    model = SentenceTransformer(modules=[transformer, Pooling(32, "cls")], device="cpu")
    if not dropout:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
    return model


def generator(folder: Path) -> Any:
    from transformers import BertForMaskedLM

    return BertForMaskedLM.from_pretrained(str(folder))


def loss_of(folder: Path, generator_folder: Path, **settings: Any) -> tuple[Any, DropoutReplacedTokenLoss]:
    model = encoder(folder)
    loss = difference_loss(model, generator(generator_folder), KoDiffCseSettings(**settings))
    assert isinstance(loss, DropoutReplacedTokenLoss)
    for module in loss.discriminator.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model, loss


def test_infonce_has_the_temperature_and_its_own_sentence_as_the_answer(folder: Path, generator_folder: Path) -> None:
    """The library's loss as it is configured here, on two different views, value and gradient."""
    _, loss = loss_of(folder, generator_folder, temperature=0.05)
    chance = np.random.default_rng(1)
    first, second = chance.standard_normal((4, 6)), chance.standard_normal((4, 6))

    def by_hand(left: Any) -> float:
        a, b = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (left, second))
        total = 0.0
        for i in range(4):
            scores = [float(a[i] @ b[j]) / 0.05 for j in range(4)]
            total += math.log(sum(math.exp(score) for score in scores)) - scores[i]
        return total / 4

    views = [torch.tensor(side, requires_grad=True) for side in (first, second)]
    value = loss._contrastive[0].compute_loss_from_embeddings(views, None)
    assert float(value.detach()) == pytest.approx(by_hand(first), rel=1e-6)
    value.backward()
    wanted = np.zeros_like(first)
    for place in np.ndindex(first.shape):
        up, down = first.copy(), first.copy()
        up[place] += 1e-6
        down[place] -= 1e-6
        wanted[place] = (by_hand(up) - by_hand(down)) / 2e-6
    np.testing.assert_allclose(views[0].grad, wanted, rtol=1e-3, atol=1e-6)


def test_the_detection_is_the_mean_cross_entropy_of_words_alone(folder: Path, generator_folder: Path) -> None:
    """Padding and the marks at both ends count for nothing, whatever the discriminator says of them."""
    model, loss = loss_of(folder, generator_folder)
    features = model.preprocess([TEXTS[0], TEXTS[3], "눈"])  # of different lengths: there is padding
    vectors = model(dict(features))["sentence_embedding"]
    torch.manual_seed(11)
    value = float(loss.detection(features, vectors).detach())
    ids, mask = features["input_ids"], features["attention_mask"]
    special = set(model.tokenizer.all_special_ids)
    words = torch.tensor(
        [[bool(m) and int(t) not in special for t, m in zip(*r, strict=True)] for r in zip(ids, mask, strict=True)]
    )
    torch.manual_seed(11)
    altered = loss.alter(
        {key: features[key] for key in ("input_ids", "attention_mask", "token_type_ids") if key in features}, words
    )
    # The discriminator by hand: embeddings, the first replaced by the sentence's vector, the layers, the linear head.
    bert = loss.discriminator
    embedded = bert.embeddings(input_ids=altered)
    embedded = torch.cat([vectors[:, None], embedded[:, 1:]], dim=1)
    wide = (1.0 - mask[:, None, None].float()) * -1e9
    hidden = embedded
    for layer in bert.encoder.layer:
        found = layer(hidden, attention_mask=wide)
        hidden = found[0] if isinstance(found, tuple) else found
    logits = (hidden @ loss.head.weight.T + loss.head.bias).detach().numpy()
    total, count = 0.0, 0
    for row, place in zip(*np.nonzero(words.numpy()), strict=True):
        powers = np.exp(logits[row, place])
        replaced = int(altered[row, place] != ids[row, place])
        total -= math.log(powers[replaced] / powers.sum())
        count += 1
    assert count == int(words.sum())
    assert value == pytest.approx(total / count, rel=1e-4)


def test_the_whole_loss_is_infonce_and_the_weighted_sum_over_both_views(folder: Path, generator_folder: Path) -> None:
    model, loss = loss_of(folder, generator_folder, detection_weight=0.3)
    features = model.preprocess(list(TEXTS))
    torch.manual_seed(4)
    value = float(loss([dict(features), dict(features)]).detach())
    torch.manual_seed(4)
    vectors = model(dict(features))["sentence_embedding"]
    detected = [float(loss.detection(features, vectors).detach()) for _ in range(2)]
    contrast = float(loss._contrastive[0].compute_loss_from_embeddings([vectors, vectors], None).detach())
    assert value == pytest.approx(contrast + 0.3 * sum(detected), rel=1e-5)
    assert float(loss.last["replaced_tokens"]) == pytest.approx(sum(detected), rel=1e-5)


def test_the_detection_teaches_the_encoder_through_the_vector_alone(folder: Path, generator_folder: Path) -> None:
    model, loss = loss_of(folder, generator_folder)
    features = model.preprocess(list(TEXTS))
    vectors = model(dict(features))["sentence_embedding"].detach().requires_grad_()
    torch.manual_seed(2)
    value = loss.detection(features, vectors)
    value.backward()
    assert vectors.grad is not None
    place = tuple(int(i) for i in np.unravel_index(int(vectors.grad.abs().argmax()), vectors.shape))
    moved = []
    for step in (1e-2, -1e-2):
        other = vectors.detach().clone()
        other[place] += step
        torch.manual_seed(2)  # the same words are masked
        moved.append(float(loss.detection(features, other).detach()))
    assert (moved[0] - moved[1]) / 2e-2 == pytest.approx(float(vectors.grad[place]), rel=5e-2)
    assert loss.head.weight.grad is not None
    assert not any(weight.grad is not None for weight in loss._frozen[0].parameters())
    assert not any(weight.grad is not None for weight in model.parameters())


def test_only_masked_words_change_and_the_generator_saw_the_mask_token(folder: Path, generator_folder: Path) -> None:
    """The repository masked with [SEP]. And no special token is ever filled in."""
    model, loss = loss_of(folder, generator_folder, mask_share=0.5)
    features = model.preprocess(list(TEXTS))
    tokens = {key: features[key] for key in ("input_ids", "attention_mask")}
    ids = tokens["input_ids"]
    words = tokens["attention_mask"].bool() & ~torch.isin(ids, torch.tensor(model.tokenizer.all_special_ids))
    seen: list[Any] = []
    generator_ = loss._frozen[0]
    generator_.bert.register_forward_pre_hook(
        lambda _m, _a, given: seen.append(given["input_ids"].clone()), with_kwargs=True
    )
    generator_.cls.register_forward_hook(lambda _m, _a, logits: torch.cat([logits[:, :5] + 1e6, logits[:, 5:]], dim=1))
    torch.manual_seed(0)
    altered = loss.alter(tokens, words)
    masked = seen[0] != ids
    assert masked.any()
    assert not (masked & ~words).any()
    assert (seen[0][masked] == model.tokenizer.mask_token_id).all()
    assert torch.equal(altered[~masked], ids[~masked])
    assert not torch.isin(altered[masked], torch.tensor(model.tokenizer.all_special_ids)).any()


def test_the_logits_of_masked_places_are_those_of_the_whole_model(generator_folder: Path) -> None:
    from transformers import RobertaConfig, RobertaForMaskedLM

    made = generator(generator_folder).eval()
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 64}
    roberta = RobertaForMaskedLM(RobertaConfig(vocab_size=made.config.vocab_size, **shape)).eval()
    ids = torch.randint(5, made.config.vocab_size, (3, 9))
    masked = torch.rand(3, 9) < 0.3
    masked[0, 1] = True
    tokens = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    for model in (made, roberta):
        with torch.no_grad():
            torch.testing.assert_close(masked_logits(model, tokens, masked), model(**tokens).logits[masked])


def test_a_share_of_the_words_is_drawn_from_each_row() -> None:
    words = torch.zeros(4, 40, dtype=torch.bool)
    words[0, 1:21], words[1, 1:3], words[2, 5] = True, True, True  # 20 words, 2, 1, none
    torch.manual_seed(0)
    drawn = choose(words, 0.15)
    assert drawn.sum(1).tolist() == [3, 1, 1, 0]
    assert not (drawn & ~words).any()
    counts = sum(choose(words, 0.15)[0].int() for _ in range(400))
    assert int(counts[1:21].min()) > 20  # each of the 20 is drawn about 60 times
    assert int(counts[21:].max()) == 0


def test_without_words_or_weight_nothing_breaks(folder: Path, generator_folder: Path) -> None:
    model, loss = loss_of(folder, generator_folder)
    marks = {"input_ids": torch.tensor([[2, 3]]), "attention_mask": torch.ones(1, 2, dtype=torch.long)}
    assert float(loss.detection(marks, torch.zeros(1, 32)).detach()) == 0.0
    _, without = loss_of(folder, generator_folder, detection_weight=0.0)
    features = model.preprocess(list(TEXTS))
    without([dict(features), dict(features)]).backward()
    assert "replaced_tokens" not in without.last


def test_the_generator_is_frozen_and_out_of_checkpoints_and_the_discriminator_in_them(
    folder: Path, generator_folder: Path
) -> None:
    from kure_rag.train.callbacks import loss_weights

    model, loss = loss_of(folder, generator_folder)
    kept = loss_weights({"sentences": loss}, model)
    assert any(name.startswith("sentences.discriminator.") for name in kept)
    assert {"sentences.head.weight", "sentences.head.bias"} <= set(kept)
    assert len(kept) == len(list(loss.discriminator.parameters())) + 2
    assert not any("generator" in name or "_frozen" in name for name in kept)
    assert not any(weight.requires_grad for weight in loss._frozen[0].parameters())


def test_a_generator_is_trained_once_the_same_each_time_and_leaves_chance_alone(folder: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    settings = GeneratorSettings(steps=4, batch_size=3, max_length=24)
    torch.manual_seed(9)
    one = scratch_generator(tokenizer, lambda: TEXTS, tmp_path / "one", settings)
    after = torch.rand(1)
    torch.manual_seed(1)
    two = scratch_generator(tokenizer, lambda: TEXTS, tmp_path / "two", settings)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    torch.manual_seed(9)

    def never() -> Any:
        raise AssertionError("it was trained again")

    scratch_generator(tokenizer, never, tmp_path / "one", settings)
    assert torch.equal(torch.rand(1), after)  # made or found, what follows is the same


def test_a_tiny_generator_learns_to_fill_in(folder: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    settings = GeneratorSettings(steps=150, batch_size=6, max_length=24, learning_rate=5e-3)
    made = scratch_generator(tokenizer, lambda: TEXTS, tmp_path / "generator", settings)
    right = total = 0
    for text in TEXTS:
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        for place in range(1, ids.shape[1] - 1):
            given = ids.clone()
            given[0, place] = tokenizer.mask_token_id
            right += int(made(given).logits[0, place].argmax() == ids[0, place])
            total += 1
    assert right > total / 2, f"{right} of {total}"


def test_another_vocabulary_or_base_is_refused(folder: Path, generator_folder: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from transformers import AutoTokenizer

    other = tmp_path / "other"
    make_encoder(Scratch.named("scratch:bert-1x32"), ["전혀 다른 낱말들이 여기에 있다"], other, seed=1)
    AutoTokenizer.from_pretrained(str(folder)).save_pretrained(generator_folder)
    assert load_generator(str(generator_folder), encoder(folder).tokenizer).config.vocab_size
    with pytest.raises(ConfigError, match="another vocabulary"):
        load_generator(str(generator_folder), encoder(other).tokenizer)
    static = tmp_path / "static"
    static.mkdir()
    make_encoder(Scratch.named("scratch:static-32"), TEXTS, static, seed=1)
    with pytest.raises(ConfigError, match="embedding layer"):
        difference_loss(
            SentenceTransformer(str(static), device="cpu"), generator(generator_folder), KoDiffCseSettings()
        )


def test_a_small_bert_that_was_trained_on_masked_words_is_a_base_and_a_generator(tmp_path: Path) -> None:
    from kure_rag.train.generator import pretrain_encoder

    settings = GeneratorSettings(steps=3, batch_size=4, max_length=24, layers=2, width=32)
    pretrain_encoder(lambda: TEXTS, tmp_path, settings)
    model = encoder(tmp_path)
    assert model[0].auto_model.config.num_hidden_layers == 2
    made = load_generator(str(tmp_path), model.tokenizer)
    loss = difference_loss(model, made, KoDiffCseSettings())
    features = model.preprocess(list(TEXTS))
    assert torch.isfinite(loss([dict(features), dict(features)]))
