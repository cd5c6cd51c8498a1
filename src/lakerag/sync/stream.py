"""Gold's change feed into the vector store, micro-batch by micro-batch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from lakerag import config
from lakerag.catalog import Catalog
from lakerag.errors import LeaseLostError, MixedSpacesError, PositionLostError, RowRefusedError
from lakerag.models.base import EmbeddingSpace
from lakerag.stores import Collection, StoreAddress, connect
from lakerag.stores.generations import made_for, serving
from lakerag.sync.apply import NOTHING, Applied, write_changes
from lakerag.sync.compare import DIFFERENCES, Reconciled, differences, reconciled, tally
from lakerag.sync.feed import batch_end, open_feed, translated
from lakerag.sync.first_load import is_worth_it, load
from lakerag.sync.journal import Step, position, record, totals
from lakerag.sync.lease import Lease
from lakerag.sync.plan import inserts, net_changes, only_insert, without_halves
from lakerag.sync.target import Target, check_space, find_target
from lakerag.tables import GOLD_CHUNKS, INDEX_KEY

_LOOK_S = 5
"""Between two looks at the lease while a stream runs."""

_STUCK = (PositionLostError, MixedSpacesError, RowRefusedError)
"""A stream that met them meets them again, with the same rows, though gold may have been mended since."""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What one sync did, in rows of the collection and versions of gold_chunks."""

    collection: str
    upserted: int = 0
    deleted: int = 0
    skipped: int = 0
    refused: int = 0
    """Rows that no store can hold; they stand in `sync_quarantine`."""
    from_version: int | None = None
    to_version: int | None = None
    rebuilt: bool = False
    """Whether a new collection was filled from gold's snapshot."""
    healed: str = ""
    """Why the collection had to be compared with gold's snapshot; empty where its stream went on."""


@dataclass(frozen=True, slots=True)
class Sync:
    """Gold on one side, an alias of the vector store on the other.

    Args:
        catalog: Where gold stands.
        address: Where driver and executors reach the store.
        space: Embedding space of gold.
        place: The alias.
        settings: Checkpoint and batch sizes.
        run_id: Joins `ops_sync` to `ops_runs`.
    """

    catalog: Catalog
    address: StoreAddress
    space: EmbeddingSpace
    place: config.Store
    settings: config.Sync
    run_id: str
    embedder: str = ""
    """Written on new collections: settings that load the embedder of the space, as a JSON object."""

    def catch_up(self) -> SyncReport:
        """Applies what gold has that the collection has not, and returns when it is in step.

        Where the change feed cannot be read on from the last position, the collection is
        compared with gold's snapshot and the difference moved.

        Raises:
            MixedSpacesError: The alias' collection, or gold itself, is of another embedding space.
            RowRefusedError: So many rows are refused that gold itself must be wrong.
            StoreUnavailableError: The store does not answer; the next run goes on from here.
            PositionLostError: Gold changes in such a way that even the healed position was lost.
        """
        target = self._target()
        if self._in_step(target):
            return self._report(target)
        with self.writing() as lease:
            if self._is_outdated(target):
                target = self._target()
            if self._imported(target, lease):
                target = self._target()
            healed = target.lost
            if not healed:
                try:
                    self._drain(target, lease)
                except _STUCK as error:
                    healed = str(error)
            if healed:
                self._heal(target, healed, lease)
                try:
                    self._drain(self._target(), lease)
                except PositionLostError as error:
                    raise PositionLostError(
                        f"{error} The index was compared and healed before, and gold has lost changes again since: "
                        "sync again. If it stays so, find what vacuums gold_chunks or switches its change feed off."
                    ) from error
            if not target.serving:
                lease.check()
                connect(self.address).point(self.place.alias, target.collection.name)
        return self._report(target, healed)

    def reconcile(self, *, repair: bool) -> Reconciled:
        """Compares the alias' collection with gold's snapshot.

        Args:
            repair: Move the difference; the stream goes on after that snapshot.

        Raises:
            CollectionMissingError: There is no index yet.
            MixedSpacesError: The alias' collection is of another embedding space.
        """
        connect(self.address).resolve(self.place.alias)
        target = self._target()
        version = self.catalog.version(GOLD_CHUNKS)
        kinds = tally(self._differences(target, version), target.collection.dimension)
        repaired = 0
        if repair and any(kinds[kind].rows for kind in DIFFERENCES):
            with self.writing() as lease:
                applied = self.settle("reconcile --repair", lease)
            repaired = applied.upserted + applied.deleted
        return reconciled(target.collection.name, version, kinds, repaired)

    @property
    def new_collection(self) -> Collection:
        """What this sync would create, without a name yet."""
        return Collection("", self.space.name, self.space.dimension, self.embedder)

    def settle(self, reason: str, lease: Lease) -> Applied:
        """Compares the alias' collection with gold's snapshot, moves the difference and goes on from there.

        Args:
            reason: Stands in `ops_sync`.
            lease: Of the alias, held.
        """
        return self._heal(self._target(), reason, lease)

    @contextmanager
    def writing(self) -> Iterator[Lease]:
        """Holds the lease of the alias.

        Where it was lost on the way, two processes may have written at once, the older rows
        last: that is written down, however the work ended, and the next sync compares.

        Raises:
            LeaseLostError: Another process took it.
        """
        with Lease(self.catalog, self.place.alias, self.run_id, self.settings.lease_s) as lease:
            try:
                yield lease
            finally:
                try:
                    lease.check()
                except LeaseLostError as error:
                    table_id = self.catalog.table_id(GOLD_CHUNKS)
                    for made in made_for(connect(self.address), self.place.alias):
                        record(self.catalog, Step(self.run_id, made, table_id, "overlap", note=str(error)), NOTHING)
                    raise

    def _is_outdated(self, target: Target) -> bool:
        """Says whether another process moved the alias or the collection's position since the target was looked for."""
        behind = serving(connect(self.address), self.place.alias)
        moved = behind != (target.collection if target.serving else None)
        return moved or position(self.catalog, target.collection.name) != target.stands

    def _target(self) -> Target:
        store = connect(self.address)
        check_space(store, self.place.alias, self.space)
        return find_target(self.catalog, store, self.new_collection, self.place, self.settings)

    def _in_step(self, target: Target) -> bool:
        if target.lost or not target.serving or target.synced_version is None:
            return False
        return target.synced_version >= self.catalog.version(GOLD_CHUNKS)

    def _drain(self, target: Target, lease: Lease) -> None:
        """Reads the feed to its end; nothing is started where nothing is new."""
        latest = self.catalog.version(GOLD_CHUNKS)
        if target.synced_version is not None and target.synced_version >= latest:
            return
        with translated():
            query = self._start(target)
            try:
                while not query.awaitTermination(_LOOK_S):
                    lease.check()
            finally:
                query.stop()
        stands = position(self.catalog, target.collection.name)
        if stands is None or stands.version < latest:
            # The last versions had no rows for the index (an optimisation): they need not be looked at again.
            record(self.catalog, self._step(target, "pass"), Applied(0, 0, 0, [], latest, latest))

    def _imported(self, target: Target, lease: Lease) -> bool:
        """Fills a new collection through the store's bulk import, where that is worth it; says whether it did."""
        store, gold = connect(self.address), self.catalog.read(GOLD_CHUNKS)
        if target.serving or target.stands is not None or not is_worth_it(store, gold, self.settings):
            return False
        rows = load(store, gold, target.collection, self.settings)
        lease.check()
        # What gold has changed meanwhile, and rows that no store can hold, are the difference.
        self._heal(target, f"bulk import of {rows} rows", lease, imported=rows)
        return True

    def _heal(self, target: Target, reason: str, lease: Lease, imported: int = 0) -> Applied:
        """Moves the difference between gold's snapshot and the collection; streams go on after that snapshot."""
        step = self._step(replace(target, table_id=self.catalog.table_id(GOLD_CHUNKS)), "heal", reason)
        version = self.catalog.version(GOLD_CHUNKS)
        # By key: what an executor that is lost had dealt out is dealt to the same writers again.
        differing = self._differences(target, version).repartition(self.settings.partitions, INDEX_KEY)
        applied = write_changes(differing, address=self.address, collection=target.collection)
        lease.check()
        record(self.catalog, step, replace(applied.at(version), upserted=applied.upserted + imported))
        return applied

    def _differences(self, target: Target, version: int) -> DataFrame:
        gold = self.catalog.read(GOLD_CHUNKS, version)
        return differences(gold, version=version, address=self.address, collection=target.collection)

    def _step(self, target: Target, kind: str, note: str | None = None) -> Step:
        return Step(self.run_id, target.collection, target.table_id, kind, note=note)

    def _start(self, target: Target) -> StreamingQuery:
        feed = open_feed(self.catalog, self.settings, first_version=target.first_version)
        apply = batch_writer(self.catalog.place, target, self.address, self.settings.partitions, self.run_id)
        writer = feed.writeStream.foreachBatch(apply).option("checkpointLocation", target.checkpoint)
        return writer.trigger(availableNow=True).start()

    def _report(self, target: Target, healed: str = "") -> SyncReport:
        done = totals(self.catalog, self.run_id, target.collection.name)
        if done["to_version"] is None:
            done |= {"from_version": target.synced_version, "to_version": target.synced_version}
        return SyncReport(target.collection.name, **done, rebuilt=not target.serving, healed=healed)


def batch_writer(
    place: config.Lakehouse, target: Target, address: StoreAddress, partitions: int, run_id: str
) -> Callable[[DataFrame, int], None]:
    """Returns the function that applies one micro-batch and then records it in `ops_sync`.

    A batch that fails runs again with the same id and rows: the writes are idempotent, and
    the record is made once.
    """

    def apply(batch: DataFrame, batch_id: int) -> None:
        step = Step(run_id, target.collection, target.table_id, "stream", batch_id=batch_id, stream=target.checkpoint)
        catalog = Catalog(batch.sparkSession, place)
        changes, complete = batch_changes(catalog, batch, batch_id, target.checkpoint, partitions)
        applied = write_changes(changes, address=address, collection=target.collection)
        if applied.last_version is not None:
            record(catalog, step, replace(applied, last_version=min(applied.last_version, complete)))

    return apply


def batch_changes(
    catalog: Catalog, batch: DataFrame, batch_id: int, checkpoint: str, partitions: int
) -> tuple[DataFrame, int]:
    """Returns what a micro-batch did to every key, and the last version of which nothing is left for the next one.

    Delta spreads commits of many whole files over batches.
    """
    end = batch_end(catalog.spark, checkpoint, batch_id)
    begin = batch_end(catalog.spark, checkpoint, batch_id - 1) if batch_id else None
    # A first load: the store has work while gold is read, and no row is moved twice.
    if (begin is None or begin.snapshot) and only_insert(batch):
        return inserts(batch).coalesce(partitions), end.version - 1
    halves = [half.version if half and half.inside and not half.snapshot else None for half in (begin, end)]
    # One exchange brings the words on a key together and their rows to a writer.
    changes = net_changes(batch.repartition(partitions, INDEX_KEY), begun=halves[0])
    for version in {version for version in halves if version is not None}:
        changes = without_halves(changes, catalog.read(GOLD_CHUNKS, version), version)
    return changes, end.version - 1
