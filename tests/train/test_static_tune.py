import numpy as np
import pytest

from kure_rag.train.static_batches import TuneText
from kure_rag.train.static_tune import Tuner, TuneSettings, loss_and_gradient

SETTINGS = TuneSettings(temperature=0.1, sharpness=5.0)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def contrastive(sums, pairs, _):
    cosines = unit(sums[:pairs]) @ unit(sums[pairs:]).T / SETTINGS.temperature
    rows = [np.log(np.exp(cosines[i]).sum()) - cosines[i, i] for i in range(pairs)]
    columns = [np.log(np.exp(cosines[:, i]).sum()) - cosines[i, i] for i in range(pairs)]
    return (np.mean(rows) + np.mean(columns)) / 2


def cosent(sums, pairs, scores):
    cosines = (unit(sums[:pairs]) * unit(sums[pairs:])).sum(1)
    total = 1.0
    for i in range(pairs):
        for j in range(pairs):
            if scores[i] > scores[j]:
                total += np.exp(SETTINGS.sharpness * (cosines[j] - cosines[i]))
    return np.log(total)


@pytest.mark.parametrize(("reference", "scores"), [(contrastive, None), (cosent, [4.0, 1.5, 4.0, 0.0])])
def test_losses_and_gradients_are_those_of_their_formulas(reference, scores):
    sums = np.random.default_rng(0).standard_normal((8, 5))
    loss, gradient = loss_and_gradient(sums.astype(np.float32), 4, scores, SETTINGS)
    assert loss == pytest.approx(reference(sums, 4, scores), rel=1e-5)
    for i, j in ((0, 0), (3, 4), (5, 2)):
        step = np.zeros_like(sums)
        step[i, j] = 1e-5
        slope = (reference(sums + step, 4, scores) - reference(sums - step, 4, scores)) / 2e-5
        assert gradient[i, j] == pytest.approx(slope, abs=1e-4)


def test_pairs_of_one_score_have_no_order():
    sums = np.random.default_rng(0).standard_normal((8, 5)).astype(np.float32)
    loss, gradient = loss_and_gradient(sums, 4, [3.0] * 4, SETTINGS)
    assert loss == 0
    assert not gradient.any()


def some_text(rng, scored):
    def ids(length):
        return rng.integers(0, 60, length)

    return TuneText(
        titles=[ids(4) for _ in range(12)],
        headings=[ids(2) for _ in range(12)],
        bodies=[ids(40) for _ in range(12)],
        runs=[[ids(8) for _ in range(9)]],
        paraphrases=[(ids(6), ids(6)) for _ in range(10)],
        scored=scored,
    )


def pairs_with_scores(rng, count=40):
    return [(rng.integers(0, 60, 6), rng.integers(0, 60, 6), float(score)) for score in rng.integers(0, 6, count)]


def test_steps_are_those_of_sparse_adam():
    import torch
    from torch.nn.functional import cosine_similarity, embedding

    rng = np.random.default_rng(3)
    start = rng.standard_normal((60, 8)).astype(np.float32)
    scored = pairs_with_scores(rng, count=4)
    settings = TuneSettings(steps=6, batch=4, way=1.0, statutes=0, reports=0, paraphrases=0, scored=1)
    tuner = Tuner(start, some_text(rng, scored), seed=5, settings=settings)
    for _ in range(settings.steps):
        tuner.advance()

    rows = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimiser = torch.optim.SparseAdam([rows], betas=(0.9, 0.99))
    for step in range(settings.steps):
        optimiser.param_groups[0]["lr"] = settings.learning_rate * (1 - step / settings.steps) * (step + 1) / 50
        left, right = (
            torch.stack([embedding(torch.tensor(pair[side]), rows, sparse=True).mean(0) for pair in scored])
            for side in (0, 1)
        )
        cosines = settings.sharpness * cosine_similarity(left, right)
        loss = torch.log(
            1 + sum((cosines[j] - cosines[i]).exp() for i in range(4) for j in range(4) if scored[i][2] > scored[j][2])
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    moved = rows.detach().numpy() - start
    assert np.abs(moved).max() > 1e-4
    np.testing.assert_allclose(tuner.result() - start, moved, atol=1e-6)


def test_pieces_that_no_batch_holds_stay_where_they_are():
    rng = np.random.default_rng(0)
    start = rng.standard_normal((90, 8)).astype(np.float32)  # pieces from 60 on are in no text
    tuner = Tuner(start, some_text(rng, pairs_with_scores(rng)), seed=1, settings=TuneSettings(steps=20, batch=8))
    for _ in range(20):
        tuner.advance()
    assert np.array_equal(tuner.result()[60:], start[60:])
    assert not np.array_equal(tuner.result()[:60], start[:60])


def test_scored_pairs_come_into_their_order():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    scored = pairs_with_scores(rng)
    start = rng.standard_normal((60, 16)).astype(np.float32)
    settings = TuneSettings(steps=60, batch=40, learning_rate=0.05, way=1.0, statutes=0, reports=0, paraphrases=0)
    tuner = Tuner(start, some_text(rng, scored), seed=1, settings=settings)
    for _ in range(60):
        tuner.advance()

    def order(rows):
        sides = [unit(np.stack([rows[pair[side]].sum(0) for pair in scored])) for side in (0, 1)]
        return spearmanr((sides[0] * sides[1]).sum(1), [score for _, _, score in scored])[0]

    assert order(tuner.result()) > 0.9 > 0.5 > order(start)


@pytest.mark.parametrize("shares", [(0, 0, 0, 0), (0.5, 0.3, 0.2, -0.1)])
def test_shares_of_nothing_are_refused(shares):
    with pytest.raises(ValueError, match="shares of batches"):
        TuneSettings(**dict(zip(("statutes", "reports", "paraphrases", "scored"), shares, strict=True)))
