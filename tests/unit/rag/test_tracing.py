"""Traces while MLflow answers, fails and hangs."""

import random
import threading
import time
from collections.abc import Callable

import pytest

from lakerag.config import Registry
from lakerag.rag import tracing
from lakerag.rag.steps import Steps
from lakerag.rag.tracing import TraceLog
from lakerag.records import Answer

DATABASE = Registry(tracking_uri="postgresql://ml:s3cret@db/mlflow")
ANSWERS = [Answer("Who?", "I [1]", False, "", 0.9, (), "echo", "m/1", 0, 0, {})]

Open = Callable[[Callable[[], None]], TraceLog]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a log of every call whose traces are written by the given function."""
    monkeypatch.setattr(tracing, "connect", lambda settings: object())
    monkeypatch.setattr(tracing, "experiment_of", lambda client, settings: "1")

    def open_log(write: Callable[[], None]) -> TraceLog:
        monkeypatch.setattr(tracing, "_write", lambda trace, experiment: write())
        return TraceLog(DATABASE, 1.0, random.Random(1))

    return open_log


def test_a_failure_is_said_when_it_begins_and_later_traces_are_written(
    opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes, written = iter(["fail", "fail", "write", "write", "fail", "write"]), []

    def write() -> None:
        if (outcome := next(outcomes)) == "fail":
            raise ConnectionError("postgresql://ml:s3cret@db/mlflow does not answer")
        written.append(outcome)

    log = opened(write)
    for _ in range(6):
        log.observe(Steps(), ANSWERS)
    log.close()
    assert (len(written), log.failed) == (3, 3)
    begun = (
        "Traces of answers are not written to postgresql://***@db/mlflow (ConnectionError: postgresql://***@db/mlflow"
    )
    assert [line.startswith(begun) for line in caplog.messages] == [True, True, False]
    assert caplog.messages[-1] == "3 traces of answers were not written to MLflow."


def test_a_server_that_comes_up_later_gets_the_traces_from_then_on(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = iter([ConnectionError("refused"), object()])

    def connect(settings: Registry) -> object:
        if isinstance(client := next(clients), Exception):
            raise client
        return client

    monkeypatch.setattr(tracing, "connect", connect)
    written: list[int] = []
    log = opened(lambda: written.append(1))
    for _ in range(3):
        log.observe(Steps(), ANSWERS)
    log.close()
    assert (len(written), log.failed) == (2, 1)


def test_nobody_waits_for_a_server_that_hangs(
    opened: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tracing, "CLOSE_S", 0.1)
    monkeypatch.setattr(tracing, "MAX_WAITING", 3)
    hanging, entered = threading.Event(), threading.Event()

    def write() -> None:
        entered.set()
        hanging.wait(60)

    log = opened(write)
    log.observe(Steps(), ANSWERS)
    assert entered.wait(60)
    for _ in range(5):
        log.observe(Steps(), ANSWERS)
    assert log.left_out == 2
    started = time.monotonic()
    log.close()
    assert time.monotonic() - started < 30
    assert caplog.messages == [
        "3 traces of answers wait for MLflow; further ones are left out meanwhile.",
        "6 traces of answers were not written to MLflow.",
    ]
    hanging.set()
    log._thread.join(60)
