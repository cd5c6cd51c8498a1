"""The rounds of the chaos, and its report."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tests.chaos.proxy import Proxy
from tests.chaos.reader import Reader
from tests.chaos.stores import Killable, serving

LONGEST_S = 5.0
"""Between the start of a sync's work and its death, at most."""
OUTAGE_S = 1.0


def run(home: Path, rounds: int, seed: int, store: str, say: Callable[[str], None]) -> dict[str, Any]:
    """Runs the rounds and returns what was done and what differs; Ctrl-C ends them early, with the same comparison.

    Args:
        home: An empty folder.
        rounds: How often the sync is killed.
        seed: Of every random choice; when a kill hits depends on the machine all the same.
        store: `lite` or `milvus`.
        say: Told of every round.

    Returns:
        Counts of `kills`, `store_kills`, `cuts` and `slowdowns`, `commits` of the writer,
        `heals` of lost positions, `rows` at the end, `differences` of the synced and of a
        rebuilt collection against gold, `looks` of a reader and how many `missed` a key,
        and `sound`: whether nothing differs and nothing was missed.
    """
    started, done = time.monotonic(), Counter[str]()
    with serving(store, home / "store") as server, _interruptible() as interrupted:
        proxy, writer = Proxy(server.port), _python("writer", home, str(seed))
        _wait_for(writer.stdout, "ready")
        chance, reader = random.Random(seed), None
        for number in range(rounds):
            if interrupted():
                break
            sync = _python("syncer", home, str(proxy.port))
            _wait_for(sync.stdout, "ready")
            if number % 2 == 0:  # every other one is at work already when trouble begins
                _wait_for(sync.stdout, "synced")
                reader = reader or Reader(server.port)
            _disturb(chance, server, proxy, done)
            time.sleep(chance.uniform(0, LONGEST_S))
            os.killpg(sync.pid, signal.SIGKILL)
            sync.communicate()
            done["kills"] += 1
            say(f"round {number + 1} of {rounds}: {dict(done)}")
        commits, _ = writer.communicate("stop\n")
        last = _python("syncer", home, "settle", str(server.port))
        settled, _ = last.communicate()
        if last.returncode:
            raise RuntimeError(f"the last sync failed; its words are in {home}/syncer.err")
        if reader is not None:
            reader.stop()
        proxy.close()
    counted = json.loads(settled.splitlines()[-1])
    report = {
        "rounds": done["kills"],
        **{name: done[name] for name in ("kills", "store_kills", "cuts", "slowdowns")},
        "commits": int(commits.split()[-1]),
        **counted,
        "looks": reader.looks if reader else 0,
        "missed": reader.missing if reader else 0,
        "seconds": round(time.monotonic() - started),
    }
    return {**report, "sound": not (any(counted["differences"].values()) or counted["reconcile"] or report["missed"])}


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Yields what says whether Ctrl-C was pressed; the children, in groups of their own, do not hear of it."""
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


def _disturb(chance: random.Random, server: Killable, proxy: Proxy, done: Counter[str]) -> None:
    """Does one thing to the store or to the way there, or nothing."""
    time.sleep(chance.uniform(0, LONGEST_S))
    act = chance.choice(("nothing", "store_kills", "cuts", "slowdowns"))
    done[act] += 1
    if act == "store_kills":
        server.kill()
        time.sleep(chance.uniform(0, OUTAGE_S))
        server.start()
        proxy.target = server.port
    elif act == "cuts":
        proxy.cut()
        time.sleep(chance.uniform(0, OUTAGE_S))
        proxy.mend()
    proxy.slow(act == "slowdowns")


def _python(module: str, home: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Starts a process of the chaos in a group of its own, so that it can be killed with its JVM."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / f"{module}.err").open("ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", f"tests.chaos.{module}", str(home), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )


def _wait_for(stream: IO[str] | None, word: str) -> None:
    assert stream is not None
    for line in stream:
        if line.strip() == word:
            return
    raise RuntimeError(f"a process ended before it said {word!r}; its words are in the folder's *.err and *.log")
