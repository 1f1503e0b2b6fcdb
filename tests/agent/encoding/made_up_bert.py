"""A tiny BERT with random weights and a tiny tokenizer: all of an encoder but the sense."""

from __future__ import annotations

import functools

import numpy as np
from safetensors.numpy import save
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from noria.agent.encoding import Bert, OnnxEncoder

WIDTH, INNER, POSITIONS = 32, 64, 64
BERT = Bert(heads=4, pooled=(3, 2, 1))
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WORDS = ("how", "do", "i", "re", "##set", "my", "pass", "##word", "the", "printer", "is", "broken", "?", "##s", "vpn")


def weights(seed: int = 0, prefix: str = "") -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {
        "embeddings.word_embeddings.weight": (len(SPECIAL + WORDS), WIDTH),
        "embeddings.position_embeddings.weight": (POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        "embeddings.LayerNorm.weight": (WIDTH,),
        "embeddings.LayerNorm.bias": (WIDTH,),
    }
    for n in range(3):
        name = f"encoder.layer.{n}."
        for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= {f"{name}{part}.weight": (WIDTH, WIDTH), f"{name}{part}.bias": (WIDTH,)}
        shapes |= {f"{name}intermediate.dense.weight": (INNER, WIDTH), f"{name}intermediate.dense.bias": (INNER,)}
        shapes |= {f"{name}output.dense.weight": (WIDTH, INNER), f"{name}output.dense.bias": (WIDTH,)}
        for norm in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{name}{norm}.weight": (WIDTH,), f"{name}{norm}.bias": (WIDTH,)}
    made = {key: rng.normal(0, 0.3, shape).astype(np.float32) for key, shape in shapes.items()}
    return {prefix + key: value + 1 if key.endswith("LayerNorm.weight") else value for key, value in made.items()}


@functools.cache
def tokenizer() -> bytes:
    made = Tokenizer(models.WordPiece({word: n for n, word in enumerate(SPECIAL + WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", SPECIAL.index("[CLS]")), ("[SEP]", SPECIAL.index("[SEP]"))]
    )
    # As the official file: what it says of padding and length must not count.
    made.enable_padding(length=16, pad_id=0, pad_token="[PAD]")
    made.enable_truncation(8)
    return made.to_str().encode()


def encoder(seed: int = 0) -> OnnxEncoder:
    return OnnxEncoder.from_bert(save(weights(seed)), tokenizer(), BERT, "made-up")
