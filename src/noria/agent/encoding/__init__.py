"""Sentence encoders: texts in, vectors out. Pure; the bytes of models are brought by `stores` and `connect`."""

from noria.agent.encoding.cached import CachedEncoder
from noria.agent.encoding.encoder import Encoder, Kind, clean, files_of, fingerprint_of
from noria.agent.encoding.graph import BUILD, Bert, build_onnx
from noria.agent.encoding.onnx_encoder import MOST_TOKENS, EncoderSettings, OnnxEncoder

__all__ = [
    "BUILD",
    "MOST_TOKENS",
    "Bert",
    "CachedEncoder",
    "Encoder",
    "EncoderSettings",
    "Kind",
    "OnnxEncoder",
    "build_onnx",
    "clean",
    "files_of",
    "fingerprint_of",
]
