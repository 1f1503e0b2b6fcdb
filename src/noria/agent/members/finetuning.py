"""Fine-tunes a sentence encoder on rows with intents. Needs torch; what comes out is an ONNX file that needs none.

The head starts at the logistic regression over the vectors as they are (Kumar et al., ICLR 2022), so that the first
steps do not spoil what the encoder knows; then it and the upper half of the layers learn. The lower half stays: it
speaks of language, not of intents, and what it makes of a row is computed once, which halves the time.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from noria.agent.encoding import Bert, Encoder, build_onnx, clean, files_of
from noria.agent.encoding.weights import weights_of
from noria.agent.protocols import Floats32
from noria.errors import StateError

if TYPE_CHECKING:
    import torch

MOST_TOKENS = 64
"""Longer rows are cut while learning: what a query wants stands near its beginning."""
BATCH = 32
POOL = 50
"""So many batches are drawn together and sorted by length, so that little is padded."""
ENCODER_STEP, HEAD_STEP = 2e-4, 3e-3
WARM_UP = 0.1
DROPOUT = 0.1
_WORDS, _POSITIONS = "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"
_PARTS = ("query", "key", "value")


@dataclass(frozen=True, slots=True)
class Tuned:
    """A fine-tuned encoder: its ONNX file, and the head over its vectors: (columns, classes), (classes,)."""

    model: bytes
    weights: Floats32
    bias: Floats32


def what_tuning_lacks(encoder: Encoder) -> str:
    """Why the encoder cannot be fine-tuned here, as the end of a sentence; "" where it can."""
    files = files_of(encoder) or {}
    try:
        weights_of(files.get("encoder.onnx", b""))
    except StateError:
        return f"Noria did not build the encoder {encoder.spec!r} itself"
    return "" if find_spec("torch") else "torch is not installed (pip install 'noria[accurate]')"


def tune(
    parts: Mapping[str, bytes],
    texts: Sequence[str],
    targets: Sequence[int],
    head: tuple[Floats32, Floats32],
    *,
    importance: Sequence[float],
    epochs: int,
    seed: int,
) -> Tuned:
    """An encoder and a head fine-tuned together; the same input gives the same bits on the same kind of processor.

    Args:
        parts: files of an encoder that Noria built (`OnnxEncoder.parts`).
        texts: (n,), and `targets` the class of each.
        head: weights (columns, classes) and bias (classes,) over the last layer's vectors, to start from.
        importance: (classes,) what a row of a class counts.
        epochs: times that every row is seen.
        seed: of the order of rows and of dropout.

    Raises:
        StateError: torch is missing, or Noria did not build the encoder.
    """
    try:
        import torch
    except ImportError as error:
        raise StateError("fine-tuning needs torch: pip install 'noria[accurate]'.") from error
    from tokenizers import Tokenizer

    found, bert = weights_of(parts["encoder.onnx"])
    tokenizer = Tokenizer.from_str(parts["tokenizer.json"].decode())
    tokenizer.no_padding()
    tokenizer.enable_truncation(MOST_TOKENS)
    rows = [encoded.ids for encoded in tokenizer.encode_batch([clean(text) for text in texts])]
    with _repeatable(seed):
        upper = tuple(f"encoder.layer.{n}." for n in range(bert.pooled[0] // 2, bert.pooled[0]))
        tensors = {k: torch.tensor(v, requires_grad=k.startswith(upper)) for k, v in found.items()}
        weights, bias = (torch.tensor(part, requires_grad=True) for part in head)
        _learn(_Bert(tensors, bert), (weights, bias), rows, targets, importance, epochs=epochs, seed=seed)
    arrays = {k: v.detach().numpy() for k, v in tensors.items()}
    return Tuned(build_onnx(arrays, bert, "tuned"), weights.detach().numpy().copy(), bias.detach().numpy().copy())


def _learn(
    encoder: _Bert,
    head: tuple[torch.Tensor, torch.Tensor],
    rows: Sequence[Sequence[int]],
    targets: Sequence[int],
    importance: Sequence[float],
    *,
    epochs: int,
    seed: int,
) -> None:
    import torch
    from torch.nn.functional import cross_entropy

    lower = encoder.lower(rows)
    truth = torch.tensor(targets)
    counts = torch.tensor(importance, dtype=torch.float32)
    groups = [
        {"params": [w for w in encoder.weights.values() if w.requires_grad], "lr": ENCODER_STEP},
        {"params": list(head), "lr": HEAD_STEP, "weight_decay": 0.0},
    ]
    steps = epochs * math.ceil(len(rows) / BATCH)
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)

    def pace(step: int) -> float:
        return min((step + 1) / (WARM_UP * steps), (steps - step) / ((1 - WARM_UP) * steps))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, pace)
    for batch in _batches([len(row) for row in rows], epochs, seed):
        logits = encoder.upper([lower[i] for i in batch]) @ head[0] + head[1]
        loss = cross_entropy(logits, truth[batch], weight=counts)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(groups[0]["params"], 1.0)
        optimiser.step()
        schedule.step()


class _Bert:
    """The forward pass of a BERT over a batch, as `encoding.graph` computes it for one text."""

    def __init__(self, weights: Mapping[str, torch.Tensor], bert: Bert) -> None:
        self.weights, self.bert = weights, bert
        self.layers = bert.pooled[0]

    def lower(self, rows: Sequence[Sequence[int]]) -> list[torch.Tensor]:
        """(tokens, columns) of each row after the lower half of the layers."""
        import torch

        made: dict[int, torch.Tensor] = {}
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        with torch.no_grad():
            for start in range(0, len(order), 8 * BATCH):
                batch = order[start : start + 8 * BATCH]
                longest = max(len(rows[i]) for i in batch)
                ids = torch.tensor([[*rows[i], *[0] * (longest - len(rows[i]))] for i in batch])
                x = self.weights[_WORDS][ids] + self.weights[_POSITIONS][:longest]
                x = self._norm(x, "embeddings")
                there = _there([len(rows[i]) for i in batch])
                for number in range(self.layers // 2):
                    x = self._layer(x, there, number, dropped=0.0)
                made |= {i: x[n, : len(rows[i])].clone() for n, i in enumerate(batch)}
        return [made[i] for i in range(len(rows))]

    def upper(self, states: Sequence[torch.Tensor]) -> torch.Tensor:
        """(n, columns) of unit length, from what `lower` made of n rows."""
        from torch.nn.functional import normalize
        from torch.nn.utils.rnn import pad_sequence

        x, there = pad_sequence(list(states), batch_first=True), _there([len(state) for state in states])
        for number in range(self.layers // 2, self.layers):
            x = self._layer(x, there, number, dropped=DROPOUT)
        present = there[:, 0, 0, :, None].to(x.dtype)
        return normalize((x * present).sum(dim=1) / present.sum(dim=1), dim=1)

    def _layer(self, x: torch.Tensor, there: torch.Tensor, number: int, *, dropped: float) -> torch.Tensor:
        import torch
        from torch.nn.functional import dropout, gelu, linear, scaled_dot_product_attention

        name = f"encoder.layer.{number}"
        count, tokens, width = x.shape
        inside = [f"{name}.attention.self.{part}" for part in _PARTS]
        qkv = linear(
            x,
            torch.cat([self.weights[f"{part}.weight"] for part in inside]),
            torch.cat([self.weights[f"{part}.bias"] for part in inside]),
        )
        q, k, v = (
            part.view(count, tokens, self.bert.heads, width // self.bert.heads).transpose(1, 2)
            for part in qkv.split(width, dim=2)
        )
        heard = scaled_dot_product_attention(q, k, v, attn_mask=there, dropout_p=dropped)
        mixed = self._linear(heard.transpose(1, 2).reshape(count, tokens, width), f"{name}.attention.output")
        x = self._norm(x + dropout(mixed, dropped), f"{name}.attention.output")
        narrow = self._linear(gelu(self._linear(x, f"{name}.intermediate")), f"{name}.output")
        return self._norm(x + dropout(narrow, dropped), f"{name}.output")

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        from torch.nn.functional import linear

        return linear(x, self.weights[f"{name}.dense.weight"], self.weights[f"{name}.dense.bias"])

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        from torch.nn.functional import layer_norm

        weight, bias = self.weights[f"{name}.LayerNorm.weight"], self.weights[f"{name}.LayerNorm.bias"]
        return layer_norm(x, weight.shape, weight, bias, self.bert.epsilon)


def _there(lengths: Sequence[int]) -> torch.Tensor:
    """(n, 1, 1, longest) whether a row has a token at a place."""
    import torch

    return (torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None])[:, None, None, :]


def _batches(lengths: Sequence[int], epochs: int, seed: int) -> Iterator[list[int]]:
    """Row numbers of each step: drawn anew each epoch, rows of like length together."""
    dice, sizes = np.random.default_rng(seed), np.array(lengths)
    for _ in range(epochs):
        order = dice.permutation(len(sizes))
        batches: list[list[int]] = []
        for start in range(0, len(order), POOL * BATCH):
            pool = order[start : start + POOL * BATCH]
            pool = pool[np.argsort(sizes[pool], kind="stable")]
            batches += [pool[at : at + BATCH].tolist() for at in range(0, len(pool), BATCH)]
        yield from (batches[i] for i in dice.permutation(len(batches)))


@contextlib.contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """One thread, a seed, and nothing that differs from run to run; torch is left as it was found."""
    import torch

    state, threads, strict = (
        torch.get_rng_state(),
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
    )
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    try:
        yield
    finally:
        torch.set_rng_state(state)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(mode=strict)
