"""Parses on the executors: raw file versions in, documents and refusals out."""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from lakerag.silver.documents import Recipe, document_id, to_document

BATCH_CHARS = 8 * 2**20
"""Text that one Arrow batch gathers, one document more at most."""

_STRINGS = pa.list_(pa.string())

PARSED = pa.schema(
    [
        ("doc_id", pa.string()),
        ("path", pa.string()),
        ("content_sha256", pa.string()),
        ("title", pa.string()),
        ("text", pa.string()),
        ("page_starts", pa.list_(pa.int32())),
        ("language", pa.string()),
        ("metadata", pa.map_(pa.string(), pa.string())),
        ("tenant", pa.string()),
        ("acl_groups", _STRINGS),
        ("content_hash", pa.string()),
        ("quality_flags", _STRINGS),
        ("refused_rows", pa.list_(pa.struct([("line", pa.int32()), ("reason", pa.string()), ("detail", pa.string())]))),
        ("document_hash", pa.string()),
        ("recipe", pa.string()),
        ("arrived_us", pa.int64()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("advice", pa.string()),
    ]
)
PARSED_DDL = (
    "doc_id STRING, path STRING, content_sha256 STRING, title STRING, text STRING, page_starts ARRAY<INT>, "
    "language STRING, metadata MAP<STRING, STRING>, tenant STRING, acl_groups ARRAY<STRING>, content_hash STRING, "
    "quality_flags ARRAY<STRING>, refused_rows ARRAY<STRUCT<line: INT, reason: STRING, detail: STRING>>, "
    "document_hash STRING, recipe STRING, arrived_us BIGINT, reason STRING, detail STRING, advice STRING"
)


def file_parser(recipe: Recipe) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Returns the Arrow function that turns file versions into rows of `PARSED`, one for one.

    It reads `path`, `content_sha256`, `mime`, `arrived_us`, `recipe`, `sidecars` (array of binary,
    outermost first) and `content`.
    """

    def parse_all(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        gathered: list[dict[str, Any]] = []
        held_chars = 0
        for version in _rows(batches):
            row = _row(version, recipe)
            gathered.append(row)
            held_chars += len(row.get("text", ""))
            if held_chars >= BATCH_CHARS:
                yield pa.RecordBatch.from_pylist(gathered, schema=PARSED)
                gathered, held_chars = [], 0
        if gathered:
            yield pa.RecordBatch.from_pylist(gathered, schema=PARSED)

    return parse_all


def _rows(batches: Iterator[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    """Yields row by row, so that no more than one file is copied out of Arrow at a time."""
    for batch in batches:
        for n in range(batch.num_rows):
            yield {name: batch.column(name)[n].as_py() for name in batch.schema.names}


def _row(version: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    path, sha = version["path"], version["content_sha256"]
    row = to_document(path, sha, version["content"], recipe, version["sidecars"] or (), version["mime"])
    key = {"doc_id": document_id(recipe.source, path), "path": path, "content_sha256": sha}
    return row | key | {"recipe": version["recipe"], "arrived_us": version["arrived_us"]}
