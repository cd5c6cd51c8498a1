"""A time limit for code that cannot be asked to stop."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class DeadlineError(BaseException):
    """The time is over. Not an `Exception`: a library that catches those must not swallow it."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raises `DeadlineError` inside the block once the time is over.

    Python code and regular expressions are interrupted, a call into C when it returns.
    Off the main thread, where no signal arrives, there is no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise DeadlineError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
