"""An encoder behind an endpoint: batches, order, retries, time-out, and replies that make no sense."""

from __future__ import annotations

import asyncio
import base64
import hashlib

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from tests.connect.encoder_contract import keeps_the_contract

from noria.connect.openai_encoder import OpenAIEncoder, Patience
from noria.errors import OutsideError, UsageError

KEY = "sk-very-secret"


def vector(text: str) -> list[float]:
    return [float(v) for v in np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8)[:8]]


class Endpoint:
    """Serves embeddings; `replies` are given first, one for each request."""

    def __init__(self):
        self.requests, self.keys, self.replies = [], [], []

    async def answer(self, request):
        body = await request.json()
        self.requests.append(body)
        self.keys.append(request.headers.get("authorization"))
        if self.replies:
            reply = self.replies.pop(0)
            return reply if isinstance(reply, Response) else await reply()
        data = [{"index": n, "embedding": vector(text)} for n, text in enumerate(body["input"])]
        return JSONResponse({"data": data[::-1]})

    @property
    def app(self):
        return Starlette(routes=[Route("/v1/embeddings", self.answer, methods=["POST"])])


@pytest.fixture
def endpoint():
    return Endpoint()


@pytest.fixture
def waits():
    return []


@pytest.fixture
def connect(endpoint, serve_app, waits):
    """A function: makes the encoder of the endpoint."""
    address = serve_app(endpoint.app) + "/v1"

    def start(**told):
        told = {"patience": Patience(timeout_seconds=5, tries=3)} | told
        told = {"haste": told["patience"]} | told
        return OpenAIEncoder(address, "m", key=KEY, sleep=waits.append, **told)

    return start


def test_it_keeps_the_contract_of_encoders(connect):
    keeps_the_contract(connect())


def test_texts_go_in_batches_and_come_back_in_their_order(connect, endpoint):
    encoder = connect(batch=3)
    endpoint.requests.clear()
    texts = [f"text {n}" for n in range(8)]
    rows = encoder.encode(texts, "query")
    assert [len(body["input"]) for body in endpoint.requests] == [3, 3, 2]
    wanted = np.array([vector(text) for text in texts])
    assert np.allclose(rows, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-6)
    assert set(endpoint.keys) == {f"Bearer {KEY}"}
    assert {body["model"] for body in endpoint.requests} == {"m"}


def test_vectors_in_base64_are_read(connect, endpoint):
    encoder = connect()
    told = base64.b64encode(np.array([3, 4], "<f4").tobytes()).decode()
    endpoint.replies = [JSONResponse({"data": [{"index": 0, "embedding": told}]})]
    with pytest.raises(OutsideError, match="vectors of 2 numbers, before of 8"):
        encoder.encode(["a"], "query")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_tried_again_with_growing_waits(connect, endpoint, waits, status):
    encoder = connect()
    endpoint.replies = [PlainTextResponse("busy", status)] * 2
    assert encoder.encode(["a"], "query").shape == (1, 8)
    assert waits == [0.5, 1.0]


def test_an_endpoint_that_says_how_long_to_wait_is_heeded_within_bounds(connect, endpoint, waits):
    encoder = connect()
    endpoint.replies = [PlainTextResponse("", 429, {"Retry-After": told}) for told in ("7", "3600")]
    encoder.encode(["a"], "query")
    assert waits == [7.0, 20.0]


def test_after_the_last_try_the_failure_is_told_without_the_key(connect, endpoint, waits):
    encoder = connect()
    endpoint.replies = [PlainTextResponse(f"bad {KEY}", 500)] * 3
    with pytest.raises(OutsideError, match="answered 500") as failure:
        encoder.encode(["a"], "query")
    assert failure.value.retry_helps
    assert KEY not in str(failure.value)
    assert len(waits) == 2


@pytest.mark.parametrize("reply", [PlainTextResponse("no such model", 404), RedirectResponse("http://127.0.0.1:9/")])
def test_a_lasting_failure_is_not_tried_again(connect, endpoint, waits, reply):
    encoder = connect()
    endpoint.replies = [reply]
    with pytest.raises(OutsideError, match=str(reply.status_code)) as failure:
        encoder.encode(["a"], "query")
    assert not failure.value.retry_helps
    assert waits == []


def test_an_endpoint_that_is_too_slow_is_given_up(connect, endpoint):
    encoder = connect(patience=Patience(timeout_seconds=0.2, tries=1))

    async def slow():
        await asyncio.sleep(1)
        return PlainTextResponse("late")

    endpoint.replies = [slow]
    with pytest.raises(OutsideError, match="does not answer") as failure:
        encoder.encode(["a"], "query")
    assert failure.value.retry_helps


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        b"[]",
        b"{}",
        b'{"data": []}',
        b'{"data": [{"index": 0}]}',
        b'{"data": [{"index": 5, "embedding": [1]}]}',
        b'{"data": [{"embedding": [1, "x"]}]}',
        b'{"data": [{"embedding": []}]}',
        b'{"data": [{"embedding": [NaN, 1, 1, 1, 1, 1, 1, 1]}]}',
        b'{"data": [{"embedding": "%%%"}]}',
        b'{"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}',
        b'{"data": null}',
    ],
)
def test_a_reply_that_makes_no_sense_is_an_error_that_says_so(connect, endpoint, body):
    encoder = connect()
    endpoint.replies = [PlainTextResponse(body.decode())]
    with pytest.raises(OutsideError, match="answered"):
        encoder.encode(["a"], "query")


def test_a_user_who_waits_is_not_kept_as_long_as_a_training(connect, endpoint, waits):
    encoder = connect(haste=Patience(tries=1))
    endpoint.replies = [PlainTextResponse("busy", 503)]
    with pytest.raises(OutsideError, match="answered 503"):
        encoder.encode(["a"], "query")
    endpoint.replies = [PlainTextResponse("busy", 503)]
    assert encoder.encode(["a", "b"], "query").shape == (2, 8)
    assert waits == [0.5]


def test_nobody_there_is_told_at_once():
    with pytest.raises(OutsideError, match="does not answer"):
        OpenAIEncoder("http://127.0.0.1:9/v1", "m", key=None, sleep=lambda _: None, patience=Patience(tries=1))


@pytest.mark.parametrize(
    "url", ["", "localhost", "file:///etc", "https://", "https://user:pass@host/v1", "http://h/v1?k=1"]
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused(url):
    with pytest.raises(UsageError):
        OpenAIEncoder(url, "m", key=None, sleep=lambda _: None)


def test_other_weights_behind_the_name_change_the_fingerprint(connect, endpoint):
    first, again = connect().fingerprint, connect().fingerprint
    endpoint.replies = [JSONResponse({"data": [{"index": 0, "embedding": [0, 0, 9, 0, 0, 0, 0, 0.5]}]})]
    assert first == again != connect().fingerprint
