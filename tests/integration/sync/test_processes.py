"""Two processes that sync one alias at once, each with a Spark session of its own."""

import json
import os
import signal
import subprocess
import sys

import pytest

from lakerag.errors import TransientError
from lakerag.tables import OPS_SYNC
from tests.chaos.place import ALIAS, sync_of
from tests.integration.sync.gold import append, chunk, edit, indexed


@pytest.fixture
def home(catalog, tmp_path):
    """Where the lakehouse stands, which several sessions open."""
    return tmp_path


@pytest.fixture
def child(address, home):
    """A second process; `ask` it to do something."""
    port = address.uri.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "tests.integration.sync.process", str(home), port]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def ask(process, what):
    process.stdin.write(f"{what}\n")
    process.stdin.flush()


def test_of_two_processes_one_works_and_the_other_says_who_and_a_dead_one_is_followed(catalog, address, home, child):
    port = int(address.uri.rsplit(":", 1)[1])

    def sync(run_id):
        return sync_of(catalog, home, port, run_id)

    append(catalog, *(chunk(f"k{n}", "one") for n in range(50)))
    ask(child, "sync")
    try:
        mine = {"upserted": sync("parent").catch_up().upserted}
    except TransientError as error:
        mine = {"left": str(error)}
    theirs = json.loads(child.stdout.readline())
    # Whoever comes late finds the lease taken, or nothing left to do.
    assert mine.get("upserted", 0) + theirs.get("upserted", 0) == 50, (mine, theirs)
    for outcome, holder in (
        (mine, f"run child (process {child.pid} "),
        (theirs, f"run parent (process {os.getpid()} "),
    ):
        assert holder in outcome.get("left", holder)
    assert [row["upserted"] for row in catalog.read(OPS_SYNC).where("kind = 'stream'").collect()] == [50]

    edit(catalog, "k7", "seven")
    ask(child, "hold")
    assert child.stdout.readline() == "held\n"
    with pytest.raises(
        TransientError, match=rf"by run child \(process {child.pid} on .*wait for the other, or stop it"
    ):
        sync("waits").catch_up()
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert sync("follows").catch_up().upserted == 1
    assert ("k7", "seven", "") in indexed(address, ALIAS)
