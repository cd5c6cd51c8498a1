"""Traces of answers in MLflow, written in the background: an asker never waits for them."""

import queue
import random
import threading
from collections.abc import Sequence
from typing import NamedTuple

from lakerag.config import Registry
from lakerag.rag.registry import connect, experiment_id, quiet
from lakerag.rag.steps import Steps
from lakerag.records import Answer

MAX_WAITING = 100
"""Traces that wait to be written; further ones are left out."""


class _Trace(NamedTuple):
    steps: Steps
    answers: Sequence[Answer]
    end_ns: int


class TraceLog:
    """Writes a share of the calls as traces, one span a step.

    Args:
        settings: Where MLflow is, and the experiment.
        share: Of the calls, 0 to 1.
        chosen: Draws a number from 0 to 1 for a call; those below the share are written.
    """

    def __init__(self, settings: Registry, share: float, chosen: random.Random | None = None) -> None:
        self._settings = settings
        self._share = share
        self._random = chosen or random.Random()  # noqa: S311 - a sample, no secret
        self._waiting: queue.Queue[_Trace | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._write_all, name="lakerag-traces", daemon=True)
        self._thread.start()
        self.left_out = 0
        """Chosen calls that were not written because too many waited."""

    def observe(self, steps: Steps, answers: Sequence[Answer]) -> None:
        """Takes note of a call that has been answered; returns at once."""
        if self._random.random() >= self._share:
            return
        end_ns = max((step.end_ns for step in steps.taken), default=steps.start_ns)
        try:
            self._waiting.put_nowait(_Trace(steps, answers, end_ns))
        except queue.Full:
            self.left_out += 1

    def close(self) -> None:
        """Writes what waits, and ends."""
        self._waiting.put(None)
        self._thread.join()

    def _write_all(self) -> None:
        connect(self._settings)
        experiment = experiment_id(self._settings)
        while (trace := self._waiting.get()) is not None:
            with quiet():
                _write(trace, experiment)
        with quiet():
            import mlflow

            mlflow.flush_trace_async_logging(terminate=True)


def _write(trace: _Trace, experiment: str) -> None:
    import mlflow

    root = mlflow.start_span_no_context(
        name="answer",
        span_type="CHAIN",
        inputs={"questions": [answer.question for answer in trace.answers]},
        attributes={"model_version": trace.answers[0].model_version, "generator": trace.answers[0].generator},
        experiment_id=experiment,
        start_time_ns=trace.steps.start_ns,
    )
    for step in trace.steps.taken:
        span = mlflow.start_span_no_context(
            name=step.name,
            parent_span=root,
            attributes={name: str(count) for name, count in step.facts.items()},
            start_time_ns=step.start_ns,
        )
        span.end(end_time_ns=step.end_ns)
    said = [{"answer": a.answer, "abstained": a.abstained, "confidence": a.confidence} for a in trace.answers]
    root.end(outputs=said, end_time_ns=trace.end_ns)
