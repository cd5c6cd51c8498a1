"""A real documentation project's history: after every step silver equals its manifest."""

import gzip
import json
import tarfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from lakerag.bronze.ingest import ingest
from lakerag.catalog import Catalog
from lakerag.config import Source
from lakerag.silver.refine import refine
from lakerag.tables import SILVER_DOCUMENTS, SILVER_QUARANTINE

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def changes(delta: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(delta, "rt", encoding="utf-8", newline="") as lines:
        yield from map(json.loads, lines)


def apply(landing: Path, change: dict[str, Any]) -> None:
    path = landing / change["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    if change["op"] == "delete":
        path.unlink()
    elif change["op"] == "rename":
        (landing / change["old_path"]).rename(path)
    else:
        path.write_bytes(change["content"].encode())


def standing(catalog: Catalog) -> dict[str, str]:
    """Hash of every document and every refused file, by path."""
    columns = ("path", "content_sha256")
    both = catalog.read(SILVER_DOCUMENTS).select(*columns).union(catalog.read(SILVER_QUARANTINE).select(*columns))
    rows = [tuple(row) for row in both.toLocalIterator()]
    assert len(dict(rows)) == len(rows)
    return dict(rows)


def test_silver_equals_the_manifest_after_every_step(catalog: Catalog, corpora: Path, tmp_path: Path) -> None:
    folder, landing = corpora / "milvus-docs", tmp_path / "landing"
    steps = json.loads((folder / "steps.json").read_text(encoding="utf-8"))["steps"]
    with tarfile.open(folder / "v000.tar.gz") as snapshot:
        snapshot.extractall(landing, filter="tar")
    source = Source(name="docs", path=str(landing))
    wrong = {}
    for n, step in enumerate(steps):
        if n:
            for change in changes(folder / f"v{n:03}.jsonl.gz"):
                apply(landing, change)
        now = NOW + timedelta(hours=n)
        ingest(catalog, source, run_id=f"step-{n}", now=now)
        refine(catalog, source, now=now)
        if (found := standing(catalog)) != step["manifest"]:
            wrong[n] = {
                path for path in found.keys() | step["manifest"] if found.get(path) != step["manifest"].get(path)
            }
    assert wrong == {}
    assert catalog.read(SILVER_QUARANTINE).isEmpty()
