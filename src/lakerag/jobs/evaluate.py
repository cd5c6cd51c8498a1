"""`lakerag evaluate`: metrics of the index and its answers on a user's own questions."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lakerag.evaluation.gates import check_gates, parse_gates
from lakerag.evaluation.measure import MODES, Interview
from lakerag.evaluation.sets import FIELDS, METRICS, Files, measure_sets, read_sets
from lakerag.jobs.job import Job, Result, command
from lakerag.jobs.query import question_of
from lakerag.records import Question

if TYPE_CHECKING:
    from lakerag.rag.answer import RagPipeline
    from lakerag.stores import VectorStore

MISSED = 4
"""Exit code when a gate was missed or a metric fell."""
BATCH_QUESTIONS = 32
SET = click.Path(path_type=Path)


def show_metrics(console: Console, result: Result) -> None:
    """Prints metrics, gates and alarms."""
    single = not set(result) & set(METRICS)
    for kind, found in ({"": result} if single else result).items():
        if isinstance(found, Mapping):
            _show_set(console, kind, found)
    for gate in result.get("gates", ()):
        verdict = "[green]reached[/]" if gate["passed"] else "[red]missed[/]"
        console.print(
            f"gate {verdict}: {gate['metric']} is {_cell(gate['found'])}, at least {gate['min']} was asked for"
        )
    for alarm in result.get("alarms", ()):
        console.print(
            f"[red]alarm[/]: {alarm['kind']} {alarm['metric']} fell to {_cell(alarm['value'])} "
            f"from {_cell(alarm['reference'])}"
        )


def _show_set(console: Console, kind: str, result: Mapping[str, Any]) -> None:
    """Prints one table for all groups of numbers with the same names, and a line of what stands alone."""
    tables: dict[tuple[str, ...], Table] = {}
    for name, numbers in {**result, **result.get("by_corpus", {})}.items():
        if name == "by_corpus" or not isinstance(numbers, Mapping):
            continue
        if tuple(numbers) not in tables:
            tables[tuple(numbers)] = Table("", *numbers, box=None)
        tables[tuple(numbers)].add_row(escape(name), *map(_cell, numbers.values()))
    told = {name: value for name, value in result.items() if name not in ("sha256", "gates", "alarms")}
    alone = [f"{name} {_cell(value)}" for name, value in told.items() if not isinstance(value, Mapping)]
    console.print(f"[bold]{kind}[/]" if kind else "", ", ".join(alone))
    for table in tables.values():
        console.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else escape(str(value))


@command("evaluate", show_metrics)
@click.option("--retrieval", type=SET, multiple=True, help="{query, relevant: [path, ...]} a line.")
@click.option("--qa", type=SET, multiple=True, help="SQuAD v2, or {question, answers: [...]} a line.")
@click.option("--spans", type=SET, multiple=True, help="{question, corpus, references: [{text, start, end}]} a line.")
@click.option("--groups", default="", metavar="G1,G2", help="Groups of the asker.")
@click.option("--tenant", default="", metavar="T", help="Tenant of the asker.")
@click.option("--mode", type=click.Choice(MODES), help="How to retrieve for answers and chunk boundaries.")
@click.option("--batch", type=click.IntRange(1), default=BATCH_QUESTIONS, show_default=True, help="Questions a call.")
@click.option("--min", "least", multiple=True, metavar="METRIC=VALUE", help="Exit with 4 below (hybrid.mrr@10=0.5).")
@click.option("--record", is_flag=True, help="Write ops_quality and MLflow; exit with 4 when a metric fell.")
def main(
    job: Job,
    groups: str,
    tenant: str,
    mode: str | None,
    batch: int,
    least: tuple[str, ...],
    record: bool,
    **files: tuple[Path, ...],
) -> Result:
    """Measure retrieval, answers or chunk boundaries on your own questions; without files, on those of conf/."""
    asker = question_of(job, "", None, "", groups, tenant, mode)
    return evaluate_index(job, files if any(files.values()) else configured(job), asker, batch, least, record)


def evaluate_index(
    job: Job,
    given: Files,
    asker: Question,
    batch: int = BATCH_QUESTIONS,
    least: Sequence[str] = (),
    record: bool = False,
) -> Result:
    """Measures the index and its answers; missed gates and falls set the exit code.

    Args:
        job: Where everything is.
        given: Files of questions by kind.
        asker: Whose rights, `top_k` and `mode` every question is asked with.
        batch: Questions a call.
        least: Gates, `METRIC=VALUE`.
        record: Writes `ops_quality` and MLflow, and compares with the runs before.
    """
    gates = parse_gates(least, _gateable([kind for kind in METRICS if given.get(kind)])) if least else []
    cases = read_sets(given)
    store, pipeline = _open(job)
    results = measured(job, given, cases, asker, batch, (store, pipeline))
    result: Result = dict(results) if len(results) > 1 else next(iter(results.values()))
    if gates:
        result["gates"] = check_gates(gates, result)
    if record:
        result["alarms"] = _record(job, results, store)
    missed = not all(gate["passed"] for gate in result.get("gates", ()))
    job.exit_code = MISSED if missed or result.get("alarms") else 0
    return result


def configured(job: Job) -> dict[str, tuple[Path, ...]]:
    """Returns the files that conf/ names, by kind."""
    settings = job.settings.evaluation
    named = {"retrieval": settings.retrieval, "qa": settings.qa, "spans": settings.spans}
    return {kind: tuple(map(Path, paths)) for kind, paths in named.items()}


def measured(
    job: Job,
    files: Files,
    cases: Mapping[str, list[Any]],
    asker: Question,
    batch: int,
    opened: "tuple[VectorStore, RagPipeline]",
) -> dict[str, Result]:
    """Measures a pipeline over an open store; returns one document a kind."""
    store, pipeline = opened
    with job.step(f"evaluating {', '.join(cases)}") as say:
        interview = Interview(pipeline, asker.access, min(batch, pipeline.max_batch), say)
        return measure_sets(
            cases,
            files,
            interview,
            asker,
            lambda: chain.from_iterable(store.scan(job.settings.store.alias, FIELDS)),
            job.settings.retrieval.max_top_k,
        )


def _gateable(kinds: Sequence[str]) -> list[str]:
    """Returns the metrics that these kinds of sets give, as they are named in the result."""
    return [name if len(kinds) == 1 else f"{kind}.{name}" for kind in kinds for name in METRICS[kind]]


def _open(job: Job) -> "tuple[VectorStore, RagPipeline]":
    """Opens the index and the pipeline over it, until the command ends."""
    from lakerag.rag.load import build_pipeline
    from lakerag.stores import open_store

    with job.step("opening models and index"):
        store = job.closing.enter_context(open_store(job.settings.store))
        return store, build_pipeline(job.active, store)


def _record(job: Job, results: Mapping[str, Result], store: "VectorStore") -> list[dict[str, Any]]:
    """Writes the metrics to `ops_quality` and MLflow; returns what fell further than it may."""
    from lakerag.answers.views import create_views
    from lakerag.evaluation import tracking
    from lakerag.evaluation.quality import Measurement, flatten, record
    from lakerag.rag.registry import connect, experiment_id, quiet

    collection = store.resolve(job.settings.store.alias)
    registry, alarms = job.settings.registry, []
    client = connect(registry)
    for kind, result in results.items():
        found = Measurement(kind, flatten(result, METRICS[kind]), result["sha256"], collection.name, collection.space)
        with job.step(f"recording {kind}"), quiet():
            max_drop = job.settings.evaluation.max_drop
            alarms += record(job.catalog, found, max_drop=max_drop, now=job.now, run_id=job.run_id)
            params = {"dataset_sha256": found.dataset_sha256, "collection": found.collection, "run_id": job.run_id}
            tracking.log(client, experiment_id(registry), kind, found.metrics, params)
    create_views(job.catalog)
    return alarms
