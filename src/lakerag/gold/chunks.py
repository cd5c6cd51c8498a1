"""Documents to chunks: which documents to cut, how a cut document's rows look."""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakerag.config import Chunking, Embedder
from lakerag.gold.choose import Cutter, load_chunker
from lakerag.gold.chunker import Chunk
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
    "doc_id STRING, source STRING, path STRING, title STRING, language STRING, metadata MAP<STRING, STRING>, "
    "alternates ARRAY<STRING>, tenant STRING, acl_groups ARRAY<STRING>, document_hash STRING, "
    "chunk_id STRING, ordinal INT, text STRING, heading_path STRING, start_char INT, end_char INT, token_count INT, "
    "page INT, embedded_text STRING"
)
"""`_INHERITED`, then `_CUT`."""
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
    # One data file of Delta would be one task.
    spread = documents.select(*_INHERITED, "text", "page_starts").repartition("doc_id")
    return spread.mapInArrow(cut, _CUT_DDL).withColumn("text_hash", F.sha2(F.col("embedded_text"), 256))


@lru_cache(maxsize=2)
def _chunker(chunking: Chunking, model: str) -> Cutter:
    """Returns a worker's chunker, which remembers the words that it has seen."""
    return load_chunker(chunking, load_tokenizer(model))


def _cut_batches(batches: Iterator[pa.RecordBatch], embedder: Embedder, chunking: Chunking) -> Iterator[pa.RecordBatch]:
    chunker = _chunker(chunking, embedder.model)
    for batch in batches:
        inherited = batch.select(_INHERITED)
        read = [batch.column(name) for name in ("doc_id", "text", "page_starts")]
        rows: list[tuple[Any, ...]] = []
        places: list[int] = []
        for place in range(batch.num_rows):
            doc_id, text, page_starts = (column[place].as_py() for column in read)
            chunks = chunker.cut(text, page_starts)
            rows += [_row(doc_id, ordinal, chunk) for ordinal, chunk in enumerate(chunks)]
            places += [place] * len(chunks)
            if len(rows) >= BATCH_CHUNKS:
                yield _beside(inherited, places, rows)
                rows, places = [], []
        if rows:
            yield _beside(inherited, places, rows)


def _row(doc_id: str, ordinal: int, chunk: Chunk) -> tuple[Any, ...]:
    return (
        chunk.key(doc_id),
        ordinal,
        chunk.text,
        chunk.heading_path,
        chunk.start,
        chunk.end,
        chunk.token_count,
        chunk.page,
        chunk.embedded_text,
    )


def _beside(inherited: pa.RecordBatch, places: list[int], rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    """Returns the rows of chunks, each beside what its document hands down."""
    handed_down = inherited.take(pa.array(places))
    cut = [pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), _CUT, strict=True)]
    return pa.RecordBatch.from_arrays([*handed_down.columns, *cut], names=[*_INHERITED, *_CUT.names])


def changed_chunks(cut: DataFrame, standing: DataFrame, embeddings: DataFrame, *, space: str, recipe: str) -> DataFrame:
    """Returns what a merge into gold needs: the cut chunks with their vectors, and the ones to delete.

    Args:
        cut: Chunks of the stale documents, from `cut_documents`.
        standing: Rows of gold that belong to stale or gone documents; their `chunk_id` is enough.
        embeddings: Vectors by `text_hash`, all of one space.
        space: Name of that space.
        recipe: Version of chunking and embedding.

    Returns:
        The columns of `gold_chunks` and `deleted`; one row a `chunk_id`, of those to delete nothing else.
    """
    vectors = embeddings.select("text_hash", "embedding")
    live = (
        cut.join(vectors, "text_hash")
        .withColumns({"embedding_space": F.lit(space), "recipe": F.lit(recipe)})
        .withColumn("fingerprint", fingerprint())
        .select(*GOLD_CHUNKS.names, F.lit(False).alias("deleted"))
    )
    gone = standing.select("chunk_id").join(cut.select("chunk_id"), "chunk_id", "left_anti")
    return live.unionByName(gone.withColumn("deleted", F.lit(True)), allowMissingColumns=True)


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
