"""The gold stage: brings `gold_chunks` to what `silver_documents` says, by comparing the two.

No watermark is kept: a document whose chunks are missing or stale is cut again, a chunk
whose document is gone is deleted. A run after a crash finishes the work, and a run with
nothing new writes nothing.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakerag.catalog import Catalog
from lakerag.config import Chunking, Embedder
from lakerag.gold.choose import load_chunker
from lakerag.gold.chunker import VERSION
from lakerag.gold.chunks import changed_chunks, cut_documents, indexed_documents, orphaned_documents, stale_documents
from lakerag.gold.embeddings import embed_texts, missing_texts
from lakerag.models import embedding_space, load_embedder
from lakerag.tables import GOLD_CHUNKS, GOLD_EMBEDDINGS, SILVER_DOCUMENTS, Table

DOCUMENTS_PER_COMMIT = 5_000
"""Documents cut and embedded between two commits: what a crash costs at most."""
BROADCAST_CHARS = 2_000_000
"""Characters of documents whose chunks go to where the vectors are, instead of every vector of the table to them."""
CHARS_PER_TASK = 100_000
"""Characters of documents behind one embedding task: some 130 chunks, a few seconds of work."""
GUARD = "t.fingerprint <> s.fingerprint OR t.document_hash <> s.document_hash OR t.recipe <> s.recipe"


@dataclass(frozen=True, slots=True)
class GoldReport:
    """What one run of the stage did, in chunks."""

    total: int
    embedded: int
    reused: int
    deleted: int
    changed: bool
    """Whether `gold_chunks` has a new version."""


Progress = Callable[[int, int, str], None]
"""Told how many of how many are done, and of what."""


def build(
    catalog: Catalog,
    embedder: Embedder,
    chunking: Chunking,
    *,
    now: datetime,
    progress: Progress | None = None,
    table: Table = GOLD_CHUNKS,
) -> GoldReport:
    """Cuts what is stale, embeds what is new, merges, deletes what is gone.

    Args:
        catalog: Where the tables stand.
        embedder: Makes the vectors.
        chunking: How documents are cut.
        now: When the run began.
        progress: Told how far it is.
        table: Written to: gold, or gold as it will be (`GOLD_STAGED`).

    Raises:
        ConfigError: Chunks would be longer than the embedder reads.
        ModelError: The embedder cannot be loaded.
    """
    space = embedding_space(embedder).name
    stage = _Stage(catalog, table, embedder, chunking, now, space, recipe(chunking, space))
    documents, chunks = indexed_documents(catalog.read(SILVER_DOCUMENTS)), catalog.read(table)
    stale = stale_documents(documents, chunks, recipe=stage.recipe)
    work = stale.agg(F.count("doc_id").alias("documents"), F.sum(F.length("text")).alias("chars")).first()
    assert work is not None
    gone = not orphaned_documents(documents, chunks).isEmpty()
    slices = max(-(-work["documents"] // DOCUMENTS_PER_COMMIT), int(gone))
    chars = (work["chars"] or 0) // max(slices, 1)
    if slices:
        # A model that is missing or must be exported, and chunks that are too long for it, show before any work.
        load_chunker(chunking, load_embedder(embedder).tokenizer)
    embedded = deleted = 0
    for number in range(slices):
        if progress:
            progress(number * work["documents"] // slices, work["documents"], "documents")
        new, removed = stage.run_slice(number, slices, chars)
        embedded, deleted = embedded + new, deleted + removed
    total = catalog.read(table).count()
    return GoldReport(total, embedded, max(total - embedded, 0), deleted, slices > 0)


def recipe(chunking: Chunking, space: str) -> str:
    """Returns the version of everything that makes chunks of documents, 16 hex digits."""
    parts = (VERSION, chunking.model_dump_json(), space)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Stage:
    catalog: Catalog
    table: Table
    embedder: Embedder
    chunking: Chunking
    now: datetime
    space: str
    recipe: str

    def run_slice(self, number: int, slices: int, chars: int) -> tuple[int, int]:
        """Brings one slice, of about so many characters, into gold; returns texts embedded and chunks deleted."""
        mine = F.pmod(F.xxhash64("doc_id"), F.lit(slices)) == number
        documents = indexed_documents(self.catalog.read(SILVER_DOCUMENTS)).where(mine)
        chunks = self.catalog.read(self.table).where(mine)
        stale = stale_documents(documents, chunks, recipe=self.recipe)
        cut = cut_documents(stale, embedder=self.embedder, chunking=self.chunking)
        embedded = self._embed(cut, 1 + chars // CHARS_PER_TASK)
        if chars <= BROADCAST_CHARS:
            cut = F.broadcast(cut)
        touched = stale.select("doc_id").union(orphaned_documents(documents, chunks))
        standing = chunks.join(touched, "doc_id", "left_semi")
        changes = changed_chunks(cut, standing, self._vectors(), space=self.space, recipe=self.recipe)
        return embedded, self.catalog.merge(self.table, changes, GUARD)["deleted"]

    def _vectors(self) -> DataFrame:
        return self.catalog.read(GOLD_EMBEDDINGS).where(F.col("embedding_space") == self.space)

    def _embed(self, cut: DataFrame, tasks: int) -> int:
        """Embeds the texts that have no vector and returns how many; they are kept before gold is touched."""
        texts = missing_texts(cut, self._vectors()).repartition(tasks)
        rows = embed_texts(texts, embedder=self.embedder, space=self.space, now=self.now)
        return self.catalog.append(GOLD_EMBEDDINGS, rows)
