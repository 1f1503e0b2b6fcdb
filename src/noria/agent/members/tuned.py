"""A fine-tuned encoder under a head of its own, beside the one that stays as it is: the line-up `accurate`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from noria.agent.encoding import OnnxEncoder
from noria.agent.members.dense import energy, regression, vectors_of, warmed
from noria.agent.members.finetuning import tune
from noria.agent.members.warm import Change
from noria.agent.protocols import Floats, Floats32, Query, Stored, TrainingSet
from noria.agent.recipe import Recipe


class TunedEncoder:
    """A Member that encodes a text once more, by an encoder that learnt from the rows; it serves without torch.

    Args:
        encoder: fine-tuned.
        weights: (columns, classes [+ 1]) over its vectors; the last class rejects.
        bias: (classes [+ 1],).
        classes: sorted.
    """

    evidence_names = ("tuned_energy",)

    def __init__(self, encoder: OnnxEncoder, weights: Floats32, bias: Floats32, classes: Sequence[str]) -> None:
        if weights.shape != (encoder.dim, len(bias)) or len(bias) not in (len(classes), len(classes) + 1):
            raise ValueError(
                f"{encoder.dim} columns, weights {weights.shape}, bias {bias.shape}, {len(classes)} classes"
            )
        self.encoder, self.weights, self.bias, self._count = encoder, weights, bias, len(classes)

    @classmethod
    def train(cls, rows: TrainingSet, recipe: Recipe) -> TunedEncoder:
        """Fine-tuned on rows that hold at least two classes, from the encoder whose files come with them.

        Raises:
            ValueError: no files came. StateError: torch is missing, or Noria did not build the encoder.
        """
        if rows.encoder_files is None:
            raise ValueError("there is no encoder to fine-tune")
        start = regression(rows, vectors_of(rows)[:, : rows.sentence_dim], recipe)
        counts = np.maximum(1, np.bincount(rows.targets, minlength=len(start[1])))
        balanced = recipe.class_balance == "balanced"
        tuned = tune(
            rows.encoder_files,
            rows.texts,
            rows.targets,
            start,
            importance=(len(rows.targets) / (len(counts) * counts) if balanced else np.ones(len(counts))).tolist(),
            epochs=recipe.tuning_epochs,
            seed=recipe.seed,
        )
        encoder = OnnxEncoder(tuned.model, rows.encoder_files["tokenizer.json"], spec="tuned")
        return cls(encoder, tuned.weights, tuned.bias, rows.classes)

    @classmethod
    def load(cls, stored: Stored, classes: Sequence[str], recipe: Recipe) -> TunedEncoder:  # noqa: ARG003 - of the protocol
        model, tokenizer = (np.asarray(stored.arrays[name], np.uint8).tobytes() for name in ("model", "tokenizer"))
        weights, bias = (np.asarray(stored.arrays[name], np.float32) for name in ("weights", "bias"))
        return cls(OnnxEncoder(model, tokenizer, spec="tuned"), weights, bias, classes)

    def warm(self, change: Change, recipe: Recipe) -> TunedEncoder:
        """The head from its old weights; the encoder stays, so the rows of the change are encoded by it."""
        features = self.encoder.encode(change.rows.texts, "query")
        weights, bias = warmed(self.weights, self.bias, features, change, recipe)
        return TunedEncoder(self.encoder, weights, bias, change.rows.classes)

    def logits(self, query: Query) -> Floats:
        """(classes [+ 1],): logits of the head."""
        vector = self.encoder.encode([query.text], "query")[0]
        # einsum, not BLAS: the same bits however many threads the machine has
        return np.asarray(np.einsum("i,ij->j", vector, self.weights) + self.bias, np.float64)

    def evidence(self, query: Query, logits: Floats) -> tuple[float, ...]:  # noqa: ARG002 - of the protocol
        return (energy(logits[: self._count]),)

    def stored(self) -> Stored:
        parts = self.encoder.parts()
        files = {"model": parts["encoder.onnx"], "tokenizer": parts["tokenizer.json"]}
        arrays = {name: np.frombuffer(content, np.uint8) for name, content in files.items()}
        return Stored({}, arrays | {"weights": self.weights, "bias": self.bias})
