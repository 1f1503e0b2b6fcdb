"""PHASE 1: files and feeds come in, versioned tables and tracked candidates come out."""

from noria.build.evaluation import predict_file, score_rows
from noria.build.ingest import add_data
from noria.build.pipeline.run import run_feed
from noria.build.training import extend_examples, train

__all__ = ["add_data", "extend_examples", "predict_file", "run_feed", "score_rows", "train"]
