"""Which collection gold is synced into, and from where its stream goes on."""

import itertools
from dataclasses import dataclass, replace

from pyspark.errors import AnalysisException

from lakerag.catalog import Catalog
from lakerag.config import Store, Sync
from lakerag.errors import MixedSpacesError
from lakerag.models.base import EmbeddingSpace
from lakerag.stores import Collection, VectorStore
from lakerag.stores.generations import made_for, name_of, serving
from lakerag.sync.journal import Position, position
from lakerag.tables import GOLD_CHUNKS


@dataclass(frozen=True, slots=True)
class Target:
    """A collection and where its sync stands."""

    collection: Collection
    table_id: str
    """Delta's id of the gold_chunks that it is filled from."""
    checkpoint: str
    first_version: int | None
    """Version of gold that a new checkpoint begins with; none: the snapshot."""
    stands: Position | None
    """Up to where it holds gold; none before the first batch."""
    serving: bool
    """Whether the alias points at it already."""
    lost: str = ""
    """Why its stream cannot go on from there; empty when it can."""

    @property
    def synced_version(self) -> int | None:
        return None if self.stands is None else self.stands.version


def check_space(store: VectorStore, alias: str, space: EmbeddingSpace) -> None:
    """Refuses an embedder that the alias' collection was not filled by; no collection is fine.

    Raises:
        MixedSpacesError: The spaces differ; nothing was touched.
    """
    standing = serving(store, alias)
    if standing is not None and standing.space != space.name:
        raise MixedSpacesError(
            f"The collection behind {alias!r} holds vectors of {standing.space} ({standing.dimension} dimensions), "
            f"the configured embedder makes {space.name} ({space.dimension}). Set embedder.model back, move the "
            "index to it with `lakerag rebuild`, or start with another store.alias.",
            expected=standing.space,
            found=space.name,
        )


def find_target(catalog: Catalog, store: VectorStore, new: Collection, place: Store, sync: Sync) -> Target:
    """Returns the collection to sync into, created where there is none.

    That is the one behind the alias, or else one whose first fill was interrupted. Where
    its stream cannot go on, `lost` says why: it is healed in place. A collection that is
    gone gets a successor, which is filled from gold's snapshot.

    Args:
        catalog: Where gold stands.
        store: Holds the collections.
        new: What to create; its name is not looked at.
        place: The alias.
        sync: Where checkpoints stand.
    """
    standing = serving(store, place.alias)
    collection = standing or _begun(store, new, place.alias) or create_next(catalog, store, new, place, sync)
    stands = position(catalog, collection.name)
    checkpoint = f"{sync.checkpoint}/{collection.name}"
    if stands is not None and stands.healed_by is not None:
        checkpoint = f"{checkpoint}/{stands.healed_by}-{stands.healed_at}"
    begun = _exists(catalog, checkpoint)
    table_id = catalog.table_id(GOLD_CHUNKS)
    if stands is None:
        lost = "" if store.count(collection.name) == 0 else "nothing says where it stands"
    else:
        lost = why_lost(catalog, stands, table_id, begun=begun)
    return Target(
        collection=collection,
        table_id=table_id,
        checkpoint=checkpoint,
        first_version=None if stands is None or stands.healed_at is None else stands.healed_at + 1,
        stands=stands,
        serving=standing is not None,
        lost=lost,
    )


def why_lost(catalog: Catalog, stands: Position, table_id: str, *, begun: bool) -> str:
    """Returns why a stream cannot go on from a position, as far as that can be told beforehand; empty if it can.

    Args:
        catalog: Where gold stands.
        stands: The position.
        table_id: Gold's, now.
        begun: Whether the stream's checkpoint is there.
    """
    if stands.table_id != table_id:
        return "gold_chunks was created anew"
    if stands.overlapped:
        return "another process took over while one was still writing"
    if stands.kind == "switch":
        return "the switch to it was interrupted"
    latest = catalog.version(GOLD_CHUNKS)
    if stands.version > latest:
        return f"gold_chunks went back to version {latest}, the collection holds version {stands.version}"
    if not begun and stands.kind != "heal":
        return "its checkpoint is gone"
    waiting = latest - stands.version
    if waiting:
        history = catalog.spark.sql(f"DESCRIBE HISTORY {catalog.ref(GOLD_CHUNKS)} LIMIT {waiting}")
        kept = history.count()
        if kept < waiting:
            return f"the log of {waiting - kept} of {waiting} versions since {stands.version} was cleaned up"
    return ""


def create_next(catalog: Catalog, store: VectorStore, new: Collection, place: Store, sync: Sync) -> Collection:
    """Creates the next collection of a space: under a name that was never filled, so that nothing of it is believed."""
    names = (name_of(place.alias, new.space, generation) for generation in itertools.count(1))
    unused = (name for name in names if position(catalog, name) is None)
    collection = replace(new, name=next(name for name in unused if not _exists(catalog, f"{sync.checkpoint}/{name}")))
    store.create(collection)
    return collection


def _begun(store: VectorStore, new: Collection, alias: str) -> Collection | None:
    """Returns the newest collection of the space that was made for the alias, whole; none if there is none."""
    found = next((made for made in made_for(store, alias) if made.space == new.space), None)
    if found is not None:
        store.create(found)  # a crash may have left its indexes out
    return found


def _exists(catalog: Catalog, checkpoint: str) -> bool:
    """Says whether a stream has written its checkpoint there, on any file system that Spark reads."""
    try:
        catalog.spark.read.text(f"{checkpoint}/metadata").isEmpty()
    except AnalysisException:
        return False
    return True
