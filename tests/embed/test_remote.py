import copy
import email.utils
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stand_in_embeddings import KEY, Answer, Request, StandIn, in_turn, right, serving, vector_of

from kure_rag.embed import Embedder, EmbedSettings, ModelCard
from kure_rag.embed.backends.plain_http import is_here
from kure_rag.embed.backends.remote import API_KEY, RemoteBackend, RemoteSettings
from kure_rag.errors import EmbeddingError, EndpointError, TextTooLongError

pytest.importorskip("httpx", reason="the extra `remote` is not installed")

CARD = ModelCard(name="someone/model", max_tokens=100)
TEXTS = [f"{i}번째 조항은 휴가에 관한 규정이다." for i in range(150)]
QUICK = RemoteSettings(batch_size=16, retries=3, backoff=0.001, timeout=20)
BUSY = Answer(503, {"error": "loading"})


@pytest.fixture
def server() -> Iterator[StandIn]:
    with serving(model="someone/model") as running:
        yield running


def backend(server: StandIn, path: str = "", **changes: Any) -> RemoteBackend:
    return RemoteBackend(server.url + path, CARD, settings=replace(QUICK, **changes))


def encode(made: RemoteBackend, texts: list[str], **more: Any) -> np.ndarray:
    return made.encode(texts, role="passage", **more)


# Which protocol


@pytest.mark.parametrize(
    ("tei", "path", "asked"),
    [
        (True, "", "/embed"),
        (True, "/", "/embed"),
        (False, "", "/v1/embeddings"),
        (True, "/embed", "/embed"),
        (True, "/v1", "/v1/embeddings"),
        (True, "/v1/", "/v1/embeddings"),
        (False, "/v1/embeddings", "/v1/embeddings"),
    ],
)
def test_the_protocol_is_found(server: StandIn, tei: bool, path: str, asked: str) -> None:
    server.tei = tei
    made = backend(server, path)
    assert not server.requests, "nothing is asked before it must"
    for _ in range(2):
        np.testing.assert_allclose(encode(made, TEXTS[:3]), right(TEXTS[:3]), rtol=1e-6)
    assert {request.path for request in server.asked} == {asked}
    assert len(server.requests) - len(server.asked) == (0 if "v1" in path else 1), "/info is asked once"


def test_a_path_below_another_is_kept(server: StandIn) -> None:
    server.before = lambda request: Answer(body=[[1.0, 2.0]]) if request.path == "/models/koe5/embed" else None
    np.testing.assert_array_equal(encode(backend(server, "/models/koe5/embed"), ["휴가"]), [[1, 2]])


def test_what_is_said_to_tei(server: StandIn) -> None:
    encode(backend(server), ["휴가"])
    assert [request.body for request in server.asked] == [{"inputs": ["휴가"], "normalize": False, "truncate": False}]


def test_what_is_said_in_openais_protocol(server: StandIn) -> None:
    encode(backend(server, "/v1"), ["휴가"])
    assert [request.body for request in server.asked] == [
        {"model": "someone/model", "input": ["휴가"], "encoding_format": "float"}
    ]


# Order, batches


@pytest.mark.parametrize("path", ["", "/v1"])
def test_many_batches_keep_their_order(server: StandIn, path: str) -> None:
    told: list[int] = []
    found = encode(backend(server, path, requests_at_once=5), TEXTS, progress=told.append)
    np.testing.assert_allclose(found, right(TEXTS), rtol=1e-6)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert told == sorted(told)
    assert told[-1] == len(TEXTS)
    assert max(len(r.body.get("inputs") or r.body["input"]) for r in server.asked) == 16


@pytest.mark.parametrize("encode_base64", [False, True])
def test_rows_come_by_index_and_in_base64(server: StandIn, encode_base64: bool) -> None:
    server.shuffle, server.encode_base64 = True, encode_base64
    np.testing.assert_allclose(encode(backend(server, "/v1"), TEXTS), right(TEXTS), rtol=1e-6)


def test_requests_run_at_once_and_no_more_than_allowed(server: StandIn) -> None:
    meeting, running, most, lock = threading.Barrier(3), 0, 0, threading.Lock()

    def before(request: Request) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        meeting.wait(timeout=20)  # broken, and an error 500, unless three are here together
        with lock:
            running -= 1

    server.before = before
    encode(backend(server, batch_size=10, requests_at_once=3), TEXTS)
    assert most == 3


def test_characters_bound_a_request_too(server: StandIn) -> None:
    encode(backend(server, batch_characters=100), [*TEXTS[:20], "긴 글 " * 50])
    sizes = [sum(map(len, request.body["inputs"])) for request in server.asked]
    assert max(sizes) == 200, "one text alone may be longer"
    assert sorted(sizes)[-2] <= 100


def test_the_servers_own_limit_is_kept(server: StandIn) -> None:
    server.most_texts = 5
    encode(backend(server), TEXTS)
    assert max(len(request.body["inputs"]) for request in server.asked) == 5


def test_a_refused_batch_is_halved_and_the_next_ones_are_smaller(server: StandIn) -> None:
    server.most_texts = 6
    made = backend(server, "/v1", requests_at_once=1)
    np.testing.assert_allclose(encode(made, TEXTS), right(TEXTS), rtol=1e-6)
    server.requests.clear()
    encode(made, TEXTS)
    assert max(len(request.body["input"]) for request in server.asked) <= 6


# Failures that pass


@pytest.mark.parametrize("status", [0, 429, 500, 502, 503, 504])
def test_a_failure_that_passes_is_waited_for(server: StandIn, status: int) -> None:
    server.before = in_turn(*[Answer(status, {"error": "later"})] * 3)
    np.testing.assert_allclose(encode(backend(server), TEXTS[:2]), right(TEXTS[:2]), rtol=1e-6)
    assert len(server.asked) == 4


def test_a_failure_that_stays_is_an_error_with_what_where_and_next(server: StandIn) -> None:
    server.before = lambda request: BUSY
    with pytest.raises(EndpointError, match=r"127\.0\.0\.1.*503 \(loading\).*4 tries.*Check") as caught:
        encode(backend(server), TEXTS[:2])
    assert len(server.asked) == 4
    assert isinstance(caught.value, EmbeddingError)


def test_nobody_listens() -> None:
    with serving() as gone:
        pass
    with pytest.raises(EndpointError, match=r"no connection.*4 tries"):
        encode(backend(gone), ["휴가"])


def test_a_server_that_never_answers(server: StandIn) -> None:
    release = threading.Event()

    def before(request: Request) -> None:
        release.wait(20)

    server.before = before
    try:
        with pytest.raises(EndpointError, match=r"no answer within 0\.1 s"):
            encode(backend(server, timeout=0.1, retries=1), ["휴가"])
    finally:
        release.set()


def test_settings_of_the_embedder_reach_the_requests(server: StandIn) -> None:
    server.before = lambda request: BUSY
    settings = EmbedSettings(backend="remote", endpoint=server.url, retries=0)
    with pytest.raises(EndpointError, match="503"):
        Embedder("someone/model", settings, card=CARD).embed_queries(["휴가"])
    assert len(server.asked) == 1
    release = threading.Event()
    server.before = lambda request: release.wait(20) and None
    settings = EmbedSettings(backend="remote", endpoint=server.url, retries=0, timeout=0.1)
    try:
        with pytest.raises(EndpointError, match=r"no answer within 0\.1 s"):
            Embedder("someone/model", settings, card=CARD).embed_queries(["휴가"])
    finally:
        release.set()


@pytest.mark.parametrize("kind", ["seconds", "date"])
def test_retry_after_is_honoured(server: StandIn, kind: str) -> None:
    came: list[float] = []

    def before(request: Request) -> Answer | None:
        came.append(time.time())
        if len(came) > 1:
            return None
        value = "1" if kind == "seconds" else email.utils.formatdate(time.time() + 2.5, usegmt=True)
        return Answer(429, {"error": "busy"}, {"Retry-After": value})

    server.before = before
    encode(backend(server), ["휴가"])
    assert came[1] - came[0] >= 0.95


def test_a_wait_that_is_too_long_is_an_error_at_once(server: StandIn) -> None:
    server.before = lambda request: Answer(429, {"error": "quota"}, {"Retry-After": "7200"})
    with pytest.raises(EndpointError, match=r"quota.*wait 7,200 s"):
        encode(backend(server), ["휴가"])
    assert len(server.asked) == 1


def test_an_error_stops_the_other_requests(server: StandIn) -> None:
    def before(request: Request) -> Answer | None:
        return Answer(404, {"error": "no such model"}) if TEXTS[0] in request.body["inputs"] else BUSY

    server.before = before
    with pytest.raises(EndpointError, match="no such model"):
        encode(backend(server, requests_at_once=2, backoff=5.0, batch_size=1), TEXTS)
    assert len(server.asked) < 20


# Failures that stay


@pytest.mark.parametrize("status", [400, 404, 405, 413, 422, 424])
def test_a_refusal_is_not_repeated(server: StandIn, status: int) -> None:
    server.before = lambda request: Answer(status, {"error": {"message": "이런 모델은 없다"}})
    with pytest.raises(EndpointError, match=f"127.0.0.1.*{status} .이런 모델은 없다.*check"):
        encode(backend(server, "/v1"), ["휴가"])
    assert len(server.asked) == 1


BAD_ANSWERS = {
    "no JSON": b"<html>hello</html>",
    "no data": {"object": "list"},
    "too few": {"data": [{"index": 0, "embedding": [1.0, 2.0]}]},
    "twice the same": {"data": [{"index": 0, "embedding": [1.0, 2.0]}] * 2},
    "another index": {"data": [{"index": 0, "embedding": [1.0]}, {"index": 2, "embedding": [1.0]}]},
    "two widths": {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]},
    "nested without end": b"[" * 200_000,
    "an integer of 400 digits": b'{"data":[{"index":0,"embedding":[1%s]},{"index":1,"embedding":[1]}]}' % (b"0" * 400),
    "an integer of 5,000 digits": b'{"data":[{"index":0,"embedding":[1%s]}]}' % (b"0" * 5000),
    "an index with a point": {"data": [{"index": 0.0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0]}]},
    "an index that is true": {"data": [{"index": 0, "embedding": [1.0]}, {"index": True, "embedding": [1.0]}]},
    "an index that is a list": {"data": [{"index": [0], "embedding": [1.0]}, {"index": 1, "embedding": [1.0]}]},
    "no numbers": {"data": [{"index": 0, "embedding": ["가"]}, {"index": 1, "embedding": ["나"]}]},
    "nothing in it": {"data": [{"index": 0, "embedding": []}, {"index": 1, "embedding": []}]},
    "null": {"data": [{"index": 0, "embedding": None}, {"index": 1, "embedding": None}]},
    "not finite": {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [float("nan")]}]},
    "too large": {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1e300]}]},
    "bad base64": {"data": [{"index": 0, "embedding": "가나다"}, {"index": 1, "embedding": "AAA"}]},
    "a list": [[1.0], [2.0]],
}


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize("what", BAD_ANSWERS)
def test_an_answer_that_cannot_be_right_is_an_error(server: StandIn, what: str) -> None:
    server.before = lambda request: Answer(body=BAD_ANSWERS[what])
    with pytest.raises(EndpointError, match=r"127\.0\.0\.1.*(answer).*(heck)"):
        encode(backend(server, "/v1"), TEXTS[:2])


@pytest.mark.parametrize("body", [{"error": "x"}, [[1.0]], [[1.0], [1.0, 2.0]], [1.0, 2.0], [["가"], ["나"]]])
def test_an_answer_of_tei_that_cannot_be_right(server: StandIn, body: Any) -> None:
    server.before = lambda request: Answer(body=body)
    with pytest.raises(EndpointError, match="answer cannot be used"):
        encode(backend(server), TEXTS[:2])


@pytest.mark.parametrize("path", ["/embed", "/v1"])
def test_a_vector_of_zeros_is_an_error_where_unit_length_is_promised(server: StandIn, path: str) -> None:
    rows = [[1.0, 2.0], [0.0, -0.0]]
    server.before = lambda request: Answer(
        body=rows if path == "/embed" else {"data": [{"index": i, "embedding": row} for i, row in enumerate(rows)]}
    )
    with pytest.raises(EndpointError, match=r"vector of text 1 \('급여'\) is zeros alone.*check that"):
        encode(backend(server, path), ["휴가", "급여"])
    as_pooled = RemoteBackend(server.url + path, replace(CARD, normalize=False), settings=QUICK)
    np.testing.assert_array_equal(encode(as_pooled, ["휴가", "급여"]), rows)


@pytest.mark.parametrize(
    "told", [b"[" * 200_000, {"error": "token given: ,"}, {"error": "got " + "9" * 5000 + " tokens"}]
)
def test_a_refusal_in_garbage_is_an_error(server: StandIn, told: Any) -> None:
    server.before = lambda request: Answer(413, told)
    with pytest.raises(EndpointError, match=r"127\.0\.0\.1.*413"):
        encode(backend(server, "/v1"), ["휴가"])


def test_batches_of_two_widths_are_an_error(server: StandIn) -> None:
    server.before = lambda request: Answer(body=[[1.0] * (4 if TEXTS[0] in request.body["inputs"] else 5)] * 16)
    with pytest.raises(EndpointError, match="another model"):
        encode(backend(server), TEXTS[:48])


def test_a_model_of_another_width_than_the_cards_is_an_error(server: StandIn) -> None:
    made = RemoteBackend(server.url, replace(CARD, dimension=1024), settings=QUICK)
    with pytest.raises(EndpointError, match=r"8 numbers.*1,024"):
        encode(made, ["휴가"])


@pytest.mark.parametrize(
    "url", ["localhost:8080", "ftp://host/", "http://", "https:///embed", "", "http://[::1/v1", "http://host:99999"]
)
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(EndpointError, match="no URL of a server"):
        RemoteBackend(url, CARD)
    with pytest.raises(EndpointError, match="no URL of a server"):
        _ = Embedder("KoE5", EmbedSettings(backend="remote", endpoint=url)).engine


@pytest.mark.parametrize(
    "wrong",
    [{"batch_size": 0}, {"batch_characters": 0}, {"requests_at_once": 0}, {"retries": -1}, {"timeout": 0.0}],
)
def test_settings_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RemoteSettings(**wrong)


# The key


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(API_KEY, KEY)
    return KEY


def test_the_key_is_sent_and_taken_from_the_environment_alone(
    server: StandIn, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = key
    made = backend(server)
    encode(made, ["휴가"])
    monkeypatch.delenv(API_KEY)
    with pytest.raises(EndpointError, match=f"401.*{API_KEY} is missing"):
        encode(made, ["휴가"])


def test_the_key_shows_up_nowhere(server: StandIn, key: str, caplog: pytest.LogCaptureFixture) -> None:
    server.key = "another"
    embedder = Embedder("someone/model", EmbedSettings(backend="remote", endpoint=server.url), card=CARD)
    with caplog.at_level(logging.DEBUG), pytest.raises(EndpointError, match="not accepted") as caught:
        embedder.embed_queries(["휴가"])
    server.key = None
    server.before = in_turn(Answer(500, {"error": f"crashed with Bearer {key}"}))
    made = backend(server)
    with caplog.at_level(logging.DEBUG):
        encode(made, ["휴가"])
    shown = [caplog.text, str(caught.value), repr(caught.value), repr(made), repr(vars(made)), repr(vars(made._http))]
    shown += [repr(embedder.settings), repr(dict(embedder.fingerprint)), repr(copy.copy(embedder).settings)]
    assert not [text for text in shown if key in text]
    assert server.asked[-1].key == f"Bearer {key}"


def test_another_host_gets_texts_but_no_key(server: StandIn, key: str) -> None:
    with serving() as other:
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        server.before = lambda request: Answer(307, {}, {"Location": f"{elsewhere}{request.path}"})
        np.testing.assert_allclose(encode(backend(server, "/embed"), ["휴가"]), right(["휴가"]), rtol=1e-6)
        assert [request.key for request in server.asked] == [f"Bearer {key}"]
        assert [request.key for request in other.asked] == [None]


def test_a_key_that_leaves_this_machine_without_encryption_is_warned_of_once(
    server: StandIn, key: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server.key = key
    monkeypatch.setenv("HTTP_PROXY", server.url)  # so that another host is this server
    monkeypatch.delenv("NO_PROXY", raising=False)
    made = RemoteBackend("http://embeddings.example", CARD, settings=QUICK)
    with caplog.at_level(logging.DEBUG):
        encode(made, TEXTS[:2])
        encode(made, TEXTS[:2])
    assert [request.key for request in server.requests] == [f"Bearer {key}"] * 3, "/info is asked first"
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("http://embeddings.example: the key in KURE_EMBEDDINGS_API_KEY is sent there without enc")
    assert key not in caplog.text
    assert key not in repr(vars(made._http))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_key_for_a_server_on_this_machine_is_no_news(
    server: StandIn, key: str, host: str, caplog: pytest.LogCaptureFixture
) -> None:
    encode(RemoteBackend(server.url.replace("127.0.0.1", host), CARD, settings=QUICK), ["휴가"])
    assert server.asked[0].key == f"Bearer {key}"
    assert not caplog.records


def test_without_a_key_nothing_is_said_of_encryption(
    server: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(API_KEY, raising=False)
    monkeypatch.setenv("HTTP_PROXY", server.url)
    encode(RemoteBackend("http://embeddings.example", CARD, settings=QUICK), ["휴가"])
    assert not caplog.records


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("models.localhost", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.7", False),
        ("192.168.0.3", False),
        ("localhost.example.com", False),
        ("gpu-box", False),
    ],
)
def test_which_hosts_are_this_machine(host: str, here: bool) -> None:
    assert is_here(host) == here


def test_an_endpoint_with_a_key_in_its_query_is_shown_by_no_settings() -> None:
    from kure_rag import KureEmbeddings

    given = {"backend": "remote", "endpoint": "https://host/v1/embeddings?code=geheim"}
    embeddings = KureEmbeddings("KoE5", **given)
    assert "geheim" not in repr(EmbedSettings(**given)) + repr(embeddings) + str(embeddings)
    assert "geheim" not in repr(embeddings.kure_embedder.engine)


def test_the_same_host_gets_the_key_again(server: StandIn, key: str) -> None:
    server.before = lambda request: (
        None if request.path == "/v1/embeddings" else Answer(308, {}, {"Location": "/v1/embeddings"})
    )
    encode(backend(server, "/old/v1"), ["휴가"])
    assert [request.key for request in server.asked] == [f"Bearer {key}"] * 2


@pytest.mark.parametrize("url", ["http://user:{}@host/v1", "http://{}@host/v1", "user:{}@host/v1"])
def test_a_key_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(EndpointError, match=API_KEY) as caught:
        RemoteBackend(url.format(KEY), CARD)
    assert KEY not in str(caught.value)


def test_a_query_string_is_sent_and_not_shown(server: StandIn) -> None:
    server.before = lambda request: Answer(404, {"error": "none"})
    with pytest.raises(EndpointError) as caught:
        encode(backend(server, "/v1/embeddings?code=geheim"), ["휴가"])
    assert server.asked[0].path.endswith("?code=geheim")
    assert "geheim" not in str(caught.value)


# Long texts

LONG = "긴 글 " * 40  # 80 tokens there


def test_long_texts_are_cut_by_tei_and_counted(server: StandIn) -> None:
    server.most_tokens, found = 10, []
    made = backend(server, requests_at_once=1)
    texts = [*TEXTS[:5], LONG, *TEXTS[5:20], LONG + "끝"]
    vectors = encode(made, texts, too_long=found.extend)
    np.testing.assert_allclose(vectors[5], vector_of(" ".join(LONG.split()[:10])), rtol=1e-6)
    np.testing.assert_allclose(vectors[:5], right(TEXTS[:5]), rtol=1e-6)
    assert found == [(5, 80), (21, 81)]
    server.requests.clear()
    found.clear()
    encode(made, texts, too_long=found.extend)
    assert found == [(5, 80), (21, 81)], "as well when it is told to cut from the start"
    assert all(request.body["truncate"] for request in server.asked), "asked to cut from the start by now"
    assert len(server.asked) == 2


@pytest.mark.parametrize("at_once", [1, 4])
def test_all_texts_that_tei_cuts_are_counted_and_told_as_all(
    server: StandIn, caplog: pytest.LogCaptureFixture, at_once: int, tmp_path: Path
) -> None:
    server.most_tokens, server.most_texts = 10, 7
    texts = [LONG + str(i) if i % 3 == 1 else f"휴가 {i}일" for i in range(100)]
    settings = EmbedSettings(backend="remote", endpoint=server.url, cache=tmp_path)
    card = replace(CARD, dimension=8)
    Embedder("someone/model", settings, card=card).embed_passages(texts)
    assert "someone/model: 33 of 100 texts are over its limit of 10 tokens (the first has 81)" in caplog.text
    caplog.clear()
    server.requests.clear()
    Embedder("someone/model", settings, card=card).embed_passages(texts)
    assert not server.asked, "all are in the cache"
    assert "33 of 100 texts are over its limit" in caplog.text


def test_only_texts_that_may_be_too_long_are_counted(server: StandIn) -> None:
    server.most_tokens = 100
    made = backend(server)
    texts = ["긴 글 " * 60, "휴가 " * 90, "휴가는 며칠인가요"]
    encode(made, texts)
    server.requests.clear()
    encode(made, texts)
    [counted] = [request for request in server.requests if request.path == "/tokenize"]
    assert counted.body == {"inputs": texts[:2], "add_special_tokens": True}


@pytest.mark.parametrize("path", ["", "/embed"])
def test_a_server_that_counts_no_tokens_is_told_of_once(
    server: StandIn, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    server.most_tokens, server.tokenizes = 10, False
    embedder = Embedder("someone/model", EmbedSettings(backend="remote", endpoint=server.url + path), card=CARD)
    embedder.embed_passages([LONG, "휴가"] * 40)
    asked = [request.path for request in server.requests].count("/tokenize")
    embedder.embed_passages([LONG, "휴가"] * 40)
    assert caplog.text.count("cannot be asked which they are") == 1
    assert caplog.text.count("texts are over its limit") == 1
    assert "someone/model: at least " in caplog.text
    assert [request.path for request in server.requests].count("/tokenize") == asked, "it is asked no more"


def test_without_a_limit_what_tei_cuts_cannot_be_counted(server: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    server.most_tokens, server.tells_itself = 10, False
    settings = EmbedSettings(backend="remote", endpoint=f"{server.url}/embed")
    card = replace(CARD, max_tokens=None)
    Embedder("someone/model", settings, card=card).embed_passages([LONG, *TEXTS, LONG])
    assert caplog.text.count("neither it nor a card says how many tokens it uses") == 1
    assert "at least 1 of 152 texts are over its limit (the first has 80)" in caplog.text
    with pytest.raises(TextTooLongError, match="text 1 has 80 tokens and someone/model uses fewer; cut it"):
        Embedder("someone/model", replace(settings, too_long="raise"), card=card).embed_passages(["휴가", LONG])


@pytest.mark.parametrize("answer", [{}, [], [[1]] * 3, ["가"], "가"])
def test_tokens_in_garbage_are_no_error(server: StandIn, caplog: pytest.LogCaptureFixture, answer: Any) -> None:
    server.most_tokens = 10
    made = backend(server)
    encode(made, [LONG])
    server.counted = answer
    np.testing.assert_allclose(encode(made, [LONG, "휴가"])[1], vector_of("휴가"), rtol=1e-6)
    assert "its answer is no list of tokens for each of 2 texts" in caplog.text
    assert not made.counts_all


def test_long_texts_are_warned_about_once(server: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    server.most_tokens = 10
    embedder = Embedder("someone/model", EmbedSettings(backend="remote", endpoint=server.url), card=CARD)
    for _ in range(2):
        embedder.embed_passages([LONG, "휴가"])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "10 tokens" in caplog.text


@pytest.mark.parametrize("path", ["", "/v1"])
def test_long_texts_can_be_an_error_with_their_position(server: StandIn, path: str, tmp_path: Any) -> None:
    server.most_tokens = 10
    settings = EmbedSettings(
        backend="remote", endpoint=server.url + path, too_long="raise", cache=tmp_path, query_prefix=""
    )
    embedder = Embedder("someone/model", settings, card=CARD)
    embedder.embed_passages(TEXTS[:20])
    with pytest.raises(TextTooLongError, match="text 23 has 80 tokens") as caught:
        embedder.embed_passages([*TEXTS[:23], LONG, *TEXTS[23:]])
    assert (caught.value.position, caught.value.tokens) == (23, 80)


def test_openais_protocol_cannot_cut(server: StandIn) -> None:
    server.most_tokens = 10
    with pytest.raises(EndpointError, match=r"80 tokens.*chunks"):
        encode(backend(server, "/v1"), [*TEXTS[:5], LONG])


# The embedder


def test_prefixes_are_put_here_and_vectors_scaled_here(server: StandIn) -> None:
    server.model = "nlpai-lab/KoE5"
    card = ModelCard(name="nlpai-lab/KoE5", query_prefix="query: ", passage_prefix="passage: ")
    for path in ("", "/v1"):
        embedder = Embedder("KoE5", EmbedSettings(backend="remote", endpoint=server.url + path), card=card)
        expected = vector_of("query: 휴가")
        np.testing.assert_allclose(
            embedder.embed_queries(["휴가"])[0], expected / np.linalg.norm(expected), rtol=1e-5, atol=1e-7
        )
        expected = vector_of("passage: 휴가")
        np.testing.assert_allclose(
            embedder.embed_passages(["휴가"])[0], expected / np.linalg.norm(expected), rtol=1e-5, atol=1e-7
        )
    assert all("prompt_name" not in request.body for request in server.asked)


def test_the_fingerprint_has_the_revision_that_the_server_tells(server: StandIn) -> None:
    local, made = Embedder("KURE-v1").fingerprint, []
    server.model = "nlpai-lab/KURE-v1"
    for path, server.revision in (("", local["revision"]), ("", None), ("/v1", "b" * 40), ("", "b" * 40)):
        made.append(Embedder("KURE-v1", EmbedSettings(backend="remote", endpoint=server.url + path)).fingerprint)
    assert made[:3] == [local] * 3, "its vectors fit an index made here"
    assert made[3] == {**local, "revision": "b" * 40}
    assert not server.asked, "the fingerprint needs no vectors"


def test_another_revision_than_the_one_asked_for_is_an_error(server: StandIn) -> None:
    server.model, server.revision = "nlpai-lab/KoE5", "b" * 40
    settings = EmbedSettings(backend="remote", endpoint=server.url, revision="a" * 40)
    with pytest.raises(EndpointError, match=f"runs revision {'b' * 40} of nlpai-lab/KoE5, and {'a' * 40} is asked"):
        Embedder("KoE5", settings).embed_queries(["휴가"])
    assert not server.asked
    for same in ("b" * 40, "b" * 8, "main", None):  # a branch says no commit
        assert Embedder("KoE5", replace(settings, revision=same)).fingerprint["revision"] == "b" * 40


def test_another_known_model_is_an_error(server: StandIn) -> None:
    server.model = "BAAI/bge-m3"
    embedder = Embedder("KoE5", EmbedSettings(backend="remote", endpoint=server.url))
    with pytest.raises(EndpointError, match=r"runs BAAI/bge-m3.*nlpai-lab/KoE5"):
        embedder.embed_queries(["휴가"])


def test_the_batch_limits_are_settings_of_the_embedder(server: StandIn) -> None:
    def sizes(**limits: int) -> list[list[int]]:
        server.requests.clear()
        settings = EmbedSettings(backend="remote", endpoint=server.url, **limits)
        found = Embedder("someone/model", settings, card=replace(CARD, normalize=False)).embed_passages(TEXTS)
        np.testing.assert_allclose(found, right(TEXTS), rtol=1e-6)
        return [list(map(len, request.body["inputs"])) for request in server.asked]

    server.most_texts = 1000
    assert max(map(len, sizes())) == 64
    assert max(map(len, sizes(batch_texts=100))) == 100
    bounded = sizes(batch_tokens=200)
    assert max(map(sum, bounded)) <= 200 < max(map(sum, bounded)) + 25, "a character counts as a token"
    assert max(map(len, sizes(batch_texts=3, batch_tokens=10_000))) == 3


def test_texts_in_a_request_are_for_servers_alone() -> None:
    with pytest.raises(ValueError, match=r"batch_texts=8 is for backend='remote'.*batch_tokens"):
        EmbedSettings(batch_texts=8)
    with pytest.raises(ValueError, match="batch_texts=0: choose a whole number, 1 or more"):
        EmbedSettings(batch_texts=0, backend="remote", endpoint="http://localhost:1")


def test_a_server_may_call_its_model_anything(server: StandIn) -> None:
    settings = EmbedSettings(
        backend="remote", endpoint=f"{server.url}/v1", query_prefix="질문: ", passage_prefix="", normalize=False
    )
    embedder = Embedder("our-model", settings)
    assert embedder.dimension == 8
    np.testing.assert_allclose(embedder.embed_queries(["휴가"])[0], vector_of("질문: 휴가"), rtol=1e-6)
    assert server.asked[-1].body["model"] == "our-model"


def test_prefixes_of_an_unknown_model_must_be_told(server: StandIn) -> None:
    settings = EmbedSettings(backend="remote", endpoint=f"{server.url}/v1", local_files_only=True)
    with pytest.raises(EndpointError, match=r"query_prefix.*passage_prefix"):
        Embedder("our-model", settings).embed_queries(["휴가"])
    assert not server.asked


def test_one_backend_serves_threads(server: StandIn) -> None:
    made, failed = backend(server), []

    def work(first: int) -> None:
        texts = TEXTS[first : first + 40]
        if not np.allclose(encode(made, texts), right(texts), rtol=1e-6):
            failed.append(first)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 100, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
