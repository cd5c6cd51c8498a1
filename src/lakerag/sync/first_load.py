"""A first load without upserts: gold's snapshot as Parquet in the vector store's own storage, imported by the store."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakerag import config
from lakerag.errors import ConfigError
from lakerag.stores import Collection, VectorStore
from lakerag.stores.rows import encode, refusals
from lakerag.sync.apply import check_vectors
from lakerag.sync.feed import translated
from lakerag.tables import INDEX_FIELDS, INDEX_SPACE, INDEX_VECTOR

FILE_ROWS = 250_000
"""Of one Parquet file: half a gigabyte of vectors of 384 numbers. Milvus takes files up to 16 GB."""

_TYPES = {"text": "STRING", "int": "BIGINT", "texts": "ARRAY<STRING>", "map": "STRING"}
_SCHEMA = ", ".join([*(f"`{held.name}` {_TYPES[held.kind]}" for held in INDEX_FIELDS), f"{INDEX_VECTOR} ARRAY<FLOAT>"])
_NAMES = [*(held.name for held in INDEX_FIELDS), INDEX_VECTOR]


def is_worth_it(store: VectorStore, gold: DataFrame, settings: config.Sync) -> bool:
    """Says whether a new collection is to be filled by the store's bulk import.

    Raises:
        ConfigError: It is configured, and the store has none.
    """
    if settings.import_path is None:
        return False
    if not store.can_import:
        raise ConfigError(
            "sync.import_path is set, but this vector store has no bulk import: expected a Milvus server. Unset it."
        )
    return gold.limit(settings.import_rows).count() == settings.import_rows


def load(store: VectorStore, gold: DataFrame, collection: Collection, settings: config.Sync) -> int:
    """Fills a collection that nobody uses yet; returns the rows that were imported.

    An import appends and knows no keys: what an interrupted one may have left, or is still
    about to write, goes with its collection. Rows that no store can hold are left out.

    Args:
        store: Has a bulk import.
        gold: Rows of one version of `gold_chunks`.
        collection: Made for that alias; dropped and created anew.
        settings: Name the folder.

    Raises:
        ImportFailedError: The store refused a file.
    """
    folder = f"{settings.import_path}/{collection.name}"
    fields = [F.col(held.column).alias(held.name) for held in INDEX_FIELDS]
    rows = gold.select(*fields, INDEX_VECTOR, INDEX_SPACE).mapInPandas(
        partial(_encoded, collection=collection), _SCHEMA
    )
    with translated():
        rows.write.mode("overwrite").option("maxRecordsPerFile", FILE_ROWS).parquet(folder)
    written = gold.sparkSession.read.parquet(folder).inputFiles()
    prefix = f"{settings.import_prefix or settings.import_path}/{collection.name}"
    store.drop(collection.name)
    store.create(collection)
    files = [f"{prefix}/{file.rsplit('/', 1)[1]}" for file in written]
    return store.import_files(collection.name, files, settings.import_timeout_s)


def _encoded(frames: Iterator[pd.DataFrame], collection: Collection) -> Iterator[pd.DataFrame]:
    for frame in frames:
        check_vectors(frame[INDEX_SPACE], collection)
        rows: list[dict[str, Any]] = frame[_NAMES].to_dict("records")  # type: ignore[assignment]
        refused = refusals(rows, collection.dimension)
        held = [encode(row) for place, row in enumerate(rows) if place not in refused]
        texts = [{**row, "metadata": json.dumps(row["metadata"], ensure_ascii=False)} for row in held]
        yield pd.DataFrame(texts, columns=_NAMES)
