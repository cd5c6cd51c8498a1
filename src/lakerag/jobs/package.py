"""`lakerag package`: logs and registers the model; promotes it when it passes its gates."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from lakerag.errors import ConfigError
from lakerag.evaluation.gates import require
from lakerag.evaluation.sets import METRICS, read_sets
from lakerag.jobs.evaluate import BATCH_QUESTIONS, configured, measured
from lakerag.jobs.job import Job, Result, command
from lakerag.jobs.query import question_of

if TYPE_CHECKING:
    from lakerag.rag.packaging import Gate
    from lakerag.rag.registry import ModelVersion


def show_package(console: Console, result: Result) -> None:
    """Prints the version and whether it is the champion."""
    what = "registered" if result["created"] else "already registered with the same content"
    console.print(f"{result['model_uri']} {what}" + (", now @champion" if result["promoted"] else ""))


@command("package", show_package)
@click.option("--promote", is_flag=True, help="Move @champion to it if it passes the gates.")
def main(job: Job, promote: bool) -> Result:
    """Log and register the model that the settings describe."""
    return package_model(job, promote)


def package_model(job: Job, promotion: bool) -> Result:
    """Registers the configured model; with `promotion`, moves the champion's alias once the gates are passed."""
    from lakerag.rag.packaging import check_answers, package, promote

    cases = _cases(job) if promotion else {}
    with job.step("packaging the model"):
        packaged = package(job.active)
    metrics: dict[str, float] = {}
    if promotion:
        job.address  # noqa: B018 - the packaged model looks for the running store
        gates: dict[str, Gate] = {"answers": check_answers}
        if cases:
            gates["evaluation"] = partial(_measure, job, cases)
        with job.step("checking the packaged model"):
            metrics = promote(job.settings.registry, packaged.version, gates)
    return {
        "model_uri": packaged.version.uri,
        "version": packaged.version.version,
        "created": packaged.created,
        "promoted": promotion,
        "metrics": metrics,
    }


def _cases(job: Job) -> Mapping[str, list[Any]]:
    """Returns the questions that the gates of conf/ need, read before anything is packaged.

    Raises:
        ConfigError: A gate names no metric that conf/ has a set for.
    """
    gates, files = job.settings.evaluation.gates, configured(job)
    if not gates:
        return {}
    known = [f"{kind}.{metric}" for kind, paths in files.items() if paths for metric in METRICS[kind]]
    wrong = sorted(set(gates) - set(known))
    if wrong:
        raise ConfigError(
            f"evaluation.gates names {', '.join(wrong)}, which no set of conf/ gives. Name files of questions under "
            "evaluation.retrieval, evaluation.qa or evaluation.spans, and gates with the kind in front: qa.contains.",
            gates=wrong,
        )
    kinds = {gate.partition(".")[0] for gate in gates}
    return read_sets({kind: paths for kind, paths in files.items() if kind in kinds})


def _measure(job: Job, cases: Mapping[str, list[Any]], version: "ModelVersion") -> dict[str, float]:
    """The gates of conf/: the packaged model's metrics on its own sets; raises where one is below its least value."""
    from lakerag.rag.packaging import pipeline_of

    asker = question_of(job, "", None, "", "", "", None)
    results = measured(job, configured(job), cases, asker, BATCH_QUESTIONS, (job.store, pipeline_of(version)))
    return require(job.settings.evaluation.gates, results)
