"""Syncs until it is killed, or once and then counts: `python -m tests.chaos.syncer HOME PORT [STORE_PORT]`."""

import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from lakerag.catalog import Catalog
from lakerag.errors import LakeragError
from lakerag.stores import connect
from lakerag.sync.stream import Sync
from lakerag.tables import GOLD_CHUNKS, INDEX_VECTOR, OPS_SYNC
from tests.chaos.place import content, open_catalog, sync_of

FIELDS = ("chunk_id", "text", "tenant", "acl_groups", "fingerprint", INDEX_VECTOR)
PAUSE_S = 0.1


def follow(catalog: Catalog, home: Path, port: int) -> None:
    """Catches up again and again; what fails is tried again."""
    print("ready", flush=True)
    while True:
        try:
            report = sync_of(catalog, home, port, uuid.uuid4().hex).catch_up()
        except LakeragError as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        else:
            if report.upserted or report.deleted:
                print("synced", flush=True)
        time.sleep(PAUSE_S)


def settle(catalog: Catalog, home: Path, port: int) -> dict[str, Any]:
    """Completes the sync, fills another collection from nothing, and compares both with gold."""
    sync = sync_of(catalog, home, port, "last")
    sync.catch_up()
    rebuilt = sync_of(catalog, home, port, "rebuild", alias="rebuilt")
    rebuilt.catch_up()
    gold = {row["chunk_id"]: content(row) for row in catalog.read(GOLD_CHUNKS).select(*FIELDS).toLocalIterator()}
    found = {name: held(of) for name, of in (("sync", sync), ("rebuild", rebuilt))}
    reconciled = sync.reconcile(repair=False)
    return {
        "rows": len(gold),
        "differences": {name: different(gold, rows) for name, rows in found.items()},
        "reconcile": reconciled.missing + reconciled.stale + reconciled.orphaned,
        "heals": catalog.read(OPS_SYNC).where("kind = 'heal'").count(),
        "batches": catalog.read(OPS_SYNC).where("kind = 'stream'").count(),
    }


def held(sync: Sync) -> list[tuple[str, tuple[Any, ...]]]:
    batches = connect(sync.address).scan(sync.place.alias, FIELDS)
    return [(row["chunk_id"], content(row)) for batch in batches for row in batch]


def different(gold: dict[str, Any], rows: list[tuple[str, Any]]) -> int:
    """Counts keys that are missing, too many, doubled or of other content."""
    doubled = len(rows) - len(dict(rows))
    return doubled + len(set(gold.items()) ^ set(rows))


if __name__ == "__main__":
    where = Path(sys.argv[1])
    if sys.argv[2] == "settle":
        print(json.dumps(settle(open_catalog(where, "settle"), where, int(sys.argv[3]))), flush=True)
    else:
        follow(open_catalog(where, "sync"), where, int(sys.argv[2]))
