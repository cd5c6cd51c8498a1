"""What an answer's steps took: for the timings of the answer and for its trace."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Step:
    """One step, by the clock."""

    name: str
    start_ns: int
    """Nanoseconds since 1970."""
    end_ns: int
    facts: dict[str, int]
    """Counts that say how much there was to do."""

    @property
    def ms(self) -> float:
        return (self.end_ns - self.start_ns) / 1e6


@dataclass(slots=True)
class Steps:
    """The steps of one call, in their order."""

    start_ns: int = field(default_factory=time.time_ns)
    taken: list[Step] = field(default_factory=list)
    _begin: float = field(default_factory=time.perf_counter)

    @contextmanager
    def step(self, name: str, **facts: int) -> Iterator[None]:
        """Takes the time of what happens inside."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            start, end = (self.start_ns + round((at - self._begin) * 1e9) for at in (begin, time.perf_counter()))
            self.taken.append(Step(name, start, end, facts))

    def timings(self, *names: str) -> dict[str, float]:
        """Returns milliseconds by name, 0 for steps that were not taken, and the `total` until now."""
        spent = dict.fromkeys(names, 0.0)
        for step in self.taken:
            if step.name in spent:
                spent[step.name] += step.ms
        return {**spent, "total": (time.perf_counter() - self._begin) * 1e3}
