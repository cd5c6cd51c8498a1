"""Writes planned changes to the vector store, on the executors."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from lakerag.errors import DimensionMismatchError, MixedSpacesError, RowRefusedError, TransientError
from lakerag.stores import Collection, StoreAddress, VectorStore, connect
from lakerag.stores.rows import refusals
from lakerag.sync.feed import translated
from lakerag.tables import INDEX_FIELDS, INDEX_KEY, INDEX_SPACE, INDEX_VECTOR

MAX_REFUSED = 1000
"""Rows of one Arrow batch (`session.WORKERS` bounds it) that may go to quarantine; more mean a fault in gold."""

NO_VERSION = -1

_ATTEMPTS = 5
_LONGEST_PAUSE_S = 10.0

_DONE = "op STRING, rows BIGINT, first_version BIGINT, last_version BIGINT, chunk_id STRING, reason STRING"
_COLUMNS = [column.split()[0] for column in _DONE.split(", ")]
T = TypeVar("T")

_FIELDS = [*(field.name for field in INDEX_FIELDS), INDEX_VECTOR]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that no store can hold."""

    chunk_id: str
    reason: str
    version: int
    """Of gold, that brought it."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What the store has acknowledged, in rows, and the versions of gold that it came from."""

    upserted: int
    deleted: int
    skipped: int
    refused: list[Refusal]
    first_version: int | None
    last_version: int | None

    def at(self, version: int) -> "Applied":
        """Returns the same rows as the content of one version, which may have brought none."""
        return replace(self, first_version=version, last_version=version)


NOTHING = Applied(0, 0, 0, [], NO_VERSION, NO_VERSION)
"""Of a step that writes no rows and brings no version."""


def write_changes(changes: DataFrame, *, address: StoreAddress, collection: Collection) -> Applied:
    """Brings changes into the collection.

    Upserts and deletes are idempotent, so that a task may run twice. All new rows are in
    before the first old one is removed. Rows count when the store has acknowledged them. A
    row that the store refuses is left out, and what it held of that key is removed, since
    it is no longer true.

    Args:
        changes: From `plan.net_changes` or `compare.differences`: one row a key. Its partitions
            are the writers at a time.
        address: Where the executors reach the store.
        collection: Target, not the alias.

    Raises:
        MixedSpacesError: Rows with vectors of another embedding space than the collection's.
        RowRefusedError: So many rows are refused that gold itself must be wrong.
        StoreUnavailableError: The store did not answer, tried several times.
    """
    upsert = partial(_upsert_frames, address=address, collection=collection)
    delete = partial(_delete_frames, address=address, collection=collection)
    # The exchange ends the upserts: no delete starts before the last of them is acknowledged.
    written = changes.mapInPandas(upsert, _DONE).repartition(1)
    # The driver sees one row for every op and one for every refused key, however much was written.
    summed = (
        written.mapInPandas(delete, _DONE)
        .groupBy("op", "chunk_id", "reason")
        .agg(
            F.sum("rows").alias("rows"),
            F.min("first_version").alias("first_version"),
            F.max("last_version").alias("last_version"),
        )
    )
    with translated():
        done = summed.collect()
    rows = {row["op"]: row["rows"] for row in done if row["op"] != "refuse"}
    return Applied(
        upserted=rows.get("upsert", 0),
        deleted=rows.get("delete", 0),
        skipped=rows.get("same", 0),
        refused=[Refusal(row["chunk_id"], row["reason"], row["last_version"]) for row in done if row["op"] == "refuse"],
        first_version=min((row["first_version"] for row in done), default=None),
        last_version=max((row["last_version"] for row in done), default=None),
    )


def _upsert_frames(
    frames: Iterator[pd.DataFrame], address: StoreAddress, collection: Collection
) -> Iterator[pd.DataFrame]:
    """Writes the new rows; yields what was done by op, the keys of refused rows and those that are to be deleted."""
    for frame in frames:
        check_vectors(frame.loc[frame["op"] == "upsert", INDEX_SPACE], collection)
        refused = _upsert(_patiently(connect, address), collection, frame[frame["op"] == "upsert"])
        named = (frame["op"] == "delete") | frame[INDEX_KEY].isin(list(refused))
        keys = frame.loc[named, [INDEX_KEY, "first_version", "last_version"]].assign(rows=1)
        reasons = keys[INDEX_KEY].map(refused)
        told = keys.assign(reason=reasons, op=reasons.notna().map({True: "refuse", False: "delete"}))
        yield pd.concat([_counted(frame[~named]), told])[_COLUMNS]


def _delete_frames(
    frames: Iterator[pd.DataFrame], address: StoreAddress, collection: Collection
) -> Iterator[pd.DataFrame]:
    """Removes the keys that are to be deleted and those of refused rows; yields what was done, deleted keys counted."""
    for frame in frames:
        deletes = frame["op"] == "delete"
        gone = frame.loc[deletes | (frame["op"] == "refuse"), INDEX_KEY].tolist()
        if gone:
            _patiently(_patiently(connect, address).delete, collection.name, gone)
        yield pd.concat([frame[~deletes], _counted(frame[deletes])])[_COLUMNS]


def _counted(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns one row for every op with its number of keys and their versions."""
    counted = frame.groupby("op", as_index=False).agg(
        rows=("op", "size"), first_version=("first_version", "min"), last_version=("last_version", "max")
    )
    return counted.assign(chunk_id=None, reason=None)


def check_vectors(spaces: "pd.Series[str]", collection: Collection) -> None:
    """Refuses vectors of another embedding space than the collection's.

    Raises:
        MixedSpacesError: The message says what brings both together again.
    """
    foreign = spaces[spaces != collection.space]
    if len(foreign):
        raise MixedSpacesError(
            f"gold_chunks has vectors of {foreign.iloc[0]}, the collection {collection.name} holds vectors of "
            f"{collection.space}; the sync stops. `lakerag run` brings gold to the embedder of the index, "
            "`lakerag rebuild` the index to another one.",
            expected=collection.space,
            found=foreign.iloc[0],
        )


def _upsert(store: VectorStore, collection: Collection, frame: pd.DataFrame) -> dict[str, str]:
    """Writes rows and returns why some of them could not be, by key."""
    if frame.empty:
        return {}
    # `to_dict` looks at every value for types to unbox and takes more than twice as long.
    rows = [dict(zip(_FIELDS, values, strict=True)) for values in zip(*(frame[name] for name in _FIELDS), strict=True)]
    try:
        _patiently(store.upsert, collection.name, rows)
        return {}
    except (RowRefusedError, DimensionMismatchError):  # nothing was written
        reasons = refusals(rows, collection.dimension)
    if len(reasons) > MAX_REFUSED:
        raise RowRefusedError(
            f"{len(reasons)} of {len(rows)} rows cannot be stored in {collection.name}; the first reason is: "
            f"{next(iter(reasons.values()))}. So many point to a fault in gold_chunks or in the embedder: "
            "nothing of them was written or removed. Mend it and run again.",
            refused=len(reasons),
        )
    _patiently(store.upsert, collection.name, [row for place, row in enumerate(rows) if place not in reasons])
    return {rows[place][INDEX_KEY]: reason for place, reason in reasons.items()}


def _patiently(ask: Callable[..., T], *args: Any) -> T:
    """Asks the store, again after growing random pauses where it does not answer."""
    attempts = Retrying(
        retry=retry_if_exception_type(TransientError),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.2, max=_LONGEST_PAUSE_S),
        reraise=True,
    )
    return attempts(ask, *args)
