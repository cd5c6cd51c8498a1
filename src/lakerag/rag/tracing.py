"""Traces of answers in MLflow, written in the background: an asker never waits for them, nor fails with them."""

import logging
import queue
import random
import threading
from collections.abc import Sequence
from typing import NamedTuple

from lakerag.config import Registry, masked
from lakerag.rag.registry import connect, experiment_of, quiet
from lakerag.rag.steps import Steps
from lakerag.records import Answer

MAX_WAITING = 100
"""Traces that wait to be written; further ones are left out."""

CLOSE_S = 10.0
"""How long the end waits for the last traces: MLflow asks a server that does not answer again for minutes."""

_LOG = logging.getLogger(__name__)


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
        self._waiting: queue.SimpleQueue[_Trace | None] = queue.SimpleQueue()  # whose `put` never waits
        self.left_out = 0
        """Chosen calls that were not written because too many waited."""
        self.failed = 0
        """Chosen calls that MLflow did not take."""
        self._thread = threading.Thread(target=self._write_all, name="lakerag-traces", daemon=True)
        self._thread.start()

    def observe(self, steps: Steps, answers: Sequence[Answer]) -> None:
        """Takes note of a call that has been answered; returns at once, whatever MLflow does."""
        if self._random.random() >= self._share:
            return
        end_ns = max((step.end_ns for step in steps.taken), default=steps.start_ns)
        if self._waiting.qsize() < MAX_WAITING:
            self._waiting.put(_Trace(steps, answers, end_ns))
            return
        if not self.left_out:
            _LOG.warning("%d traces of answers wait for MLflow; further ones are left out meanwhile.", MAX_WAITING)
        self.left_out += 1

    def close(self) -> None:
        """Writes what waits, for `CLOSE_S` at most, and says how many calls were not written."""
        self._waiting.put(None)
        self._thread.join(CLOSE_S)
        # The end mark stands for the trace that is being written.
        if missing := self.left_out + self.failed + self._waiting.qsize():
            _LOG.warning("%d traces of answers were not written to MLflow.", missing)

    def _write_all(self) -> None:
        client, failing = None, False
        while (trace := self._waiting.get()) is not None:
            try:
                client = client or connect(self._settings)
                # Looked up for every trace: MLflow says nothing of traces that it cannot send.
                with quiet():
                    _write(trace, experiment_of(client, self._settings))
                failing = False
            except Exception as error:  # noqa: BLE001 - nobody is above this thread, and the next trace may be written
                if not failing:
                    self._say(error)
                failing = True
                self.failed += 1
        with quiet():
            import mlflow

            mlflow.flush_trace_async_logging(terminate=True)

    def _say(self, error: Exception) -> None:
        _LOG.warning(
            "Traces of answers are not written to %s (%s: %s). Answers go on without them; check that it runs and "
            "that registry.tracking_uri is right.",
            masked(self._settings.tracking_uri),
            type(error).__name__,
            masked(str(error)),
        )


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
