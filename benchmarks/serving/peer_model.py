"""Run in the peer's environment: saves a bundle of Noria as a model of MLflow (pyfunc)."""

from __future__ import annotations

import sys
from pathlib import Path

import mlflow


class Bundle(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined]
    """Answers each text of the input with what the agent makes of it."""

    def load_context(self, context) -> None:  # noqa: ANN001 - MLflow's interface
        from noria.agent import unpack

        folder = Path(context.artifacts["bundle"])
        self.agent = unpack({path.name: path.read_bytes() for path in folder.iterdir()})

    def predict(self, context, model_input, params=None):  # noqa: ANN001, ANN201, ARG002 - MLflow's interface
        answers = [self.agent.answer(text) for text in model_input["text"]]
        return [
            {"decision": a.decision, "intent": a.intent, "confidence": a.intent_confidence,
             "articles": [r.article_id for r in a.articles]}
            for a in answers
        ]  # fmt: skip


mlflow.pyfunc.save_model(sys.argv[2], python_model=Bundle(), artifacts={"bundle": sys.argv[1]}, pip_requirements=[])
