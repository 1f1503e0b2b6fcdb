"""An encoder behind any endpoint that speaks the OpenAI embeddings API: in batches, retried, with a time-out."""

from __future__ import annotations

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from noria.agent.encoding import Kind, clean, fingerprint_of
from noria.agent.protocols import Floats32
from noria.errors import OutsideError, UsageError

_TRY_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for an endpoint.

    `timeout_seconds`: for one reply. `tries`: requests in all. `first_wait_seconds`: before the second try, doubled
    before each further one up to `longest_wait_seconds`; what the endpoint says in Retry-After counts within that.
    """

    timeout_seconds: float = 30.0
    tries: int = 5
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 20.0


class OpenAIEncoder:
    """An `Encoder` by `POST URL/embeddings` {"model", "input": [texts]}.

    Its fingerprint is over the address, the model's name and where the vector of a probe sentence is largest: when the
    owner puts other weights behind the name, it changes. The key never enters a message or a fingerprint.

    Args:
        url: base address as OpenAI clients take it, e.g. "http://localhost:8080/v1".
        model: name of the model there.
        key: sent as bearer token; None sends none.
        sleep: waits so many seconds.
        batch: texts in one request.
        most_characters: longer texts are cut.
        patience: with several texts, that is in training.
        haste: with a single text, that is when a user waits for the answer.

    Raises:
        UsageError: the address is none. OutsideError: the endpoint does not answer, or not with vectors.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str | None,
        sleep: Callable[[float], None],
        batch: int = 64,
        most_characters: int = 8000,
        patience: Patience = Patience(),
        haste: Patience = Patience(timeout_seconds=3.0, tries=2, first_wait_seconds=0.2, longest_wait_seconds=0.5),
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not model:
            raise UsageError(f"openai:{url}#{model} names no endpoint: write openai:https://HOST/v1#MODEL.")
        if parts.username or parts.password or parts.query:
            raise UsageError("the address of an encoder holds no key; set NORIA_ENCODER_KEY or OPENAI_API_KEY.")
        self.spec = f"openai:{url}#{model}"
        self._url, self._model, self._key = f"{url.rstrip('/')}/embeddings", model, key
        self._sleep, self._batch, self._most, self._patience, self._haste = (
            sleep,
            batch,
            most_characters,
            patience,
            haste,
        )
        self.dim = self.sentence_dim = 0
        probe = self._rows(["How do I reset my password?"], patience)
        self.dim = self.sentence_dim = probe.shape[1]
        # Endpoints differ in the last digits from day to day; other weights have another largest coordinate.
        told = {"url": self._url, "model": model, "most_characters": most_characters}
        self.fingerprint = fingerprint_of({}, told | {"dim": self.dim, "probe": int(np.abs(probe[0]).argmax())})

    def encode(self, texts: Sequence[str], kind: Kind) -> Floats32:
        """See `Encoder.encode`; that a text has the same bits in any company is up to the endpoint."""
        del kind  # the API does not ask for it
        patience = self._haste if len(texts) == 1 else self._patience
        starts = range(0, len(texts), self._batch)
        rows = [self._rows(texts[start : start + self._batch], patience) for start in starts]
        return np.concatenate(rows) if rows else np.empty((0, self.dim), np.float32)

    def _rows(self, texts: Sequence[str], patience: Patience) -> Floats32:
        # Many endpoints refuse an empty text.
        inputs = [clean(text[: self._most]) or " " for text in texts]
        body = json.dumps({"model": self._model, "input": inputs, "encoding_format": "float"}).encode()
        rows = _vectors(self._ask(body, patience), len(texts), self._url)
        if self.dim and rows.shape[1] != self.dim:
            raise OutsideError(
                f"{self._url} gave vectors of {rows.shape[1]} numbers, before of {self.dim}.", retry_helps=False
            )
        lengths = np.sqrt((rows.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
        return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)

    def _ask(self, body: bytes, patience: Patience) -> bytes:
        wait = patience.first_wait_seconds
        for left in range(patience.tries - 1, -1, -1):
            try:
                return self._once(body, patience.timeout_seconds)
            except _Refused as refused:
                if not (left and refused.error.retry_helps):
                    raise refused.error from None
                self._sleep(min(max(wait, refused.wait_seconds), patience.longest_wait_seconds))
                wait *= 2
        raise UsageError(f"patience with an encoder needs at least one try, not {patience.tries}.")

    def _once(self, body: bytes, timeout_seconds: float) -> bytes:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self._url, data=body, headers=headers, method="POST")  # noqa: S310
        try:
            with _OPENER.open(request, timeout=timeout_seconds) as answer:
                content = answer.read(_MOST_BYTES + 1)
        except urllib.error.HTTPError as error:
            with error:
                told = error.read(300).decode("utf-8", "replace").strip()
            if self._key:
                told = told.replace(self._key, "…")
            helps = error.code in _TRY_AGAIN
            message = f"{self._url} answered {error.code} {error.reason}: {told or 'nothing more'}."
            raise _Refused(OutsideError(message, retry_helps=helps), _retry_after(error.headers)) from None
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "reason", None) or error
            message = f"{self._url} does not answer ({type(error).__name__}: {why})."
            raise _Refused(OutsideError(message, retry_helps=True)) from None
        if len(content) > _MOST_BYTES:
            raise _Refused(OutsideError(f"{self._url} answered more than {_MOST_BYTES:,} bytes.", retry_helps=False))
        return bytes(content)


class _Refused(Exception):
    def __init__(self, error: OutsideError, wait_seconds: float = 0.0) -> None:
        super().__init__(str(error))
        self.error, self.wait_seconds = error, wait_seconds


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A key is not carried to where a redirect points."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def _retry_after(headers: Message) -> float:
    try:
        return max(0.0, float(headers.get("Retry-After") or 0))
    except ValueError:
        return 0.0  # a date; our own wait will do


def _vectors(content: bytes, count: int, url: str) -> Floats32:
    """(count, d) from a reply, in the order asked for, whatever the order of the reply."""
    try:
        data = json.loads(content)["data"]
        by_index = {int(item.get("index", n)): _vector(item["embedding"]) for n, item in enumerate(data)}
        rows = np.stack([by_index[n] for n in range(count)])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise OutsideError(
            f"{url} answered, but not with {count} embeddings ({type(error).__name__}: {error}).", retry_helps=False
        ) from None
    if len(data) != count or rows.ndim != 2 or rows.shape[1] == 0 or not np.isfinite(rows).all():
        raise OutsideError(
            f"{url} answered with {len(data)} embeddings of shape {rows.shape[1:]} for {count} texts, "
            "or with some that are not finite.",
            retry_helps=False,
        )
    return rows


def _vector(told: Any) -> Floats32:
    if isinstance(told, str):  # some endpoints send base64 whatever they are asked for
        return np.frombuffer(base64.b64decode(told, validate=True), "<f4").astype(np.float32)
    return np.asarray(told, np.float32)
