"""Run in the peer's environment: the same parts from sentence-transformers and scikit-learn, fitted and timed.

python peer_sentence_transformers.py MODEL_FOLDER < rows.json > figures.json
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_union
from sklearn.svm import LinearSVC

# one thread, and the weights of the fusion as in benchmarks/intent: a third for the n-grams
torch.set_num_threads(1)
SHARE = 0.3


def main() -> None:
    """Reads {"learnt": [[text, intent]], "asked": [[text, intent]]}; writes CPU times and accuracy."""
    told = json.load(sys.stdin)
    encoder = SentenceTransformer(sys.argv[1], device="cpu")
    texts, intents = zip(*told["learnt"], strict=True)
    started = time.process_time()
    vectors = encoder.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
    head = LogisticRegression(C=30, tol=1e-5, max_iter=400, class_weight="balanced").fit(vectors, intents)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2)
    grams = make_union(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), letters)
    machine = LinearSVC(C=0.5, class_weight="balanced", random_state=0).fit(grams.fit_transform(texts), intents)
    centroids = np.stack([vectors[np.array(intents) == c].mean(axis=0) for c in head.classes_])
    fitted = time.process_time() - started

    def answer(text: str) -> tuple[str, float]:
        vector = encoder.encode([text], normalize_embeddings=True, show_progress_bar=False)
        words = machine.decision_function(grams.transform([text]))[0]
        fused = SHARE * _log_softmax(3 * words) + (1 - SHARE) * _log_softmax(head.decision_function(vector)[0])
        return str(head.classes_[fused.argmax()]), float((vector @ centroids.T).max())

    for text, _ in told["asked"][:30]:
        answer(text)
    took, right = [], 0
    for text, intent in told["asked"]:
        start = time.process_time_ns()
        top, _ = answer(text)
        took.append((time.process_time_ns() - start) / 1e6)
        right += top == intent
    p50, p99 = np.quantile(took, (0.5, 0.99))
    json.dump({"fit_s": fitted, "p50_ms": p50, "p99_ms": p99, "right": right}, sys.stdout)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max()
    return shifted - np.log(np.exp(shifted).sum())


if __name__ == "__main__":
    main()
