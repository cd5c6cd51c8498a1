"""Documents to chunks: which documents to cut, how a cut document's rows look."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakerag.config import Chunking, Embedder
from lakerag.gold.choose import load_chunker
from lakerag.models.tokenizer import load_tokenizer
from lakerag.tables import GOLD_CHUNKS, INDEX_FIELDS

_INHERITED = (
    "doc_id",
    "source",
    "path",
    "title",
    "language",
    "metadata",
    "alternates",
    "tenant",
    "acl_groups",
    "document_hash",
)
_CUT = pa.schema(
    [
        ("doc_id", pa.string()),
        ("chunk_id", pa.string()),
        ("ordinal", pa.int32()),
        ("text", pa.string()),
        ("heading_path", pa.string()),
        ("start_char", pa.int32()),
        ("end_char", pa.int32()),
        ("token_count", pa.int32()),
        ("page", pa.int32()),
        ("embedded_text", pa.string()),
    ]
)
_CUT_DDL = (
    "doc_id STRING, chunk_id STRING, ordinal INT, text STRING, heading_path STRING, start_char INT, end_char INT, "
    "token_count INT, page INT, embedded_text STRING"
)
BATCH_CHUNKS = 2_000
"""Chunks that one Arrow batch gathers, those of one document more at most."""


MAX_ALTERNATES = 100
"""Paths that a chunk names at most; silver names them all."""


def indexed_documents(documents: DataFrame) -> DataFrame:
    """Returns the documents that stand for themselves, their alternates part of `document_hash`.

    An alternate's words are those of its representative, which is indexed in its place.
    """
    alternates = F.slice(F.coalesce("alternates", F.array().cast("array<string>")), 1, MAX_ALTERNATES)
    marked = F.sha2(F.concat_ws("\n", "document_hash", alternates), 256)
    represented = F.col("duplicate_group").isNull() | (F.col("duplicate_group") == F.col("doc_id"))
    return documents.where(represented).withColumns(
        {
            "document_hash": F.when(F.size(alternates) > 0, marked).otherwise(F.col("document_hash")),
            "alternates": alternates,
        }
    )


def stale_documents(documents: DataFrame, chunks: DataFrame, *, recipe: str) -> DataFrame:
    """Returns the documents whose chunks are missing, of an older content or of another recipe."""
    cut = chunks.where(F.col("recipe") == recipe).select("doc_id", "document_hash").distinct()
    return documents.join(cut, ["doc_id", "document_hash"], "left_anti")


def orphaned_documents(documents: DataFrame, chunks: DataFrame) -> DataFrame:
    """Returns the `doc_id` of chunks whose document is gone."""
    return chunks.select("doc_id").distinct().join(documents.select("doc_id"), "doc_id", "left_anti")


def cut_documents(documents: DataFrame, *, embedder: Embedder, chunking: Chunking) -> DataFrame:
    """Returns the documents' chunks, one row each, with what they inherit and their `embedded_text`.

    Grain: one chunk; key `chunk_id`, made of doc_id, headings, text and occurrence, so that
    a chunk keeps its key while the document changes around it.
    """
    cut: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]] = partial(
        _cut_batches, embedder=embedder, chunking=chunking
    )
    pieces = documents.select("doc_id", "text", "page_starts").mapInArrow(cut, _CUT_DDL)
    return pieces.join(documents.select(*_INHERITED), "doc_id").withColumn(
        "text_hash", F.sha2(F.col("embedded_text"), 256)
    )


def _cut_batches(batches: Iterator[pa.RecordBatch], embedder: Embedder, chunking: Chunking) -> Iterator[pa.RecordBatch]:
    chunker = load_chunker(chunking, load_tokenizer(embedder.model))
    gathered: list[tuple[Any, ...]] = []
    for batch in batches:
        for doc_id, text, page_starts in zip(*(batch.column(n) for n in range(3)), strict=True):
            key = doc_id.as_py()
            chunks = chunker.cut(text.as_py(), page_starts.as_py())
            gathered += [
                (
                    key,
                    chunk.key(key),
                    ordinal,
                    chunk.text,
                    chunk.heading_path,
                    chunk.start,
                    chunk.end,
                    chunk.token_count,
                    chunk.page,
                    chunk.embedded_text,
                )
                for ordinal, chunk in enumerate(chunks)
            ]
            if len(gathered) >= BATCH_CHUNKS:
                yield _batch(gathered)
                gathered = []
    if gathered:
        yield _batch(gathered)


def _batch(rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    columns = [pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), _CUT, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=_CUT)


def changed_chunks(cut: DataFrame, standing: DataFrame, embeddings: DataFrame, *, space: str, recipe: str) -> DataFrame:
    """Returns what a merge into gold needs: the cut chunks with their vectors, and the ones to delete.

    Args:
        cut: Chunks of the stale documents, from `cut_documents`.
        standing: Rows of gold that belong to stale or gone documents.
        embeddings: Vectors by `text_hash`, all of one space.
        space: Name of that space.
        recipe: Version of chunking and embedding.

    Returns:
        The columns of `gold_chunks` and `deleted`; one row a `chunk_id`.
    """
    vectors = embeddings.select("text_hash", "embedding")
    live = (
        cut.join(vectors, "text_hash")
        .withColumns({"embedding_space": F.lit(space), "recipe": F.lit(recipe)})
        .withColumn("fingerprint", fingerprint())
        .select(*GOLD_CHUNKS.names, F.lit(False).alias("deleted"))
    )
    gone = standing.join(cut.select("chunk_id"), "chunk_id", "left_anti")
    return live.unionByName(gone.select(*GOLD_CHUNKS.names, F.lit(True).alias("deleted")))


def fingerprint() -> Column:
    """Returns the hash over everything that the vector store holds of a row.

    The vector itself is told by the text that was embedded and the space.
    """
    columns = [field.column for field in INDEX_FIELDS if field.name != "fingerprint"]
    parts = [
        F.array_sort(F.map_entries(F.col(name))).alias(name) if name == "metadata" else F.col(name)
        for name in [*columns, "text_hash", "embedding_space"]
    ]
    return F.sha2(F.to_json(F.struct(*parts)), 256)
