"""`lakerag evaluate`: metrics of the index and its answers on a user's own questions."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lakerag.errors import UsageError
from lakerag.evaluation import datasets, measure, qa, retrieval, spans
from lakerag.evaluation.gates import check_gates, parse_gates
from lakerag.evaluation.measure import MODES, Interview
from lakerag.jobs.job import Job, Result, command
from lakerag.jobs.query import question_of
from lakerag.records import Question

if TYPE_CHECKING:
    from lakerag.rag.answer import RagPipeline
    from lakerag.stores import VectorStore

MISSED = 4
"""Exit code when a gate was missed."""
BATCH_QUESTIONS = 32
SET = click.Path(path_type=Path)
FIELDS = ("path", "start", "end", "text")
METRICS: Mapping[str, tuple[str, ...]] = {
    "retrieval": tuple(f"{mode}.{name}" for mode in MODES for name in retrieval.METRICS),
    "qa": (*qa.METRICS, *(f"abstention.{name}" for name in qa.ABSTENTION)),
    "spans": (*spans.METRICS, *spans.INDEX_METRICS, *(f"{mode}.{name}" for mode in MODES for name in spans.METRICS)),
}
"""What gates may name, by kind of set."""

READERS: Mapping[str, Callable[[Path], list[Any]]] = {
    "retrieval": datasets.read_retrieval,
    "qa": datasets.read_qa,
    "spans": datasets.read_spans,
}


def _show(console: Console, result: Result) -> None:
    single = not set(result) & set(METRICS)
    for kind, found in ({"": result} if single else result).items():
        if isinstance(found, Mapping):
            _show_set(console, kind, found)
    for gate in result.get("gates", ()):
        verdict = "[green]reached[/]" if gate["passed"] else "[red]missed[/]"
        console.print(
            f"gate {verdict}: {gate['metric']} is {_cell(gate['found'])}, at least {gate['min']} was asked for"
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
    told = {name: value for name, value in result.items() if name not in ("sha256", "gates")}
    alone = [f"{name} {_cell(value)}" for name, value in told.items() if not isinstance(value, Mapping)]
    console.print(f"[bold]{kind}[/]" if kind else "", ", ".join(alone))
    for table in tables.values():
        console.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else escape(str(value))


@command("evaluate", _show)
@click.option("--retrieval", type=SET, multiple=True, help="{query, relevant: [path, ...]} a line.")
@click.option("--qa", type=SET, multiple=True, help="SQuAD v2, or {question, answers: [...]} a line.")
@click.option("--spans", type=SET, multiple=True, help="{question, corpus, references: [{text, start, end}]} a line.")
@click.option("--groups", default="", metavar="G1,G2", help="Groups of the asker.")
@click.option("--tenant", default="", metavar="T", help="Tenant of the asker.")
@click.option("--mode", type=click.Choice(MODES), help="How to retrieve for answers and chunk boundaries.")
@click.option("--batch", type=click.IntRange(1), default=BATCH_QUESTIONS, show_default=True, help="Questions a call.")
@click.option("--min", "least", multiple=True, metavar="METRIC=VALUE", help="Exit with 4 below (hybrid.mrr@10=0.5).")
def main(
    job: Job, groups: str, tenant: str, mode: str | None, batch: int, least: tuple[str, ...], **files: tuple[Path, ...]
) -> Result:
    """Measure retrieval, answers or chunk boundaries on your own questions, in files that may be several a kind."""
    kinds = [kind for kind in READERS if files[kind]]
    gates = parse_gates(least, _gateable(kinds))
    cases = {kind: [case for path in files[kind] for case in READERS[kind](path)] for kind in kinds}
    asker = question_of(job, "", None, "", groups, tenant, mode)
    store, pipeline = _open(job)
    results = {}
    for kind in kinds:
        with job.step(f"evaluating {kind}") as say:
            interview = Interview(pipeline, asker.access, min(batch, pipeline.max_batch), say)
            measured = _measure(job, kind, cases[kind], interview, asker, store)
        results[kind] = {**measured, "sha256": datasets.fingerprint(*files[kind])}
    result: Result = results if len(kinds) > 1 else results[kinds[0]]
    if gates:
        result["gates"] = check_gates(gates, result)
        job.exit_code = 0 if all(gate["passed"] for gate in result["gates"]) else MISSED
    return result


def _gateable(kinds: Sequence[str]) -> list[str]:
    """Returns the metrics that these kinds of sets give, as they are named in the result.

    Raises:
        UsageError: No set was given.
    """
    if not kinds:
        raise UsageError("There is nothing to evaluate. Give --retrieval FILE, --qa FILE or --spans FILE.")
    return [name if len(kinds) == 1 else f"{kind}.{name}" for kind in kinds for name in METRICS[kind]]


def _open(job: Job) -> "tuple[VectorStore, RagPipeline]":
    """Opens the index and the pipeline over it, until the command ends."""
    from lakerag.rag.load import build_pipeline
    from lakerag.stores import open_store

    with job.step("opening models and index"):
        store = job.closing.enter_context(open_store(job.settings.store))
        return store, build_pipeline(job.active, store)


def _measure(
    job: Job, kind: str, cases: Sequence[Any], interview: Interview, asker: Question, store: "VectorStore"
) -> Result:
    if kind == "retrieval":
        top_k = min(measure.RANKED_PASSAGES, job.settings.retrieval.max_top_k)
        return measure.measure_retrieval(interview, cases, top_k)
    if kind == "qa":
        return measure.measure_qa(interview, cases, asker.top_k, asker.mode)
    rows = chain.from_iterable(store.scan(job.settings.store.alias, FIELDS))
    return measure.measure_spans(interview, cases, rows, asker.mode)
