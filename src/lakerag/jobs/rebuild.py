"""`lakerag rebuild`: the index anew, beside the one that serves, and a switch when it is proved right."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.console import Console

from lakerag.config import Settings
from lakerag.errors import CollectionMissingError
from lakerag.jobs.active import with_embedder_of
from lakerag.jobs.job import Job, Result, command
from lakerag.jobs.pipeline import syncing
from lakerag.stores import Collection

if TYPE_CHECKING:
    from lakerag.sync.lease import Lease
    from lakerag.sync.stream import Sync

WORSE = 4
"""Exit code when the new index finds less than the old one."""
KNOWN_ITEMS = 100


def show_switch(console: Console, result: Result) -> None:
    """Prints where the alias was, where it is and what that cost."""
    if not result["switched"]:
        found = result["known_item_recall"]
        console.print(
            f"{result['to']} finds {found['to']:.0%} of the known items, {result['from']} finds {found['from']:.0%}: "
            "the alias stays. --max-drop allows more."
        )
        return
    console.print(
        f"{result['alias']}: {result['from']} -> {result['to']}; {result['embedded']} chunks embedded, "
        f"{result['reused']} reused, {result['seconds']:.1f} s. `lakerag rollback` goes back."
    )


@command("rebuild", show_switch)
@click.option("--embedder", metavar="M", help="Hub name or folder; default: the index's own.")
@click.option("--max-drop", default=0.05, show_default=True, help="Share of known items that may be lost.")
def main(job: Job, embedder: str | None, max_drop: float) -> Result:
    """Build the index anew beside the one that serves, check it, and switch to it."""
    settings = job.active
    if embedder:
        settings = settings.model_copy(update={"embedder": settings.embedder.model_copy(update={"model": embedder})})
    return replace_collection(job, settings, None, max_drop)


def replace_collection(job: Job, settings: Settings, collection: Collection | None, max_drop: float | None) -> Result:
    """Brings a collection to gold as the settings' embedder makes it, and points the alias at it.

    Queries go on throughout: the alias moves once, when the collection equals the staged
    chunks. Interrupted anywhere, the same call goes on; nothing is embedded twice.

    Args:
        job: Its own settings say where everything is.
        settings: Hold the embedder and how to cut.
        collection: One that was filled before; none: a new one.
        max_drop: How much lower its recall of known items may be than the old one's; none: unchecked.
    """
    from lakerag.sync import rebuild
    from lakerag.sync.lease import Lease

    started = time.monotonic()
    sync, serving, name = syncing(job, settings), _serving(job), "rebuild" if collection is None else "rollback"
    with Lease(job.catalog, rebuild.lease_name(sync.place.alias), job.run_id, sync.settings.lease_s):
        # The same call was interrupted after the switch. A rebuild for a third embedder is another call.
        if rebuild.is_announced(job.catalog, serving, name) and (collection or serving.space == sync.space.name):
            result = _finish(job, serving)
        else:
            result = _replace(job, settings, serving, collection, max_drop)
    return {**result, "seconds": round(time.monotonic() - started, 3)}


def _replace(
    job: Job, settings: Settings, former: Collection, collection: Collection | None, max_drop: float | None
) -> Result:
    from lakerag.sync import rebuild

    sync, name = syncing(job, settings), "rebuild" if collection is None else "rollback"
    staged = _stage(job, settings)
    collection = collection or rebuild.successor(sync)
    with job.step(f"filling {collection.name}"):
        rebuild.fill(sync, collection)
    result = _moved(job, former, collection, staged)
    if max_drop is not None:
        found = _known_item_recall(job, settings, former, collection)
        result |= {"known_item_recall": found, "switched": found["to"] >= found["from"] - max_drop}
    if result["switched"]:
        result["embedded"] += _switch(job, settings, former, collection, name)
    else:
        job.exit_code = WORSE
    return result


def _finish(job: Job, collection: Collection) -> Result:
    """Brings gold along to the collection that an interrupted command pointed the alias at."""
    from lakerag.sync import rebuild

    former = rebuild.predecessor(job.catalog, job.store, job.settings.store.alias)
    settings = with_embedder_of(collection, job.settings)
    sync = syncing(job, settings)
    with sync.writing() as lease:
        return _moved(job, former, collection, _bring_gold(job, settings, sync, lease, (former, collection)))


def _moved(job: Job, former: Collection, collection: Collection, counts: dict[str, int]) -> Result:
    return {
        "alias": job.settings.store.alias,
        "from": former.name,
        "to": collection.name,
        "embedding_space": collection.space,
        "embedded": counts["embedded"],
        "reused": counts["reused"],
        "switched": True,
    }


def _serving(job: Job) -> Collection:
    try:
        return job.store.resolve(job.settings.store.alias)
    except CollectionMissingError as error:
        raise CollectionMissingError(
            f"There is no index behind {job.settings.store.alias!r} yet: `lakerag run` builds the first one."
        ) from error


def _stage(job: Job, settings: Settings) -> dict[str, int]:
    """Brings the staged chunks to what the documents say; returns the counts."""
    from lakerag.gold.build import build
    from lakerag.tables import GOLD_STAGED

    job.catalog.ensure((GOLD_STAGED,))
    with job.stage("rebuild", "chunking and embedding beside gold") as stage:
        report = build(
            job.catalog, settings.embedder, settings.chunking, now=job.now, progress=stage.progress, table=GOLD_STAGED
        )
        stage.counts = {name: int(count) for name, count in asdict(report).items() if name != "changed"}
        stage.summary = ", ".join(f"{count} {what}" for what, count in stage.counts.items())
        stage.changed = report.changed
    return stage.counts


def _known_item_recall(job: Job, settings: Settings, former: Collection, collection: Collection) -> dict[str, float]:
    from lakerag.evaluation.known_items import recall, sample_items
    from lakerag.models import load_embedder
    from lakerag.tables import GOLD_STAGED

    with job.step("looking for known items in both"):
        items = sample_items(job.catalog.read(GOLD_STAGED), KNOWN_ITEMS)
        return {
            "from": recall(job.store, former.name, load_embedder(job.active.embedder), items),
            "to": recall(job.store, collection.name, load_embedder(settings.embedder), items),
        }


def _switch(job: Job, settings: Settings, former: Collection, collection: Collection, name: str) -> int:
    """Moves the alias while no sync writes, then gold; returns the chunks embedded meanwhile."""
    from lakerag.stores.generations import switch
    from lakerag.sync import rebuild

    sync = syncing(job, settings)
    with sync.writing() as lease:
        embedded = _stage(job, settings)["embedded"]  # documents that came meanwhile
        with job.step("comparing and switching"):
            rebuild.fill(sync, collection)
            rebuild.check_filled(sync, collection)
            lease.check()
            rebuild.announce(sync, collection, name)
            switch(job.store, sync.place.alias, collection)
        _bring_gold(job, settings, sync, lease, (former, collection))
    return embedded


def _bring_gold(
    job: Job, settings: Settings, sync: "Sync", lease: "Lease", kept: tuple[Collection, Collection]
) -> dict[str, int]:
    """Brings gold to the embedder of the index and drops what nobody can go back to; returns the counts."""
    from lakerag.gold.build import build
    from lakerag.gold.embeddings import forget_spaces
    from lakerag.sync import rebuild

    with job.step("bringing gold_chunks to the new embedder"):
        report = build(job.catalog, settings.embedder, settings.chunking, now=job.now)
        rebuild.forget(sync, kept)
        forget_spaces(job.catalog, {collection.space for collection in kept})
        # Last: until the position stands, the same command goes on here.
        sync.settle(f"switched from {kept[0].name}", lease)
    return {"embedded": report.embedded, "reused": report.reused}
