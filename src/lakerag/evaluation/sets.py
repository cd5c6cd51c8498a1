"""Kinds of evaluation sets: how each is read and measured, and which metrics it gives."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lakerag.errors import UsageError
from lakerag.evaluation import datasets, measure, qa, retrieval, spans
from lakerag.evaluation.measure import MODES, Interview
from lakerag.records import Question

READERS: Mapping[str, Callable[[Path], list[Any]]] = {
    "retrieval": datasets.read_retrieval,
    "qa": datasets.read_qa,
    "spans": datasets.read_spans,
}
METRICS: Mapping[str, tuple[str, ...]] = {
    "retrieval": tuple(f"{mode}.{name}" for mode in MODES for name in retrieval.METRICS),
    "qa": (*qa.METRICS, *(f"abstention.{name}" for name in qa.ABSTENTION)),
    "spans": (*spans.METRICS, *spans.INDEX_METRICS, *(f"{mode}.{name}" for mode in MODES for name in spans.METRICS)),
}
"""What gates may name, by kind of set."""
FIELDS = ("path", "start", "end", "text")
"""Fields of the index's rows that chunk boundaries are measured on."""

Files = Mapping[str, Sequence[Path]]
"""Files of questions by kind; the files of a kind are one set together."""


def read_sets(files: Files) -> dict[str, list[Any]]:
    """Returns the cases of every kind that has files.

    Raises:
        UsageError: There are no files, or a record is wrong.
        SourceError: A file cannot be read.
    """
    kinds = [kind for kind in READERS if files.get(kind)]
    if not kinds:
        raise UsageError("There is nothing to evaluate. Give --retrieval FILE, --qa FILE or --spans FILE.")
    return {kind: [case for path in files[kind] for case in READERS[kind](path)] for kind in kinds}


def measure_sets(
    cases: Mapping[str, list[Any]],
    files: Files,
    interview: Interview,
    asker: Question,
    rows: Callable[[], Iterable[Mapping[str, Any]]],
    max_top_k: int,
) -> dict[str, dict[str, Any]]:
    """Returns the metrics of every kind, with the digest of its files under `sha256`.

    Args:
        cases: From `read_sets`.
        files: What it read.
        interview: The pipeline that is measured.
        asker: Whose `top_k` and `mode` answers are given with.
        rows: Gives the `FIELDS` of every row of the index.
        max_top_k: Passages that a question may ask for.
    """
    measured = {}
    for kind, asked in cases.items():
        if kind == "retrieval":
            found = measure.measure_retrieval(interview, asked, min(measure.RANKED_PASSAGES, max_top_k))
        elif kind == "qa":
            found = measure.measure_qa(interview, asked, asker.top_k, asker.mode)
        else:
            found = measure.measure_spans(interview, asked, rows(), asker.mode)
        measured[kind] = {**found, "sha256": datasets.fingerprint(*files[kind])}
    return measured
