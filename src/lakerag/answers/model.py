"""The registered model in a Spark worker: loaded once a process, whatever the number of tasks."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

REFUSED = "INVALID_PARAMETER_VALUE"
"""MLflow's error code for a request that the model does not take."""


@dataclass(frozen=True, slots=True)
class Model:
    """What a worker needs to load a model; small and picklable, never the model itself."""

    uri: str
    """A folder, or `models:/NAME/VERSION`."""
    label: str
    """Name and version, as in `answers.model_version`."""
    tracking_uri: str
    registry_uri: str


_loaded: dict[tuple[int, Model], Any] = {}
"""By process, since neither sessions nor connections survive a fork."""


def answer(model: Model, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns one answer document a question.

    A question that the model does not take (too long, a bad filter) is answered with an
    abstention that says so: it must not keep the others from their answers.

    Args:
        model: Loaded at the first call.
        records: As the endpoint takes them.
    """
    from mlflow.exceptions import MlflowException

    loaded = _load(model)
    try:
        documents: list[dict[str, Any]] = loaded.predict(list(records))
    except MlflowException as error:
        if error.error_code != REFUSED:
            raise
        if len(records) > 1:
            return [document for record in records for document in answer(model, [record])]
        return [refusal(error.message)]
    return documents


def _load(model: Model) -> Any:
    key = (os.getpid(), model)
    if key not in _loaded:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        import mlflow

        mlflow.set_tracking_uri(model.tracking_uri)
        mlflow.set_registry_uri(model.registry_uri)
        _loaded[key] = mlflow.pyfunc.load_model(model.uri, model_config={"model_version": model.label})
    return _loaded[key]


def refusal(message: str) -> dict[str, Any]:
    """Returns the answer document of a question that the model does not take."""
    return {
        "answer": "",
        "abstained": True,
        "reason": f"the question was refused: {message}",
        "confidence": 0.0,
        "generator": "none",
        "model_version": "none",
        "prompt_tokens": 0,
        "citations": [],
        "timings_ms": {"total": 0.0},
    }
