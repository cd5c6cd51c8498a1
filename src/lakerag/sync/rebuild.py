"""A collection beside the one that serves: filled and compared while queries go on, then switched to; and back."""

from pyspark.sql import DataFrame

from lakerag.errors import CollectionMissingError, SchemaError
from lakerag.stores import Collection, VectorStore, connect
from lakerag.stores.generations import former, made_for
from lakerag.sync.apply import Applied, write_changes
from lakerag.sync.compare import DIFFERENCES, differences, tally
from lakerag.sync.journal import position
from lakerag.sync.stream import Sync
from lakerag.sync.target import create_next
from lakerag.tables import GOLD_STAGED


def successor(sync: Sync) -> Collection:
    """Returns the collection that a rebuild fills: one that an interrupted rebuild began, or a new one.

    Args:
        sync: Of the embedder that the collection is for.
    """
    store = connect(sync.address)
    serving = store.resolve(sync.place.alias)
    for made in made_for(store, sync.place.alias):
        if made.space == sync.space.name and made != serving and position(sync.catalog, made.name) is None:
            return made
    return create_next(sync.catalog, store, sync.new_collection, sync.place, sync.settings)


def predecessor(store: VectorStore, alias: str) -> Collection:
    """Returns the collection that served before the last switch.

    Raises:
        CollectionMissingError: There was no switch, or that collection is gone.
    """
    kept = former(store, alias)
    if kept is None:
        raise CollectionMissingError(
            f"There is nothing to go back to: expected a collection that {alias!r} pointed at before, found none. "
            "`lakerag rebuild --embedder M` builds the index for another embedder.",
            alias=alias,
        )
    return kept


def fill(sync: Sync, collection: Collection) -> Applied:
    """Moves the difference between the staged chunks and the collection; what an earlier call wrote stays."""
    return write_changes(
        _differing(sync, collection),
        address=sync.address,
        collection=collection,
        partitions=sync.settings.partitions,
    )


def check_filled(sync: Sync, collection: Collection) -> None:
    """Refuses a collection that is not exactly the staged chunks, rows that no store can hold aside.

    Raises:
        SchemaError: They differ; the alias was not touched.
    """
    kinds = tally(_differing(sync, collection), collection.dimension)
    found = {kind: kinds[kind].rows for kind in DIFFERENCES if kinds[kind].rows}
    if found:
        raise SchemaError(
            f"The new collection {collection.name} differs from the staged chunks after it was filled: {found}. "
            "The alias was not moved. Something else writes to that collection: stop it and rebuild again.",
            **found,
        )


def forget(sync: Sync, kept: tuple[Collection, ...]) -> list[Collection]:
    """Drops the alias' other collections and empties the staged chunks; returns what is gone."""
    store = connect(sync.address)
    gone = [made for made in made_for(store, sync.place.alias) if made not in kept]
    for made in gone:
        store.drop(made.name)
    sync.catalog.spark.sql(f"DELETE FROM {sync.catalog.ref(GOLD_STAGED)}")  # noqa: S608 (a quoted name)
    return gone


def _differing(sync: Sync, collection: Collection) -> DataFrame:
    version = sync.catalog.version(GOLD_STAGED)
    staged = sync.catalog.read(GOLD_STAGED, version)
    return differences(staged, version=version, address=sync.address, collection=collection)
