import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from lakerag.errors import LakeragError, OverloadedError, UsageError
from lakerag.rag.batching import Batcher
from lakerag.records import Answer, Question


def answer_of(question: Question) -> Answer:
    return Answer(question.question, f"{question.question}!", False, "", 0.9, (), "echo", "1", 0, 0, {})


class Slow:
    """Answers when it is let; keeps its calls."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.calls: list[tuple[list[str], int | None]] = []

    def answer(self, questions: Sequence[Question], max_new_tokens: int | None = None) -> list[Answer]:
        texts = [question.question for question in questions]
        self.calls.append((texts, max_new_tokens))
        if "bug" in texts:
            raise ZeroDivisionError
        if "bad" in texts:
            raise UsageError("it is bad")
        assert self.let.wait(10)
        return [answer_of(question) for question in questions]


def wait_until(holds: object) -> None:
    deadline = time.monotonic() + 10
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def ask(clients: ThreadPoolExecutor, batcher: Batcher, *texts: str, limit: int | None = None):
    return clients.submit(lambda: [a.answer for a in batcher.answer([Question(text) for text in texts], limit)])


@pytest.fixture
def slow():
    """A pipeline that is busy with the question "first" until it is let."""
    return Slow()


def test_requests_that_come_while_one_is_answered_are_answered_together_next(slow: Slow) -> None:
    batcher = Batcher(slow.answer, max_questions=3, max_waiting=10)
    with ThreadPoolExecutor(8) as clients:
        first = ask(clients, batcher, "first")
        wait_until(lambda: slow.calls)
        waiting = []
        for n, request in enumerate([("a", "b"), ("c",), ("d",), ("e", "f", "g", "h")], 1):
            waiting.append(ask(clients, batcher, *request))
            wait_until(lambda n=n: len(batcher._waiting) == n)
        slow.let.set()
        assert first.result() == ["first!"]
        assert [future.result() for future in waiting] == [["a!", "b!"], ["c!"], ["d!"], ["e!", "f!", "g!", "h!"]]
    assert [texts for texts, _ in slow.calls] == [["first"], ["a", "b", "c"], ["d"], ["e", "f", "g", "h"]]


def test_requests_of_another_answer_length_are_not_answered_together(slow: Slow) -> None:
    batcher = Batcher(slow.answer, max_questions=9, max_waiting=10)
    with ThreadPoolExecutor(3) as clients:
        ask(clients, batcher, "first")
        wait_until(lambda: slow.calls)
        ask(clients, batcher, "a", limit=5)
        wait_until(lambda: len(batcher._waiting) == 1)
        ask(clients, batcher, "b", limit=6)
        wait_until(lambda: len(batcher._waiting) == 2)
        slow.let.set()
    assert slow.calls == [(["first"], None), (["a"], 5), (["b"], 6)]


def test_a_refused_request_does_not_spoil_those_beside_it(slow: Slow) -> None:
    batcher = Batcher(slow.answer, max_questions=9, max_waiting=10)
    with ThreadPoolExecutor(3) as clients:
        first = ask(clients, batcher, "first")
        wait_until(lambda: slow.calls)
        good, bad = ask(clients, batcher, "good"), ask(clients, batcher, "bad")
        wait_until(lambda: len(batcher._waiting) == 2)
        slow.let.set()
        assert (first.result(), good.result()) == (["first!"], ["good!"])
        with pytest.raises(UsageError, match="it is bad"):
            bad.result()


def test_an_unforeseen_failure_leaves_nobody_waiting(slow: Slow) -> None:
    batcher = Batcher(slow.answer, max_questions=9, max_waiting=10)
    with ThreadPoolExecutor(3) as clients:
        ask(clients, batcher, "first")
        wait_until(lambda: slow.calls)
        futures = [ask(clients, batcher, "good"), ask(clients, batcher, "bug")]
        wait_until(lambda: len(batcher._waiting) == 2)
        slow.let.set()
        errors = {type(future.exception()) for future in futures}
    assert errors == {ZeroDivisionError, LakeragError}


def test_more_waiting_requests_than_allowed_are_refused_at_once(slow: Slow) -> None:
    batcher = Batcher(slow.answer, max_questions=9, max_waiting=1)
    with ThreadPoolExecutor(2) as clients:
        ask(clients, batcher, "first")
        wait_until(lambda: slow.calls)
        ask(clients, batcher, "second")
        wait_until(lambda: len(batcher._waiting) == 1)
        with pytest.raises(OverloadedError, match="1 requests wait already"):
            batcher.answer([Question("third")])
        slow.let.set()
    assert [texts for texts, _ in slow.calls] == [["first"], ["second"]]
