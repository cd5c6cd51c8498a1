"""Requests of several callers answered together, and refused at once when too many wait."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lakerag.errors import LakeragError, OverloadedError
from lakerag.records import Answer, Question

AnswerAll = Callable[[Sequence[Question], int | None], list[Answer]]
"""Answers questions, all with one limit of new tokens."""


@dataclass(slots=True)
class _Ticket:
    """One request that waits."""

    questions: tuple[Question, ...]
    max_new_tokens: int | None
    done: threading.Event = field(default_factory=threading.Event)
    answers: list[Answer] = field(default_factory=list)
    error: LakeragError | None = None


class Batcher:
    """Answers the requests that wait in one call, while none waits for a batch to fill.

    A request that comes alone is answered at once. Those that come meanwhile are answered
    together next, by the thread of one of them.

    Args:
        answer: Called by one thread at a time.
        max_questions: Of one call; a request of more goes alone.
        max_waiting: Requests that may wait.
    """

    def __init__(self, answer: AnswerAll, max_questions: int, max_waiting: int) -> None:
        self._answer = answer
        self._max_questions = max_questions
        self._max_waiting = max_waiting
        self._waiting: deque[_Ticket] = deque()
        self._queue = threading.Lock()
        self._turn = threading.Lock()

    def answer(self, questions: Sequence[Question], max_new_tokens: int | None = None) -> list[Answer]:
        """Returns one answer a question, in their order.

        Raises:
            OverloadedError: Too many requests wait; this one was not started.
            LakeragError: What answering these questions raised; others' errors are not theirs.
        """
        ticket = _Ticket(tuple(questions), max_new_tokens)
        with self._queue:
            if len(self._waiting) >= self._max_waiting:
                raise OverloadedError(
                    f"{len(self._waiting)} requests wait already, which is the limit (serving.max_waiting). "
                    "Try again in a moment.",
                    waiting=len(self._waiting),
                )
            self._waiting.append(ticket)
        while not ticket.done.is_set():
            with self._turn:
                if not ticket.done.is_set():
                    self._serve(self._take())
        if ticket.error is not None:
            raise ticket.error
        return ticket.answers

    def _take(self) -> list[_Ticket]:
        """Returns the requests of the next call: the first that waits, and those behind it that fit."""
        with self._queue:
            taken = [self._waiting.popleft()]
            size = len(taken[0].questions)
            while self._waiting and self._waiting[0].max_new_tokens == taken[0].max_new_tokens:
                size += len(self._waiting[0].questions)
                if size > self._max_questions:
                    break
                taken.append(self._waiting.popleft())
        return taken

    def _serve(self, tickets: Sequence[_Ticket]) -> None:
        try:
            self._answer_together(tickets)
        except LakeragError as error:
            if len(tickets) == 1:
                tickets[0].error = error
            else:
                for ticket in tickets:
                    self._serve([ticket])
        finally:
            for ticket in tickets:
                if not ticket.answers and ticket.error is None:
                    ticket.error = LakeragError("The request was answered together with others, and answering failed.")
                ticket.done.set()

    def _answer_together(self, tickets: Sequence[_Ticket]) -> None:
        questions = [question for ticket in tickets for question in ticket.questions]
        answers = self._answer(questions, tickets[0].max_new_tokens)
        for ticket in tickets:
            ticket.answers, answers = answers[: len(ticket.questions)], answers[len(ticket.questions) :]
