"""Evaluations as MLflow runs, each with the digest of the set that it was measured on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient


def log(
    client: "MlflowClient", experiment: str, kind: str, metrics: Mapping[str, float | None], params: Mapping[str, str]
) -> str:
    """Writes one finished run; returns its id.

    Args:
        client: Of the tracking server.
        experiment: Id of the experiment.
        kind: retrieval, qa or spans.
        metrics: By name; those without a value are left out. MLflow takes no `@`: `recall@5` is `recall_at_5` there.
        params: What was measured on: the set's digest, the collection, the generator.
    """
    run = client.create_run(experiment, run_name=f"evaluate {kind}", tags={"lakerag.kind": kind})
    for name, value in params.items():
        client.log_param(run.info.run_id, name, value)
    for metric, found in metrics.items():
        if found is not None:
            client.log_metric(run.info.run_id, metric.replace("@", "_at_"), found)
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)
