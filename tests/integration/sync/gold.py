"""Small histories of gold, and a reader that keeps what the sync would write in a dict."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame

from lakerag import config
from lakerag.catalog import Catalog
from lakerag.models.base import EmbeddingSpace
from lakerag.stores import StoreAddress, connect
from lakerag.sync.feed import open_feed
from lakerag.sync.stream import Sync, batch_changes
from lakerag.tables import GOLD_CHUNKS

SPACE = EmbeddingSpace("toy", "000000000000", "mean", True, 4)


def chunk(key: str, text: str, *, tenant: str = "", groups: tuple[str, ...] = ("*",)) -> tuple[Any, ...]:
    vector = [float(byte % 7 + 1) for byte in text.encode()[:4].ljust(4, b"x")]
    unit = [value / sum(v * v for v in vector) ** 0.5 for value in vector]
    return (
        *(key, f"doc of {key}", "docs", f"{key}.md", "Title", 0, text, "Heading", 0, len(text), 0, 3, f"hash {text}"),
        *(unit, SPACE.name, "en", {"team": "ops"}, [], tenant, list(groups), "d", "r", f"print of {text} {tenant}"),
    )


def rows(catalog: Catalog, *chunks: tuple[Any, ...]) -> DataFrame:
    return catalog.spark.createDataFrame(list(chunks), GOLD_CHUNKS.schema)


def append(catalog: Catalog, *chunks: tuple[Any, ...]) -> None:
    """One commit of inserts, one file."""
    catalog.append(GOLD_CHUNKS, rows(catalog, *chunks).coalesce(1))


def merge(catalog: Catalog, upserts: Any = (), deletes: Any = ()) -> None:
    """One commit of gold, as its stage makes it."""
    changed = [(*row, False) for row in upserts] + [(*chunk(key, "gone"), True) for key in deletes]
    changes = catalog.spark.createDataFrame(changed, f"{GOLD_CHUNKS.schema}, deleted BOOLEAN")
    catalog.merge(GOLD_CHUNKS, changes, "t.fingerprint <> s.fingerprint")


def edit(catalog: Catalog, key: str, text: str) -> None:
    """One commit that updates a row in place."""
    catalog.spark.sql(
        f"UPDATE {catalog.ref(GOLD_CHUNKS)} SET text = '{text}', fingerprint = 'print of {text} ' "
        f"WHERE chunk_id = '{key}'"
    )


def live(catalog: Catalog) -> dict[str, str]:
    """What gold holds: text by key."""
    return dict(map(tuple, catalog.read(GOLD_CHUNKS).select("chunk_id", "text").collect()))


@dataclass
class Reader:
    """The sync's stream and plan over gold; writes land in `held`, text by key."""

    catalog: Catalog
    checkpoint: str
    options: dict[str, str] = field(default_factory=dict)
    max_files: int = 64
    first_version: int | None = None
    held: dict[str, str] = field(default_factory=dict)
    batches: list[tuple[int, list[tuple[Any, ...]]]] = field(default_factory=list)
    """Every batch that arrived: its id and (key, text, change, version) in the order that it brought."""
    ops: list[tuple[str, str]] = field(default_factory=list)
    """(op, key) of every plan."""
    before_apply: Callable[[DataFrame, int], None] = lambda batch, batch_id: None
    apply: Callable[[DataFrame], None] = lambda changes: None
    """Called with every batch's plan after it was kept in `held`."""

    def read(self) -> "Reader":
        """Reads on until nothing is new."""
        self.batches, self.ops = [], []
        settings = config.Sync(checkpoint=self.checkpoint, max_files_per_trigger=self.max_files)
        feed = open_feed(self.catalog, settings, first_version=self.first_version)
        if self.options:
            reader = self.catalog.spark.readStream.format("delta").options(readChangeFeed="true", **self.options)
            feed = reader.table(self.catalog.ref(GOLD_CHUNKS))
        writer = feed.writeStream.foreachBatch(self._apply).option("checkpointLocation", self.checkpoint)
        query = writer.trigger(availableNow=True).start()
        try:
            query.awaitTermination()
        finally:
            query.stop()
        return self

    @property
    def changes(self) -> list[tuple[Any, ...]]:
        return [change for _, changes in self.batches for change in changes]

    def _apply(self, batch: DataFrame, batch_id: int) -> None:
        columns = ["chunk_id", "text", "_change_type", "_commit_version"]
        self.batches.append((batch_id, [tuple(row) for row in batch.select(columns).collect()]))
        self.before_apply(batch, batch_id)
        changes, _ = batch_changes(self.catalog, batch, batch_id, self.checkpoint, 2)
        for row in changes.select("op", "chunk_id", "text").collect():
            self.ops.append((row["op"], row["chunk_id"]))
            if row["op"] == "upsert":
                self.held[row["chunk_id"]] = row["text"]
            if row["op"] == "delete":
                self.held.pop(row["chunk_id"], None)
        self.apply(changes)


def syncing(
    catalog: Catalog,
    address: StoreAddress,
    folder: Path,
    *,
    alias: str,
    run_id: str = "run",
    space: Any = SPACE,
    max_files: int = 64,
) -> Sync:
    settings = config.Sync(checkpoint=str(folder / "checkpoints"), max_files_per_trigger=max_files)
    return Sync(catalog, address, space, config.Store(alias=alias), settings, run_id)


def indexed(address: StoreAddress, alias: str) -> list[tuple[str, str, str]]:
    """(key, text, tenant) of every row behind the alias."""
    batches = connect(address).scan(alias, ["chunk_id", "text", "tenant"])
    return sorted((row["chunk_id"], row["text"], row["tenant"]) for batch in batches for row in batch)
