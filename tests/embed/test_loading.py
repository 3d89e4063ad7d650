"""Models from a hub and from folders: one commit, safetensors only, and one clear error for each failure."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hub_stand_in import Hub, running
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Pooling, StaticEmbedding, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, set_seed

from kure_rag.embed import Embedder, EmbedSettings
from kure_rag.embed.hub import not_available
from kure_rag.errors import EmbeddingError

TEXT = "휴가"
VOCABULARY = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "휴가": 4, "보험": 5}

# One process for many tests: the Hugging Face libraries read the hub's address when they are imported.
WORKER = """
import json, logging, sys
from kure_rag.embed import Embedder, EmbedSettings
said = []
class Kept(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())
logging.getLogger("kure_rag").addHandler(Kept())
for line in sys.stdin:
    job = json.loads(line)
    said.clear()
    try:
        embedder = Embedder(job["model"], EmbedSettings(**job["settings"]))
        out = {"fingerprint": dict(embedder.fingerprint)}
        if job["embed"]:
            out["vectors"] = embedder.embed_queries([job["text"]]).tolist()
    except Exception as error:
        out = {"error": type(error).__name__, "message": str(error)}
    print("ANSWER " + json.dumps({**out, "said": said}), flush=True)
"""

Ask = Callable[..., dict[str, Any]]


def words() -> Tokenizer:
    made = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


def static(folder: Path, seed: int = 0, prompts: dict[str, str] | None = None) -> Path:
    weights = np.random.default_rng(seed).normal(size=(len(VOCABULARY), 8)).astype(np.float32)
    module = StaticEmbedding(words(), embedding_weights=weights)
    SentenceTransformer(modules=[module], prompts=prompts, device="cpu").save_pretrained(str(folder))
    return folder


def plain(folder: Path) -> Path:
    set_seed(1)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        initializer_range=0.4,
    )
    BertModel(config).save_pretrained(folder)
    made = words()
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    return folder


def with_dense(folder: Path) -> Path:
    modules = [Transformer(str(plain(folder.with_name("base")))), Pooling(16, pooling_mode="mean"), Dense(16, 8)]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder))
    return folder


def pickled(folder: Path) -> None:
    """The folder's weights as torch.save writes them."""
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def vector(folder: Path) -> np.ndarray:
    return Embedder(str(folder)).embed_queries([TEXT])


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def worker(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    env = {
        **{name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")},
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path_factory.mktemp("hf")),
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    assert process.stdin is not None
    process.stdin.close()
    process.wait(timeout=60)


@pytest.fixture
def ask(hub: Hub, worker: subprocess.Popen[str], tmp_path: Path) -> Iterator[Ask]:
    """Embeds a text with a model of the hub, in a process with a cache of the test's own."""

    def asking(model: str, *, cache: str = "cache", embed: bool = True, **settings: Any) -> dict[str, Any]:
        assert worker.stdin is not None
        assert worker.stdout is not None
        given = {"cache_folder": str(tmp_path / cache), "device": "cpu", **settings}
        hub.asked.clear()
        print(
            json.dumps({"model": model, "settings": given, "embed": embed, "text": TEXT}), file=worker.stdin, flush=True
        )
        for line in worker.stdout:
            if line.startswith("ANSWER "):
                answer: dict[str, Any] = json.loads(line.removeprefix("ANSWER "))
                return answer
        raise AssertionError("the process ended")

    yield asking
    hub.down = hub.torn = False


# From the hub


def test_a_model_from_the_hub_is_the_model(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    folder = static(tmp_path / "model", prompts={"query": "휴가 "})
    commit = hub.push("ours/whole", folder, pytorch_model__bin=b"junk", training_args__bin=b"junk", model__onnx=b"junk")
    answer = ask("ours/whole")
    np.testing.assert_allclose(answer["vectors"], vector(folder), atol=1e-6)
    assert answer["fingerprint"]["revision"] == commit
    assert answer["fingerprint"]["query_prefix"] == "휴가 "
    assert answer["said"] == []
    assert "model.safetensors" in " ".join(hub.downloaded())
    assert not {"pytorch_model.bin", "training_args.bin", "model.onnx"} & hub.downloaded()


@pytest.mark.parametrize("how", ["plain", "modules"])
def test_what_a_model_of_the_hub_was_made_from_is_told_where_that_has_prefixes(
    hub: Hub, ask: Ask, tmp_path: Path, how: str
) -> None:
    folder = plain(tmp_path / "model") if how == "plain" else with_dense(tmp_path / "model")
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "_name_or_path": "intfloat/multilingual-e5-base"}))
    hub.push(f"ours/from-e5-{how}", folder)
    told = "which has prefixes. If it needs them, say so: card='intfloat/multilingual-e5-base'; if not: query_prefix=''"
    said = ask(f"ours/from-e5-{how}")["said"]
    assert [line for line in said if line.startswith(f"ours/from-e5-{how} stores no prompts") and told in line]
    assert not [line for line in ask(f"ours/from-e5-{how}", query_prefix="query: ")["said"] if told in line]


def test_fingerprint_names_the_commit_and_downloads_no_weights(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    commit = hub.push("ours/fingerprint", static(tmp_path / "model"))
    assert ask("ours/fingerprint", embed=False)["fingerprint"]["revision"] == commit
    assert not [name for name in hub.downloaded() if name.endswith(".safetensors")]
    assert ask("ours/fingerprint", embed=False, local_files_only=True)["fingerprint"]["revision"] == commit
    assert hub.asked == []


def test_a_model_stays_at_its_commit_until_it_is_downloaded_anew(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    first, second = static(tmp_path / "first", seed=1), static(tmp_path / "second", seed=2)
    old = hub.push("ours/moving", first)
    assert ask("ours/moving")["fingerprint"]["revision"] == old
    new = hub.push("ours/moving", second)
    again = ask("ours/moving")
    assert again["fingerprint"]["revision"] == old
    np.testing.assert_allclose(again["vectors"], vector(first), atol=1e-6)
    fresh = ask("ours/moving", cache="other")
    assert fresh["fingerprint"]["revision"] == new
    np.testing.assert_allclose(fresh["vectors"], vector(second), atol=1e-6)


@pytest.mark.parametrize("by", ["commit", "branch"])
def test_a_revision_is_pinned(hub: Hub, ask: Ask, tmp_path: Path, by: str) -> None:
    first, second = static(tmp_path / "first", seed=1), static(tmp_path / "second", seed=2)
    old = hub.push(f"ours/pinned-{by}", first, "v1")
    hub.push(f"ours/pinned-{by}", second)
    answer = ask(f"ours/pinned-{by}", revision=old if by == "commit" else "v1")
    assert answer["fingerprint"]["revision"] == old
    np.testing.assert_allclose(answer["vectors"], vector(first), atol=1e-6)


def test_an_interrupted_download_is_completed(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    folder = with_dense(tmp_path / "model")
    hub.push("ours/interrupted", folder)
    hub.torn = True
    broken = ask("ours/interrupted")
    assert broken["error"] == "ModelNotAvailableError"
    hub.torn = False
    np.testing.assert_allclose(ask("ours/interrupted")["vectors"], vector(folder), atol=1e-6)


def test_without_the_hub_the_copy_in_the_cache_is_used_and_that_is_said(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    folder = static(tmp_path / "model")
    commit = hub.push("ours/down", folder)
    assert ask("ours/down")["said"] == []
    hub.down = True
    answer = ask("ours/down")
    np.testing.assert_allclose(answer["vectors"], vector(folder), atol=1e-6)
    assert len(answer["said"]) == 1
    assert f"the copy of commit {commit[:8]} in the cache is used" in answer["said"][0]


def test_local_files_only_asks_the_hub_nothing(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    folder = with_dense(tmp_path / "model")
    hub.push("ours/local", folder)
    missing = ask("ours/local", local_files_only=True)
    assert missing["error"] == "ModelNotAvailableError"
    assert hub.asked == []
    assert "vectors" in ask("ours/local")
    answer = ask("ours/local", local_files_only=True)
    np.testing.assert_allclose(answer["vectors"], vector(folder), atol=1e-6)
    assert answer["said"] == []
    assert hub.asked == []


def test_a_cache_without_the_weights_is_not_a_model(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    hub.push("ours/half", static(tmp_path / "model"))
    ask("ours/half", embed=False)
    answer = ask("ours/half", local_files_only=True)
    assert answer["error"] == "ModelNotAvailableError"
    assert "no model.safetensors" in answer["message"] or "is missing" in answer["message"]
    assert "hf download ours/half" in answer["message"]


def test_a_plain_checkpoint_from_the_hub(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    folder = plain(tmp_path / "model")
    hub.push("ours/plain", folder, onnx__onnx=b"junk")
    answer = ask("ours/plain", pooling="cls")
    expected = Embedder(str(folder), EmbedSettings(pooling="cls", device="cpu")).embed_queries([TEXT])
    np.testing.assert_allclose(answer["vectors"], expected, atol=1e-5)
    assert answer["fingerprint"]["pooling"] == "cls"


# From the hub, refused or failed


def test_pickled_weights_on_the_hub_are_refused_before_they_are_downloaded(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    folder = plain(tmp_path / "model")
    pickled(folder)
    hub.push("ours/pickled", folder)
    answer = ask("ours/pickled")
    assert answer["error"] == "EmbeddingError"
    for part in ("ours/pickled", "pytorch_model.bin is pickled", "only safetensors are loaded", "refs/pr/1"):
        assert part in answer["message"]
    assert not [name for name in hub.downloaded() if name.endswith(".bin")]


def test_one_pickled_module_on_the_hub_is_refused(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    folder = with_dense(tmp_path / "model")
    pickled(folder / "2_Dense")
    hub.push("ours/pickled-dense", folder)
    answer = ask("ours/pickled-dense")
    assert answer["error"] == "EmbeddingError"
    assert "2_Dense/pytorch_model.bin is pickled" in answer["message"]
    assert not [name for name in hub.downloaded() if name.endswith((".bin", ".safetensors"))]


def test_a_repository_without_a_model(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    hub.push("ours/empty", tmp_path / "empty", README__md=b"# nothing")
    answer = ask("ours/empty")
    assert answer["error"] == "EmbeddingError"
    assert "ours/empty: no model in this repository" in answer["message"]


def test_what_the_hub_refuses_is_said_in_words(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    folder = static(tmp_path / "model")
    hub.push("ours/gated", folder)
    hub.gated.add("ours/gated")
    hub.push("ours/there", folder)
    for model, settings, told in (
        ("ours/nowhere", {}, "The model hub has no ours/nowhere, or it is private"),
        ("ours/gated", {}, f"ours/gated is gated: accept its terms at {hub.url}/ours/gated"),
        ("ours/there", {"revision": "v9"}, "ours/there has no revision 'v9'"),
        ("ours/there", {"revision": "0" * 40}, f"ours/there has no revision '{'0' * 40}'"),
    ):
        answer = ask(model, **settings)
        assert answer["error"] == "ModelNotAvailableError"
        assert told in answer["message"]
        assert "model='static-ko'" in answer["message"]


def test_a_hub_that_drops_the_connection(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    hub.push("ours/dropped", static(tmp_path / "model"))
    hub.down = True
    answer = ask("ours/dropped")
    assert answer["error"] == "ModelNotAvailableError"
    assert "The weights of ours/dropped cannot be reached" in answer["message"]


def test_a_cache_that_cannot_be_made(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    hub.push("ours/nocache", static(tmp_path / "model"))
    (tmp_path / "file").write_text("a file, no folder")
    answer = ask("ours/nocache", cache="file/cache")
    assert answer["error"] == "ModelNotAvailableError"


def test_a_full_disk_is_named() -> None:
    message = str(not_available("ours/big", OSError(errno.ENOSPC, "No space left on device")))
    assert "the disk is full: free some space, or set cache_folder" in message


# From folders


def error(folder: Path, **settings: Any) -> str:
    with pytest.raises(EmbeddingError) as caught:
        Embedder(str(folder), EmbedSettings(device="cpu", **settings)).embed_queries([TEXT])
    assert type(caught.value) is EmbeddingError
    assert str(folder) in str(caught.value)
    return str(caught.value)


def edit_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    file = folder / "model.safetensors"
    save_file({name: w.contiguous() for name, w in change(load_file(file)).items()}, file, metadata={"format": "pt"})


def test_the_folders_are_sound(tmp_path: Path) -> None:
    assert vector(plain(tmp_path / "plain")).shape == (1, 16)
    assert vector(with_dense(tmp_path / "dense")).shape == (1, 8)


def test_weights_of_another_shape(tmp_path: Path) -> None:
    folder = plain(tmp_path / "model")
    edit_weights(folder, lambda w: {name: t[..., :8] if "query.weight" in name else t for name, t in w.items()})
    error(folder)


def test_dense_weights_of_another_shape(tmp_path: Path) -> None:
    folder = with_dense(tmp_path / "model")
    file = folder / "2_Dense" / "model.safetensors"
    save_file({name: w[:4].contiguous() for name, w in load_file(file).items()}, file)
    error(folder)


def test_weights_that_lack_a_layer_are_not_made_up(tmp_path: Path) -> None:
    folder = plain(tmp_path / "model")
    edit_weights(folder, lambda w: {name: t for name, t in w.items() if "layer.1" not in name})
    assert "the weights lack 16 of" in error(folder)


def test_weights_without_the_pooler_are_whole(tmp_path: Path) -> None:
    folder = plain(tmp_path / "model")
    before = vector(folder)
    edit_weights(folder, lambda w: {name: t for name, t in w.items() if "pooler" not in name})
    np.testing.assert_allclose(vector(folder), before, atol=1e-6)


def test_weights_in_several_files(tmp_path: Path) -> None:
    folder = plain(tmp_path / "model")
    before = vector(folder)
    (folder / "model.safetensors").unlink()
    set_seed(1)
    weights = BertModel(BertConfig.from_pretrained(folder)).state_dict()
    names = sorted(weights)
    shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for shard, kept in shards.items():
        save_file({name: weights[name].contiguous() for name in kept}, folder / shard, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: shard for shard, kept in shards.items() for name in kept}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    np.testing.assert_allclose(vector(folder), before, atol=1e-6)
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert "model-00002-of-00002.safetensors is missing" in error(folder)
    (folder / "model.safetensors.index.json").write_text("{}")
    assert "names no files of weights" in error(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.ckpt", "weights.pt", "pytorch_model-00001-of-00002.bin"])
def test_only_pickled_weights(tmp_path: Path, name: str) -> None:
    folder = plain(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / name)
    assert f"{name} is pickled" in error(folder)


def test_other_formats_are_named(tmp_path: Path) -> None:
    folder = plain(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "tf_model.h5")
    assert "only tf_model.h5, a format that is not read" in error(folder)


def test_a_safetensors_file_of_another_name_does_not_cover_a_pickle(tmp_path: Path) -> None:
    folder = with_dense(tmp_path / "model")
    pickled(folder / "2_Dense")
    save_file({"other": torch.ones(1)}, folder / "2_Dense" / "other.safetensors")
    assert "2_Dense/pytorch_model.bin is pickled" in error(folder)


def test_what_training_left_behind_does_no_harm(tmp_path: Path) -> None:
    folder = plain(tmp_path / "model")
    for name in ("training_args.bin", "optimizer.pt", "rng_state.pth", "scheduler.pt"):
        (folder / name).write_bytes(b"never read")
    assert vector(folder).shape == (1, 16)


@pytest.mark.parametrize("make", [plain, static, with_dense])
def test_no_tokenizer(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    folder = make(tmp_path / "model")
    for name in ("tokenizer.json", "vocab.txt"):
        for file in folder.rglob(name):
            file.unlink()
    assert "no tokenizer" in error(folder)


@pytest.mark.parametrize("name", ["config.json", "1_Pooling/config.json", "2_Dense/config.json"])
@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_settings_file_that_is_missing_or_broken(tmp_path: Path, name: str, content: str | None) -> None:
    folder = with_dense(tmp_path / "model")
    (folder / name).unlink()
    if content is None:
        assert "config.json is missing" in error(folder)
    else:
        (folder / name).write_text(content)
        error(folder)


@pytest.mark.parametrize("content", ["[]", "{}", '[{"idx": 0}]', "3", '[{"path": "../..", "type": "x.Transformer"}]'])
def test_a_list_of_modules_that_is_none(tmp_path: Path, content: str) -> None:
    folder = with_dense(tmp_path / "model")
    (folder / "modules.json").write_text(content)
    assert "modules.json" in error(folder)


def test_an_adapter_is_no_model(tmp_path: Path) -> None:
    folder = plain(tmp_path / "model")
    (folder / "adapter_config.json").write_text("{}")
    assert "merge the two" in error(folder)


def test_a_model_with_code_of_its_own_needs_consent(tmp_path: Path) -> None:
    folder = plain(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "our-own", "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text("raise SystemExit('code of the model ran')\n")
    assert "pass trust_remote_code=True" in error(folder)


def test_a_module_with_code_of_its_own_needs_consent(tmp_path: Path) -> None:
    folder = with_dense(tmp_path / "model")
    modules = json.loads((folder / "modules.json").read_text())
    modules[2]["type"] = "own.OwnDense"
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "own.py").write_text("raise SystemExit('code of the model ran')\n")
    assert "pass trust_remote_code=True" in error(folder)


def test_code_runs_once_it_is_trusted(tmp_path: Path) -> None:
    folder = plain(tmp_path / "model")
    before = vector(folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "our-own", "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(
        "from transformers import BertConfig, BertModel\n"
        "class OwnConfig(BertConfig):\n    model_type = 'our-own'\n"
        "class OwnModel(BertModel):\n    config_class = OwnConfig\n"
    )
    found = Embedder(str(folder), EmbedSettings(trust_remote_code=True, device="cpu")).embed_queries([TEXT])
    np.testing.assert_allclose(found, before, atol=1e-6)


def test_a_pooling_setting_for_a_model_without_pooling(tmp_path: Path) -> None:
    assert "leave pooling out" in error(static(tmp_path / "model"), pooling="cls")


@pytest.mark.parametrize("pooling", ["CLS", "first", ""])
def test_a_pooling_that_there_is_not(pooling: Any) -> None:
    with pytest.raises(ValueError, match="choose one of cls, mean"):
        EmbedSettings(pooling=pooling)
