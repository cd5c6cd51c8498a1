"""One writer an alias: a lease in a Delta table, taken by compare-and-swap, that ends by itself."""

import os
import platform
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Row
from pyspark.sql import functions as F

from lakerag.catalog import CONFLICT, Catalog, literal
from lakerag.errors import LeaseLostError, TransientError
from lakerag.tables import OPS_LEASES

_ATTEMPTS = 3
"""To take or renew a lease, while other aliases' rows change beside it."""


@dataclass
class Lease:
    """The right to write to what an alias serves, for `seconds`, renewed by a thread as long as it is held.

    A holder that dies without a word is followed by another when its time is over, or at
    once where it ran on this machine and its process is gone. Clocks need not agree: a lease
    counts as over only when it is not renewed while another process waits for it.

    Args:
        catalog: Where `ops_leases` stands.
        name: The alias.
        holder: The run.
        seconds: How long it lasts without a renewal.
    """

    catalog: Catalog
    name: str
    holder: str
    seconds: float
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _renewing: threading.Thread | None = field(default=None, init=False)

    def __enter__(self) -> "Lease":
        self.acquire()
        self._renewing = threading.Thread(target=self._keep, daemon=True)
        self._renewing.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stop.set()
        if self._renewing is not None:
            self._renewing.join()
        self.release()

    def acquire(self) -> None:
        """Takes the lease.

        Raises:
            TransientError: Another process has it; the message says which.
        """
        found = None
        for _ in range(_ATTEMPTS):
            found = self._row()
            if found is not None and not self._is_free(found):
                break
            if self._swap(found):
                return
        raise self._taken(found)

    def release(self) -> None:
        """Gives the lease back, if it still is this holder's."""
        self._change("holder = ''")

    def check(self) -> None:
        """Looks who has the lease, and refuses to go on when it is another.

        It may be overdue, on a busy machine: as long as nobody took it, its thread will renew it.

        Raises:
            LeaseLostError: It could not be renewed in time.
        """
        if not self._is_held(self._row()):
            raise LeaseLostError(
                f"The lease on {self.name!r} could not be renewed within {self.seconds:.0f} s, and another "
                "process took it. This one stops; the next run goes on from where it stands.",
                name=self.name,
            )

    def _keep(self) -> None:
        while not self._stop.wait(self.seconds / 3):
            with suppress(PySparkException, Py4JJavaError):  # the table could not be reached: the next turn tries again
                self._change(f"expires_at = {_from_now(self.seconds)}")

    def _change(self, what: str) -> None:
        """Writes to the row of this holder, unless it has become another's."""
        for _ in range(_ATTEMPTS):
            # Not written: lost, or another commit was faster, which may be this holder's own from its other thread.
            if self._update(what, self._mine()) or not self._is_held(self._row()):
                return

    def _is_held(self, row: Row | None) -> bool:
        """Says whether a row names this very holder, whose two threads may have kept each other from writing it."""
        mine = (self.holder, _machine(), os.getpid())
        return row is not None and (row["holder"], row["machine"], row["process"]) == mine

    def _is_free(self, row: Row) -> bool:
        """Says whether a lease can be taken over: given back, its process here is gone, or over."""
        if row["holder"] == "" or _is_dead(row["machine"], row["process"]):
            return True
        if row["expires_us"] > time.time() * 1e6:
            return False
        # By this machine's clock it is over; a holder that lives renews it within a third of its time.
        time.sleep(self.seconds / 2)
        return self._row() == row

    def _row(self) -> Row | None:
        rows = self.catalog.read(OPS_LEASES).where(F.col("name") == self.name)
        # As a number: what a timestamp becomes in Python depends on the machine's time zone.
        return rows.select("holder", "machine", "process", F.unix_micros("expires_at").alias("expires_us")).first()

    def _swap(self, found: Row | None) -> bool:
        """Writes the row if it still is what was found; says whether that was so."""
        row = {
            "holder": literal(self.holder),
            "machine": literal(_machine()),
            "process": str(os.getpid()),
            "expires_at": _from_now(self.seconds),
        }
        if found is not None:
            same = f"holder = {literal(found['holder'])} AND expires_at = timestamp_micros({found['expires_us']})"
            return self._update(", ".join(f"{name} = {value}" for name, value in row.items()), same)
        named = ", ".join(f"{value} AS {name}" for name, value in {"name": literal(self.name), **row}.items())
        return self._execute(
            f"MERGE INTO {self.catalog.ref(OPS_LEASES)} t USING (SELECT {named}) s ON t.name = s.name "
            "WHEN NOT MATCHED THEN INSERT *"
        )

    def _mine(self) -> str:
        return f"holder = {literal(self.holder)} AND process = {os.getpid()} AND machine = {literal(_machine())}"

    def _update(self, change: str, where: str) -> bool:
        row = f"name = {literal(self.name)} AND {where}"
        return self._execute(f"UPDATE {self.catalog.ref(OPS_LEASES)} SET {change} WHERE {row}")  # noqa: S608

    def _execute(self, statement: str) -> bool:
        """Runs a commit of one row; says whether it was made."""
        try:
            done = self.catalog.spark.sql(statement).first()
        except (PySparkException, Py4JJavaError) as error:  # Delta's conflicts come unconverted
            if CONFLICT in str(error):
                return False
            raise
        return done is not None and done["num_affected_rows"] == 1

    def _taken(self, row: Row | None) -> TransientError:
        by = "another process" if row is None else f"run {row['holder']} (process {row['process']} on {row['machine']})"
        moment = None if row is None else datetime.fromtimestamp(row["expires_us"] / 1e6, timezone.utc)
        until = "" if moment is None else f" until {moment:%Y-%m-%d %H:%M:%S} UTC unless it renews it"
        return TransientError(
            f"{self.name!r} is being written by {by}, which holds its lease{until}. One process at a time writes "
            "to a collection: this one leaves; wait for the other, or stop it.",
            name=self.name,
        )


def _is_dead(machine: str, process: int) -> bool:
    if machine != _machine() or os.name != "posix":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _machine() -> str:
    """Returns a name that two processes share only if they see each other's process ids.

    Hosts may have one name, and the first namespace of each has the same number: what tells them apart is the boot.
    """
    namespace, boot = Path("/proc/self/ns/pid"), Path("/proc/sys/kernel/random/boot_id")
    if not (namespace.exists() and boot.exists()):
        return platform.node()
    return f"{platform.node()} {namespace.readlink()} {boot.read_text().strip()}"


def _from_now(seconds: float) -> str:
    return f"timestamp_micros({int((time.time() + seconds) * 1e6)})"
