"""What the agent said to a task as answers to the questions, in Label Studio's shape."""

from __future__ import annotations

from typing import Any

from noria.ports.questions import BY_NAME, predicted_answers
from noria.records import LabelTask


def pre_label(task: LabelTask, model_version: str) -> dict[str, Any]:
    """What the agent said, as answers to the questions; `model_version`: the release it is shown under."""
    result = [
        {
            "id": name,
            "from_name": name,
            "to_name": BY_NAME[name].about,
            "type": "choices",
            "value": {"choices": list(values)},
        }
        for name, values in predicted_answers(task).items()
    ]
    return {"model_version": model_version, "score": float(task.confidence), "result": result}
