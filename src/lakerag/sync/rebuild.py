"""A collection beside the one that serves: filled and compared while queries go on, then switched to; and back."""

from pyspark.sql import DataFrame

from lakerag.catalog import Catalog
from lakerag.errors import CollectionMissingError, SchemaError
from lakerag.stores import Collection, VectorStore, connect
from lakerag.stores.generations import former, made_for
from lakerag.sync.apply import NOTHING, Applied, write_changes
from lakerag.sync.compare import DIFFERENCES, differences, tally
from lakerag.sync.journal import Step, position, record
from lakerag.sync.stream import Sync
from lakerag.sync.target import create_next
from lakerag.tables import GOLD_CHUNKS, GOLD_STAGED, INDEX_KEY


def lease_name(alias: str) -> str:
    """Returns the lease that a rebuild holds from its first staged chunk to its last."""
    return f"{alias}/rebuild"


def successor(sync: Sync) -> Collection:
    """Returns the collection that a rebuild fills: one that an interrupted rebuild began, or a new one.

    Args:
        sync: Of the embedder that the collection is for.
    """
    store = connect(sync.address)
    serving = store.resolve(sync.place.alias)
    for made in made_for(store, sync.place.alias):
        if made.space == sync.space.name and made != serving:
            stands = position(sync.catalog, made.name)
            if stands is None or stands.kind == "switch":
                store.create(made)  # a crash may have left its indexes out
                return made
    return create_next(sync.catalog, store, sync.new_collection, sync.place, sync.settings)


def predecessor(catalog: Catalog, store: VectorStore, alias: str) -> Collection:
    """Returns the collection that served before the last switch.

    Raises:
        CollectionMissingError: There was no switch, or that collection is gone.
    """
    kept = former(store, alias) or _announced(catalog, store, alias)
    if kept is None:
        raise CollectionMissingError(
            f"There is nothing to go back to: expected a collection that {alias!r} pointed at before, found none. "
            "`lakerag rebuild --embedder M` builds the index for another embedder.",
            alias=alias,
        )
    return kept


def fill(sync: Sync, collection: Collection) -> Applied:
    """Moves the difference between the staged chunks and the collection; what an earlier call wrote stays."""
    differing = _differing(sync, collection).repartition(sync.settings.partitions, INDEX_KEY)
    return write_changes(differing, address=sync.address, collection=collection)


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


def announce(sync: Sync, collection: Collection, command: str) -> None:
    """Writes down that the alias is about to move, so that what follows is gone on with after a crash."""
    table_id = sync.catalog.table_id(GOLD_CHUNKS)
    record(sync.catalog, Step(sync.run_id, collection, table_id, "switch", note=command), NOTHING)


def is_announced(catalog: Catalog, collection: Collection, command: str) -> bool:
    """Says whether a command was about to move the alias to the collection, or did, and ended before gold followed."""
    stands = position(catalog, collection.name)
    return stands is not None and stands.kind == "switch" and stands.note == command


def forget(sync: Sync, kept: tuple[Collection, ...]) -> None:
    """Drops the alias' other collections and empties the staged chunks."""
    store = connect(sync.address)
    for made in made_for(store, sync.place.alias):
        if made not in kept:
            store.drop(made.name)
    sync.catalog.spark.sql(f"DELETE FROM {sync.catalog.ref(GOLD_STAGED)}")  # noqa: S608 (a quoted name)


def _announced(catalog: Catalog, store: VectorStore, alias: str) -> Collection | None:
    """Returns where a rollback was going that ended between the moves of its two aliases."""
    for made in made_for(store, alias):
        if is_announced(catalog, made, "rollback"):
            return made
    return None


def _differing(sync: Sync, collection: Collection) -> DataFrame:
    version = sync.catalog.version(GOLD_STAGED)
    staged = sync.catalog.read(GOLD_STAGED, version)
    return differences(staged, version=version, address=sync.address, collection=collection)
