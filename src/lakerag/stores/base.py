"""The VectorStore port: what sync writes through and retrieval reads through."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lakerag.records import Access, Passage, Vectors
from lakerag.stores.filters import Condition

Row = Mapping[str, Any]
"""The fields of `tables.INDEX_FIELDS` by name, and `embedding` as a (dimension,) float32 array or list."""


BATCH_BYTES = 16 * 2**20
"""Of one upsert request: Milvus takes 64 MB a message."""


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """Where a store is and how to talk to it; picklable, without the secret itself."""

    uri: str
    token: str | None = None
    """A secret's reference (`config.SecretReference`), read where the connection is made."""
    timeout_s: float = 30.0
    consistency: str = "Bounded"
    """Of searches; scans and counts, which a sync relies on, are always Strong."""
    batch_bytes: int = BATCH_BYTES
    """Size of one upsert request."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection as it stands in the store."""

    name: str
    space: str
    """Name of the embedding space that its vectors belong to."""
    dimension: int
    embedder: str = field(default="", compare=False)
    """Settings that load the space's embedder, as a JSON object; empty where nobody said."""


@dataclass(frozen=True, slots=True)
class Query:
    """One search; rights are part of it, never optional."""

    text: str
    """The question, for keyword search."""
    access: Access
    top_k: int
    mode: str = "vector"
    """`vector`, `keyword` or `hybrid` (both, their standard scores added up)."""
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a document, in characters of its silver text."""

    doc_id: str
    start: int
    end: int


class VectorStore(Protocol):
    """A store of keyed rows with vectors; every write is idempotent.

    Every method raises `StoreUnavailableError` when the store does not answer, and
    `CollectionMissingError` for a name that is not there.
    """

    def create(self, collection: Collection) -> None:
        """Creates the collection with the fields of the contract; an equal one is left alone.

        Raises:
            MixedSpacesError: One of that name holds another space or dimension.
        """

    def drop(self, name: str) -> None:
        """Removes a collection; one that is not there is no error."""

    def collections(self) -> list[Collection]:
        """Returns the collections that lakerag made, by name."""

    def point(self, alias: str, name: str) -> None:
        """Points the alias at a collection, atomically."""

    def resolve(self, alias: str) -> Collection:
        """Returns the collection behind an alias (or of that very name)."""

    def upsert(self, name: str, rows: Sequence[Row]) -> int:
        """Writes rows by `chunk_id`, each the last one of its key; returns how many.

        Requests are split by size; a crash between them leaves the first ones written,
        and the same call again gives the whole result. Over-long titles and headings are
        shortened with an ellipsis, every other over-long text is refused.

        Raises:
            RowRefusedError: NaN, over-long text, duplicate keys, a missing field; nothing is written.
            DimensionMismatchError: A vector of another length; nothing is written.
        """

    @property
    def can_import(self) -> bool:
        """Whether the store has a bulk import."""

    def import_files(self, name: str, files: Sequence[str], timeout_s: float) -> int:
        """Appends the rows of Parquet files, whatever their keys; returns how many when they can be searched.

        Args:
            name: A collection that holds none of the rows; not an alias.
            files: Of the store's own storage, as it names them; columns as `rows.encode` gives them,
                maps as JSON.
            timeout_s: For all of them.

        Raises:
            ImportFailedError: The store refused a file; others may have been imported.
        """

    def delete(self, name: str, chunk_ids: Sequence[str]) -> int:
        """Removes rows; ids that are not there are no error. Returns how many ids were asked for."""

    def count(self, name: str) -> int:
        """Returns the live rows, counted exactly."""

    def search(self, name: str, vectors: Vectors, queries: Sequence[Query]) -> list[list[Passage]]:
        """Returns the passages of every query, best first; higher scores are better.

        Args:
            name: Alias or collection.
            vectors: (len(queries), dimension); ignored by keyword queries.
            queries: Rights and conditions are applied inside the store.

        Raises:
            UsageError: A mode that the store lacks, a top_k out of range, rights that are no texts.
            DimensionMismatchError: Vectors of another length than the collection's.
        """

    def around(self, name: str, access: Access, windows: Sequence[Window]) -> list[Passage]:
        """Returns the visible chunks that reach into the windows, in no order, with the score 0.

        Args:
            name: Alias or collection.
            access: Rights are applied inside the store, as in `search`.
            windows: Parts of documents.
        """

    def scan(self, name: str, fields: Sequence[str], batch_rows: int = 1000) -> Iterator[list[dict[str, Any]]]:
        """Yields every live row's fields in batches, in no order, in bounded memory.

        Args:
            name: Alias or collection.
            fields: Names of `tables.INDEX_FIELDS`, or `embedding` ((dimension,) float32).
            batch_rows: Rows of one request; small fields allow 10,000.
        """

    def close(self) -> None:
        """Releases connections."""
