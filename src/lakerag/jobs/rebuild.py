"""`lakerag rebuild`: the index anew, beside the one that serves, and a switch when it is proved right."""

import time
from dataclasses import asdict

import click
from rich.console import Console

from lakerag.config import Settings
from lakerag.errors import CollectionMissingError
from lakerag.jobs.job import Job, Result, command
from lakerag.jobs.pipeline import syncing
from lakerag.stores import Collection

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
    sync, former = syncing(job, settings), _serving(job)
    with Lease(job.catalog, f"{sync.place.alias}/rebuild", job.run_id, sync.settings.lease_s):
        staged = _stage(job, settings)
        collection = collection or rebuild.successor(sync)
        with job.step(f"filling {collection.name}"):
            rebuild.fill(sync, collection)
        result: Result = {
            "alias": sync.place.alias,
            "from": former.name,
            "to": collection.name,
            "embedding_space": collection.space,
            "embedded": staged["embedded"],
            "reused": staged["reused"],
            "switched": True,
        }
        if max_drop is not None:
            found = _known_item_recall(job, settings, former, collection)
            result |= {"known_item_recall": found, "switched": found["to"] >= found["from"] - max_drop}
        if result["switched"]:
            result["embedded"] += _switch(job, settings, former, collection)
        else:
            job.exit_code = WORSE
    return {**result, "seconds": round(time.monotonic() - started, 3)}


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


def _switch(job: Job, settings: Settings, former: Collection, collection: Collection) -> int:
    """Moves the alias while no sync writes, then gold; returns the chunks embedded meanwhile."""
    from lakerag.gold.build import build
    from lakerag.gold.embeddings import forget_spaces
    from lakerag.stores.generations import switch
    from lakerag.sync import rebuild

    sync = syncing(job, settings)
    with sync.lease() as lease:
        embedded = _stage(job, settings)["embedded"]  # documents that came meanwhile
        with job.step("comparing and switching"):
            rebuild.fill(sync, collection)
            rebuild.check_filled(sync, collection)
            lease.check()
            switch(job.store, sync.place.alias, collection)
        with job.step("bringing gold_chunks to the new embedder"):
            build(job.catalog, settings.embedder, settings.chunking, now=job.now)
            sync.settle(f"switched from {former.name}", lease)
            rebuild.forget(sync, (former, collection))
            forget_spaces(job.catalog, {former.space, collection.space})
    return embedded
