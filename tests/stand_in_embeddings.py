"""A small embedding server on this machine: OpenAI's protocol and TEI's, and failures when they are asked for.

A vector is a function of the text alone, so that a client that mixes up texts is found out. A token is a word.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import numpy as np
from quiet_server import QuietServer

KEY = "sk-secret-열쇠-123".encode().hex()


def vector_of(text: str, dimension: int = 8) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=dimension).astype(np.float32)


@dataclass
class Answer:
    """What is answered instead of vectors."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Request:
    path: str
    body: Any
    key: str | None


@dataclass
class StandIn:
    """What the server is and does; all may be changed while it runs.

    Attributes:
        tei: Answer `/info`, `/embed` and `/tokenize`; `/v1/embeddings` is answered in any case.
        tells_itself: Answer `/info`, likewise.
        tokenizes: Answer `/tokenize`, which a gateway may not let through.
        key: The key it wants, if any.
        most_texts: Texts of one request.
        most_tokens: Tokens of one text.
        counted: What `/tokenize` answers instead of tokens.
        before: Asked first at each request for vectors: an answer is given as it is; None goes on.
        shuffle: Give OpenAI's rows in another order, with their indexes.
        encode_base64: Give OpenAI's rows in base64.
    """

    tei: bool = True
    tells_itself: bool = True
    tokenizes: bool = True
    key: str | None = None
    model: str = "nlpai-lab/KoE5"
    revision: str | None = None
    dimension: int = 8
    most_texts: int = 32
    most_tokens: int = 512
    counted: Any = None
    before: Callable[[Request], Answer | None] = lambda request: None
    shuffle: bool = False
    encode_base64: bool = False
    requests: list[Request] = field(default_factory=list)
    url: str = ""

    @property
    def asked(self) -> list[Request]:
        """The requests for vectors."""
        return [request for request in self.requests if request.body is not None and request.path != "/tokenize"]

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        if request.path == "/info":
            return Answer(body=self._info()) if self.tei and self.tells_itself else Answer(404, {"detail": "Not Found"})
        if self.key is not None and request.key != f"Bearer {self.key}":
            return Answer(401, {"error": {"message": f"Incorrect API key provided: {request.key}"}})
        if request.path == "/tokenize" and self.tei and self.tokenizes:
            return self._tokenize(request.body)
        if (given := self.before(request)) is not None:
            return given
        if request.path == "/embed" and self.tei:
            return self._embed(request.body)
        if request.path == "/v1/embeddings":
            return self._openai(request.body)
        return Answer(404, {"detail": "Not Found"})

    def _info(self) -> dict[str, Any]:
        return {
            "model_id": self.model,
            "model_sha": self.revision,
            "model_dtype": "float16",
            "model_type": {"embedding": {"pooling": "mean"}},
            "max_input_length": self.most_tokens,
            "max_client_batch_size": self.most_texts,
            "auto_truncate": False,
            "version": "1.8.0",
        }

    def _embed(self, body: dict[str, Any]) -> Answer:
        texts, cut = body["inputs"], body.get("truncate", False)
        if len(texts) > self.most_texts:
            told = f"batch size {len(texts)} > maximum allowed batch size {self.most_texts}"
            return Answer(413, {"error": told, "error_type": "Validation"})
        for text in texts:
            if not cut and len(text.split()) > self.most_tokens:
                told = (
                    f"Input validation error: `inputs` must have less than {self.most_tokens} tokens. "
                    f"Given: {len(text.split())}"
                )
                return Answer(413, {"error": told, "error_type": "Validation"})
        cut_texts = [" ".join(t.split()[: self.most_tokens]) if len(t.split()) > self.most_tokens else t for t in texts]
        vectors = [vector_of(text, self.dimension) for text in cut_texts]
        if body.get("normalize", True):
            vectors = [v / np.linalg.norm(v) for v in vectors]
        return Answer(body=[v.tolist() for v in vectors])

    def _tokenize(self, body: dict[str, Any]) -> Answer:
        texts = body["inputs"]
        if self.counted is not None:
            return Answer(body=self.counted)
        if len(texts) > self.most_texts:
            told = f"batch size {len(texts)} > maximum allowed batch size {self.most_texts}"
            return Answer(413, {"error": told, "error_type": "Validation"})
        return Answer(body=[[{"id": 1, "text": word, "special": False} for word in text.split()] for text in texts])

    def _openai(self, body: dict[str, Any]) -> Answer:
        texts = body["input"]
        if len(texts) > self.most_texts:
            told = f"'$.input' is invalid: too many inputs, at most {self.most_texts}"
            return Answer(400, {"error": {"message": told, "type": "invalid_request_error"}})
        for text in texts:
            if len(text.split()) > self.most_tokens:
                told = (
                    f"This model's maximum context length is {self.most_tokens} tokens, however you requested "
                    f"{len(text.split())} tokens. Please reduce your prompt."
                )
                return Answer(400, {"error": {"message": told, "type": "invalid_request_error"}})
        rows = []
        for i, text in enumerate(texts):
            vector = vector_of(text, self.dimension)
            shown: Any = base64.b64encode(vector.tobytes()).decode() if self.encode_base64 else vector.tolist()
            rows.append({"object": "embedding", "index": i, "embedding": shown})
        return Answer(body={"object": "list", "data": rows[::-1] if self.shuffle else rows, "model": body["model"]})


def in_turn(*answers: Answer | None) -> Callable[[Request], Answer | None]:
    """Each answer once, then none."""
    left, lock = list(answers), threading.Lock()

    def before(request: Request) -> Answer | None:
        with lock:
            return left.pop(0) if left else None

    return before


@contextmanager
def serving(**settings: Any) -> Iterator[StandIn]:
    """Runs a server while the block runs."""
    stand_in = StandIn(**settings)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, body: Any) -> None:
            path = self.path.removeprefix(f"http://{self.headers['Host']}")  # as a proxy is asked
            answer = stand_in.answer(Request(path, body, self.headers.get("Authorization")))
            if answer.status == 0:  # hang up
                self.close_connection = True
                self.connection.close()
                return
            content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Says nothing."""

    server = QuietServer(("127.0.0.1", 0), Handler)
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def right(texts: Sequence[str], dimension: int = 8) -> np.ndarray:
    return np.stack([vector_of(text, dimension) for text in texts])
