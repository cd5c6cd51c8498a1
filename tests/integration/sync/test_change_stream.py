"""A real documentation project's history: after every step silver, gold and index are what a rebuild would give.

Silver is compared after every step; gold and index follow and are compared after every fourth and the last;
`LAKERAG_COMPARE_EVERY=1` lets them follow every step.
"""

import gzip
import json
import os
import tarfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from lakerag import config
from lakerag.bronze.ingest import ingest
from lakerag.catalog import Catalog
from lakerag.gold.build import build, recipe
from lakerag.gold.chunks import changed_chunks, cut_documents, indexed_documents
from lakerag.models import embedding_space
from lakerag.silver.duplicates import deduplicate
from lakerag.silver.refine import refine
from lakerag.stores import StoreAddress
from lakerag.tables import GOLD_CHUNKS, GOLD_EMBEDDINGS, SILVER_DOCUMENTS, SILVER_QUARANTINE
from tests.integration.sync.gold import syncing

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
COMPARE_EVERY = int(os.environ.get("LAKERAG_COMPARE_EVERY", "4"))
SAME: dict[str, list[str]] = {"missing": [], "stale": [], "orphaned": [], "refused": []}


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


def differing(catalog: Catalog, settings: config.Settings) -> int:
    """Rows of gold that cutting every document anew would not give, and the other way round."""
    documents = indexed_documents(catalog.read(SILVER_DOCUMENTS))
    cut = cut_documents(documents, embedder=settings.embedder, chunking=settings.chunking)
    space, gold = embedding_space(settings.embedder).name, catalog.read(GOLD_CHUNKS)
    vectors, version = catalog.read(GOLD_EMBEDDINGS), recipe(settings.chunking, space)
    anew = changed_chunks(cut, gold.limit(0), vectors, space=space, recipe=version).drop("deleted")
    sides = [side.withColumn("metadata", side["metadata"].cast("string")) for side in (gold, anew)]
    return sum(mine.exceptAll(other).count() for mine, other in (sides, reversed(sides)))


@pytest.mark.long
def test_after_every_step_all_stages_hold_what_a_rebuild_would_give(
    catalog: Catalog, corpora: Path, address: StoreAddress, tmp_path: Path
) -> None:
    folder, landing = corpora / "milvus-docs", tmp_path / "landing"
    steps = json.loads((folder / "steps.json").read_text(encoding="utf-8"))["steps"]
    with tarfile.open(folder / "v000.tar.gz") as snapshot:
        snapshot.extractall(landing, filter="tar")
    source, settings = config.Source(name="docs", path=str(landing)), config.load("local", environ={})
    space, embedded, kept = embedding_space(settings.embedder), list[int](), list[int]()
    wrong: list[str] = []
    for n, step in enumerate(steps):
        if n:
            for change in changes(folder / f"v{n:03}.jsonl.gz"):
                apply(landing, change)
        now = NOW + timedelta(hours=n)
        ingest(catalog, source, run_id=f"step-{n}", now=now)
        refine(catalog, source, now=now)
        seen: dict[str, Any] = {"silver": standing(catalog) == step["manifest"]}
        if n % COMPARE_EVERY == 0 or n == len(steps) - 1:
            deduplicate(catalog, settings.duplicates, (), now=now)
            gold = build(catalog, settings.embedder, settings.chunking, now=now)
            embedded.append(gold.embedded)
            kept.append(gold.reused)
            sync = syncing(catalog, address, tmp_path, alias="history", run_id=f"step-{n}", space=space)
            sync.catch_up()
            seen |= {"gold": differing(catalog, settings) == 0, "index": sync.reconcile(repair=False).examples == SAME}
        wrong += [f"{stage} after step {n}" for stage, same in seen.items() if not same]
    assert wrong == []
    assert catalog.read(SILVER_QUARANTINE).isEmpty()
    print(f"embedded {embedded}, kept {kept}")
    assert sum(embedded[1:]) < sum(kept[1:])
