"""A sentence encoder in onnxruntime: one text at a time, one thread, the same bits each time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from noria.agent.encoding.encoder import Kind, clean, fingerprint_of
from noria.agent.encoding.graph import Bert, build_onnx
from noria.agent.protocols import Floats32
from noria.errors import StateError, UsageError, nearest

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

Pooling = Literal["inside", "mean", "first"]

MOST_TOKENS = 128
_CHARACTERS_A_TOKEN = 64
_LONGEST_WORD = 100
"""Characters of the longest word that a BERT tokenizer takes apart."""
_IDS, _MASK, _KINDS = ("ids", "input_ids"), "attention_mask", "token_type_ids"


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How texts become a model's input, and its output a vector.

    `pooling`: `inside` = the model's output is the vector; `mean` over the vectors of tokens; `first` token's vector.
    `max_tokens`: longer texts are cut. `query_prefix`, `passage_prefix`: set before texts of that kind.
    """

    pooling: Pooling = "inside"
    max_tokens: int = MOST_TOKENS
    query_prefix: str = ""
    passage_prefix: str = ""

    def __post_init__(self) -> None:
        if self.pooling not in get_args(Pooling):
            raise UsageError(
                f"an encoder's pooling cannot be {self.pooling!r}. {nearest(str(self.pooling), get_args(Pooling))}"
            )
        if not 3 <= self.max_tokens <= 8192:
            raise UsageError(f"an encoder's max_tokens = {self.max_tokens} is outside 3 to 8192.")


class OnnxEncoder:
    """An `Encoder` made from the bytes of an ONNX model and of a `tokenizer.json`.

    `parts()` gives these bytes back, to be kept in a bundle; `from_parts` reads them.

    Args:
        model: ONNX, its weights inside; inputs `ids` (n,), or as BERT exports have them, with a batch of one.
        tokenizer: `tokenizer.json` of the package tokenizers; what it says of padding and length does not count.
        settings: see there.
        spec: how it was asked for.

    Raises:
        StateError: the model or the tokenizer cannot be read, or do not fit together.
    """

    def __init__(
        self, model: bytes, tokenizer: bytes, *, settings: EncoderSettings = EncoderSettings(), spec: str = "onnx"
    ) -> None:
        import onnxruntime
        import tokenizers

        self.spec, self.settings = spec, settings
        self._model, self._text = model, tokenizer
        self._session = _session(model)
        facts = self._session.get_modelmeta().custom_metadata_map
        self._most = min(settings.max_tokens, int(facts.get("noria.positions", settings.max_tokens)))
        self._tokenizer = _tokenizer(tokenizer, self._most)
        self._inputs = [i.name for i in self._session.get_inputs()]
        unknown = [i for i in self._inputs if i not in (*_IDS, _MASK, _KINDS)]
        if unknown or not set(self._inputs) & set(_IDS):
            raise StateError(f"the model of the encoder {spec} has inputs {self._inputs}; wanted are those of a BERT.")
        self._output = _output(self._session, settings.pooling, spec)
        files = {"model": model, "tokenizer": tokenizer}
        told = asdict(settings) | {"model": facts}
        self.content = fingerprint_of(files, told)
        """Like `fingerprint`, whatever the version of the runtime."""
        versions = {"onnxruntime": onnxruntime.__version__, "tokenizers": tokenizers.__version__}
        self.fingerprint = fingerprint_of(files, told | versions)
        self.dim = self._probe()
        self.sentence_dim = self.dim // int(facts.get("noria.blocks", "1"))

    @classmethod
    def from_bert(cls, weights: bytes, tokenizer: bytes, bert: Bert, spec: str) -> OnnxEncoder:
        """An encoder built from the safetensors file of a BERT.

        Raises:
            StateError: the files are not those of a BERT.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            arrays = load(weights)
        except SafetensorError as error:
            raise StateError(f"the weights of {spec} cannot be read: {error}.") from error
        return cls(build_onnx(arrays, bert, spec), tokenizer, spec=spec)

    @classmethod
    def from_files(cls, model: bytes, tokenizer: bytes, told: Mapping[str, Any], spec: str) -> OnnxEncoder:
        """An encoder of somebody else's making; `told`: settings by name, the others by default.

        Raises:
            StateError: the files cannot be read, or do not fit together. UsageError: a setting is unknown or wrong.
        """
        try:
            settings = EncoderSettings(**told)
        except TypeError as error:
            raise UsageError(f"the settings of the encoder {spec} cannot be read: {error}.") from error
        return cls(model, tokenizer, settings=settings, spec=spec)

    @classmethod
    def from_parts(cls, parts: Mapping[str, bytes]) -> OnnxEncoder:
        """The encoder that gave these parts.

        Raises:
            StateError: parts are missing or do not fit together.
        """
        try:
            told = json.loads(parts["encoder.json"])
            settings = EncoderSettings(**told["settings"])
            return cls(parts["encoder.onnx"], parts["tokenizer.json"], settings=settings, spec=told["spec"])
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise StateError(f"the encoder cannot be read ({type(error).__name__}: {error}); add it again.") from error

    def parts(self) -> dict[str, bytes]:
        """The encoder as files: `encoder.onnx`, `tokenizer.json`, `encoder.json`; equal encoders give equal bytes."""
        told = json.dumps({"spec": self.spec, "settings": asdict(self.settings)}, sort_keys=True, indent=1)
        return {"encoder.onnx": self._model, "tokenizer.json": self._text, "encoder.json": told.encode() + b"\n"}

    def encode(self, texts: Sequence[str], kind: Kind) -> Floats32:
        """See `Encoder.encode`."""
        prefix = self.settings.query_prefix if kind == "query" else self.settings.passage_prefix
        rows = [self._vector(clean(prefix + text)) for text in texts]
        return np.stack(rows) if rows else np.empty((0, self.dim), np.float32)

    def _probe(self) -> int:
        """Columns of a vector, once the shortest and the longest text have one."""
        try:
            return int(self.encode(["", "a " * self._most], "query").shape[1])
        except Exception as error:  # onnxruntime's errors have no common base
            raise StateError(
                f"the model of the encoder {self.spec} cannot encode a text of {self._most} tokens: {error}."
            ) from error

    def _vector(self, text: str) -> Floats32:
        ids = self._ids(text)
        if self._inputs == ["ids"]:
            return np.asarray(self._session.run([self._output], {"ids": ids})[0], np.float32)
        one = ids[None]
        given = {_MASK: np.ones_like(one), _KINDS: np.zeros_like(one)}
        made = self._session.run([self._output], {name: given.get(name, one) for name in self._inputs})[0]
        raw = np.asarray(made, np.float32)[0]
        if self.settings.pooling == "first":
            raw = raw[0]
        elif self.settings.pooling == "mean":
            raw = raw.mean(axis=0, dtype=np.float32)
        length = np.float32(np.sqrt(np.sum(raw * raw, dtype=np.float32)))
        return np.asarray(raw / length if length > 0 else raw, np.float32)

    def _ids(self, text: str) -> npt.NDArray[np.int64]:
        """(n,) token numbers, n at most `max_tokens`; the far end of a very long text is not even looked at."""
        enough = self._most * _CHARACTERS_A_TOKEN
        encoded = self._tokenizer.encode(text[:enough])
        if len(text) > enough and sum(map(len, encoded.overflowing)) <= 2 * _LONGEST_WORD:
            # Spaces and the like have no tokens: what was cut off may count after all.
            encoded = self._tokenizer.encode(text)
        return np.array(encoded.ids, np.int64)


def _tokenizer(content: bytes, max_tokens: int) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        tokenizer: Tokenizer = Tokenizer.from_str(content.decode("utf-8"))
    except Exception as error:  # the package raises plain Exception
        raise StateError(f"the encoder's tokenizer.json cannot be read: {error}.") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _session(model: bytes) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Short queries gain nothing from a second thread, and the order of sums stays the same.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base
        raise StateError(f"the encoder's ONNX model cannot be read: {error}.") from error


def _output(session: InferenceSession, pooling: Pooling, spec: str) -> str:
    """The output to read: the only one, else the one that is known to hold what is to be pooled."""
    outputs: dict[str, Any] = {o.name: o for o in session.get_outputs()}
    wanted = ("vector", "sentence_embedding") if pooling == "inside" else ("last_hidden_state", "token_embeddings")
    for name in (*wanted, *outputs):
        ranks = (1, 2) if pooling == "inside" else (3,)
        if name in outputs and len(outputs[name].shape) in ranks:
            return name
    shapes = {name: o.shape for name, o in outputs.items()}
    raise StateError(f"the model of the encoder {spec} has no output for the pooling {pooling!r}: it has {shapes}.")
