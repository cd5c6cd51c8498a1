"""One process at a time writes to a collection."""

import os
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tenacity import Retrying, retry_if_exception_message

from lakerag.errors import TransientError
from lakerag.sync.lease import Lease
from lakerag.tables import OPS_LEASES
from tests.integration.sync.gold import append, chunk, syncing


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
    Lease(catalog, "leased", "after", seconds=600).acquire()
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
