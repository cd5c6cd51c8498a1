"""One process at a time writes to a collection."""

import os
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from pyspark.errors import PySparkException
from tenacity import Retrying, retry_if_exception_message

from lakerag.errors import LeaseLostError, TransientError
from lakerag.stores import connect
from lakerag.sync.lease import Lease
from lakerag.tables import INDEX_FIELDS, INDEX_VECTOR, OPS_LEASES
from tests.integration.sync.gold import append, chunk, edit, indexed, syncing

ROW = [*(field.name for field in INDEX_FIELDS), INDEX_VECTOR]


def holders(catalog):
    return {row["name"]: row["holder"] for row in catalog.read(OPS_LEASES).collect()}


def rewrite(catalog, **values):
    """Changes every row, again where a renewal was faster."""
    changes = ", ".join(f"{name} = {value}" for name, value in values.items())
    for attempt in Retrying(retry=retry_if_exception_message(match="(?s).*DELTA_CONCURRENT"), reraise=True):
        with attempt:
            catalog.spark.sql(f"UPDATE {catalog.ref(OPS_LEASES)} SET {changes}")


def test_a_lease_is_held_by_one_and_outlives_nobody(catalog, address, tmp_path):
    append(catalog, chunk("a", "one"))
    sync = syncing(catalog, address, tmp_path, alias="leased", run_id="late")
    with Lease(catalog, "leased", "early", seconds=600):
        with pytest.raises(TransientError, match=rf"run early \(process {os.getpid()} on {platform.node()}"):
            sync.catch_up()
        with Lease(catalog, "other", "beside", seconds=600):
            assert holders(catalog) == {"leased": "early", "other": "beside"}
    assert holders(catalog) == {"leased": "", "other": ""}
    assert sync.catch_up().upserted == 1
    assert holders(catalog)["leased"] == ""

    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    rewrite(catalog, holder="'dead'", process=gone.pid, expires_at="current_timestamp() + INTERVAL 1 HOUR")
    Lease(catalog, "leased", "next", seconds=600).acquire()
    rewrite(catalog, holder="'elsewhere'", machine="'another'")
    with pytest.raises(TransientError, match="run elsewhere"):
        Lease(catalog, "leased", "next", seconds=600).acquire()
    rewrite(catalog, expires_at="current_timestamp() - INTERVAL 1 SECOND")
    Lease(catalog, "leased", "after", seconds=1).acquire()
    assert holders(catalog)["leased"] == "after"


def test_of_many_that_ask_at_once_one_gets_the_lease(catalog):
    def ask(holder):
        try:
            Lease(catalog, "wanted", holder, seconds=600).acquire()
        except TransientError:
            return None
        return holder

    with ThreadPoolExecutor(4) as asking:
        won = [holder for holder in asking.map(ask, ["a", "b", "c", "d"]) if holder]
    assert won == [holders(catalog)["wanted"]]


def test_a_lease_is_renewed_while_it_is_held_and_refused_once_it_was_lost(catalog):
    def expiry():
        return catalog.read(OPS_LEASES).first()["expires_at"]

    with Lease(catalog, "kept", "me", seconds=3) as lease:
        first = expiry()
        wait_until(lambda: expiry() > first)
        rewrite(catalog, holder="'thief'")
        wait_until(lambda: is_lost(lease))
    assert holders(catalog) == {"kept": "thief"}


def test_a_living_holder_keeps_its_lease_whatever_the_clocks_say(catalog):
    with Lease(catalog, "kept", "me", seconds=3):
        rewrite(catalog, expires_at="current_timestamp() - INTERVAL 1 HOUR")
        with pytest.raises(TransientError, match="run me"):
            Lease(catalog, "kept", "fast clock", seconds=20).acquire()


def test_a_renewal_that_fails_is_tried_again_and_a_release_that_met_another_commit_too(catalog, monkeypatch):
    fails = [PySparkException("the table does not answer"), False]

    def update(self, *arguments, whole=Lease._update):
        if fails and isinstance(fails[0], Exception):
            raise fails.pop(0)
        return whole(self, *arguments)

    monkeypatch.setattr(Lease, "_update", update)
    with Lease(catalog, "kept", "me", seconds=3):
        first = catalog.read(OPS_LEASES).first()["expires_at"]
        wait_until(lambda: catalog.read(OPS_LEASES).first()["expires_at"] > first)
        lease = Lease(catalog, "kept", "me", seconds=3)
    assert holders(catalog) == {"kept": ""}

    lease.acquire()
    monkeypatch.setattr(Lease, "_update", lambda self, *rest: fails.pop(0) if fails else update(self, *rest))
    lease.release()
    assert (fails, holders(catalog)) == ([], {"kept": ""})


def fail(lease):
    raise RuntimeError("the stream's log has a batch of that number")


@pytest.mark.parametrize("how", [Lease.check, fail, lambda lease: None], ids=["it looks", "it fails", "it ends"])
def test_what_was_written_after_the_lease_was_lost_is_compared_by_the_next_sync(catalog, address, tmp_path, how):
    def sync(run_id):
        return syncing(catalog, address, tmp_path, alias="overlapped", run_id=run_id)

    append(catalog, chunk("a", "one"), chunk("b", "two"))
    collection = sync("fill").catch_up().collection
    store = connect(address)
    [[old]] = [[row for row in batch if row["chunk_id"] == "a"] for batch in store.scan(collection, ROW)]
    edit(catalog, "a", "uno")

    def pause():
        with sync("paused").writing() as lease:
            rewrite(catalog, holder="''")  # its time was over
            assert sync("took over").catch_up().upserted == 1
            store.upsert(collection, [old])
            how(lease)

    with pytest.raises(LeaseLostError):
        pause()
    assert indexed(address, "overlapped") == [("a", "one", ""), ("b", "two", "")]
    report = sync("next").catch_up()
    assert (report.healed, report.upserted) == ("another process took over while one was still writing", 1)
    assert indexed(address, "overlapped") == [("a", "uno", ""), ("b", "two", "")]
    assert sync("after").catch_up().healed == ""


def is_lost(lease):
    try:
        lease.check()
    except TransientError as error:
        return "could not be renewed within 3 s" in str(error)
    return False


def wait_until(condition, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)
