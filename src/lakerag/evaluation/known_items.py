"""Known items: does an index find a document by words out of its middle? A check that needs no labels."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakerag.models.base import Embedder
from lakerag.records import Access
from lakerag.stores import Query, VectorStore

WORDS = 12
"""Words of a query."""
TOP_K = 5
"""Passages among which the document has to be."""


@dataclass(frozen=True, slots=True)
class KnownItem:
    """A query and the document that it was taken from."""

    query: str
    doc_id: str
    access: Access
    """Rights of somebody who may see the document."""


def sample_items(chunks: DataFrame, n: int) -> list[KnownItem]:
    """Returns known items of n chunks, always the same ones of the same rows; chunks that nobody sees are left out.

    Args:
        chunks: Rows of `gold_chunks`.
        n: Items at most; they are held in memory.
    """
    picked = (
        chunks.where(F.size("acl_groups") > 0)
        .orderBy(F.xxhash64("chunk_id"), "chunk_id")
        .limit(n)
        .select("doc_id", "text", "tenant", "acl_groups")
    )
    return [
        KnownItem(_middle(row["text"]), row["doc_id"], Access(row["tenant"], tuple(row["acl_groups"])))
        for row in picked.toLocalIterator()
    ]


def recall(store: VectorStore, collection: str, embedder: Embedder, items: Sequence[KnownItem]) -> float:
    """Returns the share of items whose document is among the first `TOP_K` passages by vector; 1 without items.

    Args:
        store: Holds the collection.
        collection: Its name.
        embedder: Of the collection's own space.
        items: From `sample_items`.
    """
    if not items:
        return 1.0
    vectors = embedder.embed([item.query for item in items])
    queries = [Query(item.query, item.access, TOP_K) for item in items]
    found = store.search(collection, vectors, queries)
    hits = [item.doc_id in {passage.doc_id for passage in best} for item, best in zip(items, found, strict=True)]
    return sum(hits) / len(hits)


def _middle(text: str) -> str:
    words = text.split()
    first = max(0, (len(words) - WORDS) // 2)
    return " ".join(words[first : first + WORDS])
