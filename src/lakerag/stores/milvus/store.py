"""The VectorStore port fulfilled by a Milvus."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pymilvus.exceptions import MilvusException

from lakerag.errors import (
    CollectionMissingError,
    DimensionMismatchError,
    MixedSpacesError,
    SchemaError,
    UsageError,
)
from lakerag.records import Access, Passage, Vectors
from lakerag.stores import rows as contract
from lakerag.stores.base import Collection, Query, Row, StoreAddress, Window
from lakerag.stores.milvus import importing, layout, searching, upserting
from lakerag.stores.milvus.connection import Connection
from lakerag.stores.milvus.expressions import allowed, any_key, tokens, visible
from lakerag.stores.milvus.failures import ALIAS_NOT_FOUND, NOT_FOUND
from lakerag.tables import INDEX_KEY, INDEX_VECTOR

MAX_TOP_K = 16_384
"""Milvus' own limit."""
_DELETES = 1000
"""Keys of one delete request."""
_HITS = 2000
"""Hits of one search request, over all its queries."""


class MilvusStore:
    """A `VectorStore` over one Milvus.

    Scores are cosines in vector mode, BM25 in keyword mode, mean standard scores in hybrid
    mode. Keyword and hybrid mode need Milvus 2.5 or Milvus Lite.
    """

    def __init__(self, address: StoreAddress) -> None:
        """Connects.

        Raises:
            StoreUnavailableError: Nothing answers there.
        """
        self.address = address
        self._milvus = Connection(address)
        self._client = self._milvus.client
        self._limit = {"timeout": address.timeout_s}
        self._known: dict[str, Mapping[str, Any]] = {}

    def create(self, collection: Collection) -> None:
        try:
            found = self.resolve(collection.name)
        except CollectionMissingError:
            self._create(collection)
            found = self.resolve(collection.name)
        if found != collection:
            raise MixedSpacesError(
                f"The collection {collection.name} stands for {found}, wanted is {collection}. "
                "Rebuild into a new collection.",
                expected=collection,
                found=found,
            )
        self._index(collection.name)

    def drop(self, name: str) -> None:
        self._known.pop(name, None)
        with self._milvus.translated(name):
            if not self._client.has_collection(name, **self._limit):
                return
            for alias in self._client.list_aliases(name, **self._limit)["aliases"]:
                self._client.drop_alias(alias, **self._limit)
            self._client.drop_collection(name, **self._limit)

    def collections(self) -> list[Collection]:
        with self._milvus.translated():
            names = sorted(self._client.list_collections(**self._limit))
        found = (layout.collection(self._describe(name)) for name in names)
        return [collection for collection in found if collection is not None]

    def point(self, alias: str, name: str) -> None:
        self.resolve(name)
        with self._milvus.translated(name):
            try:
                self._client.alter_alias(name, alias, **self._limit)
            except MilvusException as error:
                if error.code not in (NOT_FOUND, ALIAS_NOT_FOUND):
                    raise
                self._client.create_alias(name, alias, **self._limit)

    def resolve(self, alias: str) -> Collection:
        return _ours(alias, self._describe(alias))

    def upsert(self, name: str, rows: Sequence[Row]) -> int:
        if not rows:
            return 0
        description = self._describe(name)
        contract.check(rows, _ours(name, description).dimension)
        for batch in contract.batches(rows, self.address.batch_bytes):
            upserting.upsert(self._milvus, name, [self._encode(row) for row in batch], description)
        return len(rows)

    @property
    def can_import(self) -> bool:
        return not self._milvus.lite

    def import_files(self, name: str, files: Sequence[str], timeout_s: float) -> int:
        return importing.import_files(self._milvus, name, files, timeout_s)

    def delete(self, name: str, chunk_ids: Sequence[str]) -> int:
        held = [key for key in chunk_ids if contract.is_key(key)]
        for first in range(0, len(held), _DELETES):
            self._milvus.call(self._client.delete, name, filter=any_key(held[first : first + _DELETES]))
        return len(chunk_ids)

    def count(self, name: str) -> int:
        found = self._milvus.call(
            self._client.query, name, filter="", output_fields=["count(*)"], consistency_level="Strong"
        )
        return int(found[0]["count(*)"])

    def search(self, name: str, vectors: Vectors, queries: Sequence[Query]) -> list[list[Passage]]:
        results: list[list[Passage]] = [[] for _ in queries]
        if queries:
            self._check(self._described(name), name, vectors, queries)
        for rights, places in self._alike(queries):
            asked = [queries[place] for place in places]
            try:
                found = searching.search(self._milvus, name, rights, vectors[places], asked)
            except CollectionMissingError:
                self._known.pop(name, None)
                raise
            for place, passages in zip(places, found, strict=True):
                results[place] = passages
        return results

    def around(self, name: str, access: Access, windows: Sequence[Window]) -> list[Passage]:
        return searching.around(self._milvus, name, visible(access, by_token=self._milvus.lite), windows)

    def scan(self, name: str, fields: Sequence[str], batch_rows: int = 1000) -> Iterator[list[dict[str, Any]]]:
        iterator = self._milvus.call(
            self._client.query_iterator,
            name,
            batch_size=batch_rows,
            output_fields=list(dict.fromkeys((INDEX_KEY, *fields))),
            consistency_level="Strong",
        )
        try:
            while True:
                with self._milvus.translated(name):
                    found = iterator.next()
                if not found:
                    return
                yield [{field: _read(field, row[field]) for field in fields} for row in found]
        finally:
            iterator.close()

    def close(self) -> None:
        self._client.close()

    def _encode(self, row: Row) -> dict[str, Any]:
        held = contract.encode(row)
        return {**held, layout.TOKENS: tokens(held["acl_groups"])} if self._milvus.lite else held

    def _describe(self, name: str) -> Mapping[str, Any]:
        with self._milvus.translated(name):
            description: Mapping[str, Any] = self._client.describe_collection(name, **self._limit)
        return description

    def _described(self, name: str) -> Mapping[str, Any]:
        """Returns what never changes of a collection; asked for once, unless the name is an alias, which moves."""
        if name not in self._known:
            description = self._describe(name)
            if description["collection_name"] != name:
                return description
            self._known[name] = description
        return self._known[name]

    def _create(self, collection: Collection) -> None:
        with self._milvus.translated(collection.name):
            try:
                self._client.create_collection(
                    collection.name,
                    schema=layout.schema(
                        collection.dimension, full_text=self._milvus.full_text, lite=self._milvus.lite
                    ),
                    properties=layout.properties(collection),
                    consistency_level=self.address.consistency,
                    **self._limit,
                )
            except MilvusException:
                # Another process may have been quicker; `create` compares what it made.
                if not self._client.has_collection(collection.name, **self._limit):
                    raise

    def _index(self, name: str) -> None:
        """Adds what a crash after the creation left out, and loads the collection."""
        wanted = layout.indexes(self._describe(name), lite=self._milvus.lite)
        with self._milvus.translated(name):
            for field, options in wanted.items():
                if not self._client.list_indexes(name, field):
                    params = self._client.prepare_index_params()
                    params.add_index(field, **options)
                    self._client.create_index(name, params, **self._limit)
            self._client.load_collection(name, **self._limit)

    def _check(self, description: Mapping[str, Any], name: str, vectors: Vectors, queries: Sequence[Query]) -> None:
        dimension = _ours(name, description).dimension
        for query in queries:
            if query.mode not in searching.MODES:
                raise UsageError(f"There is no mode {query.mode!r}; expected one of {', '.join(searching.MODES)}.")
            if not 1 <= query.top_k <= MAX_TOP_K:
                raise UsageError(f"top_k is {query.top_k}; expected 1 to {MAX_TOP_K}.", top_k=query.top_k)
            if query.mode != "vector" and not layout.has_full_text(description):
                raise UsageError(
                    f"The mode {query.mode} needs BM25, which the collection {name} on Milvus {self._milvus.version} "
                    "does not have (Milvus 2.5 or newer and Milvus Lite do). Use the mode vector, or rebuild on a "
                    "newer server.",
                    version=self._milvus.version,
                )
        if vectors.shape != (len(queries), dimension) and any(query.mode != "keyword" for query in queries):
            raise DimensionMismatchError(
                f"The collection {name} holds vectors of {dimension} numbers; the queries' have the shape "
                f"{vectors.shape}, expected ({len(queries)}, {dimension}). Use the collection's own embedder.",
                expected=dimension,
                found=vectors.shape,
            )

    def _alike(self, queries: Sequence[Query]) -> Iterator[tuple[str, list[int]]]:
        """Yields the places of queries that one request can carry, with the filter that they share."""
        groups: dict[tuple[str, str, int], list[int]] = defaultdict(list)
        for place, query in enumerate(queries):
            rights = allowed(query.access, query.condition, by_token=self._milvus.lite)
            groups[rights, query.mode, query.top_k].append(place)
        for (rights, _, top_k), places in groups.items():
            size = max(1, _HITS // top_k)
            for first in range(0, len(places), size):
                yield rights, places[first : first + size]


def _ours(name: str, description: Mapping[str, Any]) -> Collection:
    collection = layout.collection(description)
    if collection is None:
        raise SchemaError(
            f"The collection {name!r} was not made by lakerag in layout {layout.LAYOUT}. "
            "Choose another store.alias, or rebuild.",
            name=name,
        )
    return collection


def _read(field: str, held: Any) -> Any:
    if field == INDEX_VECTOR:
        return np.asarray(held, dtype=np.float32)
    if field == "metadata":
        return contract.untyped(held)
    return list(held) if field == "acl_groups" else held
