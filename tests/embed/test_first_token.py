"""The last layer for the first token alone: the same vectors, and only where nothing else is pooled."""

import numpy as np
import pytest
import torch
from small_encoders import CONFIGS, LETTERS, loaded, small_encoder

from kure_rag.embed.backends import graphs
from kure_rag.embed.backends.first_token import compute_first_token_alone
from kure_rag.embed.backends.padding import padded

CHOSEN = np.random.default_rng(5)
TEXTS = ["".join(CHOSEN.choice(LETTERS, size=n)) for n in (1, 7, 30, 58, 12)]


def features(model):
    rows = model.tokenizer(TEXTS, truncation=True)["input_ids"]
    return [torch.from_numpy(part) for part in padded(rows, model.tokenizer.pad_token_id)]


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_vectors_are_those_of_all_tokens_last_layer(kind, attention, tmp_path):
    model = loaded(small_encoder(tmp_path, kind))
    model[0].model.set_attn_implementation(attention)
    module = graphs.pooled_module(list(model))
    with torch.inference_mode():
        expected = module(*features(model))
        assert compute_first_token_alone(list(model))
        np.testing.assert_allclose(module(*features(model)), expected, atol=1e-5)
        tokens = model[0](dict(zip(graphs.INPUTS, features(model), strict=True)))["token_embeddings"]
    assert tokens.shape[:2] == (len(TEXTS), 1), "nothing else is computed"


@pytest.mark.parametrize(("kind", "pooling"), [("xlm-roberta", "mean"), ("xlm-roberta", "max"), ("electra", "cls")])
def test_other_models_are_left_as_they_are(kind, pooling, tmp_path):
    model = loaded(small_encoder(tmp_path, kind, pooling=pooling))
    module = graphs.pooled_module(list(model))
    with torch.inference_mode():
        expected = module(*features(model))
        assert not compute_first_token_alone(list(model))
        np.testing.assert_array_equal(module(*features(model)), expected)
