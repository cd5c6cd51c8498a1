"""The main job: a landing folder's changes through bronze, silver and gold into the vector store."""

import time
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console

from lakerag.config import Settings, Source
from lakerag.errors import ConfigError
from lakerag.jobs.active import described
from lakerag.jobs.job import Job, Result

if TYPE_CHECKING:
    from lakerag.sync.stream import Sync

STAGES = ("bronze", "silver", "gold", "sync")


def source_of(job: Job, path: str | None, name: str | None) -> Source:
    """Returns the configured source, with what the caller gave in place of its own.

    Raises:
        ConfigError: There is no folder to read.
    """
    given = {key: value for key, value in (("path", path), ("name", name)) if value is not None}
    source = job.settings.source.model_copy(update=given)
    if source.path is None:
        raise ConfigError("There is no source. Give --source DIR, or set source.path in conf/.")
    return source


def run_pipeline(job: Job, source: Source, until: str = "sync") -> Result:
    """Runs the stages up to `until`; each does only what is new.

    Answers are compared with documents in every run, right after silver: none may stand because a
    later stage failed, or because another command changed the documents.

    Returns:
        `files`, `documents`, `answers`, `chunks`, `sync` and `seconds`, as far as it went.
    """
    started = time.monotonic()
    _check_source(source)
    _check_index(job, until)
    result: Result = {"run_id": job.run_id}
    steps = (
        ("bronze", "files", partial(_bronze, job, source)),
        ("silver", "documents", partial(_silver, job, source)),
        ("silver", "answers", partial(_revoke, job)),
        ("gold", "chunks", partial(_gold, job)),
        ("sync", "sync", partial(bring_in_step, job)),
    )
    for stage, key, step in steps:
        if STAGES.index(stage) <= STAGES.index(until):
            result[key] = step()
    result["seconds"] = {**job.seconds, "total": round(time.monotonic() - started, 3)}
    return result


def _check_source(source: Source) -> None:
    """Refuses a folder that is not there before anything is opened; object stores and tables are asked in bronze."""
    from lakerag.bronze.listing import landing_folder
    from lakerag.bronze.objects import is_object_store
    from lakerag.bronze.table_source import SCHEME

    if not str(source.path).startswith(SCHEME) and not is_object_store(str(source.path)):
        landing_folder(source)


def _check_index(job: Job, until: str) -> None:
    """Refuses a store that cannot be opened and a mixed embedding space before anything is written."""
    from lakerag.models import embedding_space
    from lakerag.sync.target import check_space

    if until in ("gold", "sync"):
        check_space(job.store, job.settings.store.alias, embedding_space(job.active.embedder))


def _bronze(job: Job, source: Source) -> dict[str, int]:
    from lakerag.bronze.ingest import ingest
    from lakerag.tables import BRONZE_FILES

    with job.stage("bronze", "reading what changed in the folder", BRONZE_FILES) as stage:
        files = ingest(job.catalog, source, run_id=job.run_id, now=job.now)
        stage.counts = files
        stage.changed = any(files[op] for op in ("added", "modified", "deleted"))
        stage.summary = f"{files['added']} added, {files['modified']} modified, {files['deleted']} deleted"
    return {op: files[op] for op in ("added", "modified", "deleted")}


def _silver(job: Job, source: Source) -> dict[str, int]:
    from lakerag.silver.duplicates import deduplicate
    from lakerag.silver.refine import refine
    from lakerag.tables import SILVER_DOCUMENTS

    with job.stage("silver", "parsing and cleaning documents", SILVER_DOCUMENTS) as stage:
        documents = refine(job.catalog, source, now=job.now)
        documents |= deduplicate(
            job.catalog, job.settings.duplicates, sorted(job.settings.retrieval.fields), now=job.now
        )
        stage.counts = documents
        stage.changed = any(documents[what] for what in ("upserted", "deleted", "quarantined", "regrouped"))
        stage.summary = ", ".join(f"{count} {what}" for what, count in documents.items())
    return documents


def _revoke(job: Job) -> dict[str, int]:
    """Flags the answers whose documents are gone or hidden from their askers now."""
    from lakerag.answers.choosing import revoke
    from lakerag.tables import ANSWERS

    with job.step("comparing answers with documents"):
        return {"revoked": revoke(job.catalog) if job.catalog.version(ANSWERS) > 0 else 0}


def _gold(job: Job) -> dict[str, int]:
    from lakerag.gold.build import build
    from lakerag.tables import GOLD_CHUNKS

    with job.stage("gold", "chunking and embedding", GOLD_CHUNKS) as stage:
        embedder, chunking = job.active.embedder, job.active.chunking
        report = build(job.catalog, embedder, chunking, now=job.now, progress=stage.progress)
        counts: dict[str, int] = asdict(report)
        stage.changed = bool(counts.pop("changed"))
        stage.counts = counts
        stage.summary = ", ".join(f"{count} {what}" for what, count in counts.items())
    return counts


def bring_in_step(job: Job) -> Result:
    """Runs the last stage: gold's changes into the vector store."""
    with job.stage("sync", "bringing the vector store in step") as stage:
        report = syncing(job).catch_up()
        stage.counts = {"upserted": report.upserted, "deleted": report.deleted, "skipped": report.skipped}
        stage.changed = any(stage.counts.values())
        stage.summary = f"{report.upserted} upserted, {report.deleted} deleted in {report.collection}"
    return asdict(report)


def syncing(job: Job, settings: Settings | None = None) -> "Sync":
    """Returns the sync of the job's lakehouse and store.

    Args:
        job: Where everything is.
        settings: Hold the embedder; by default that of the index.
    """
    from lakerag.models import embedding_space
    from lakerag.sync.stream import Sync

    settings = settings or job.active
    space, told = embedding_space(settings.embedder), described(settings.embedder)
    return Sync(job.catalog, job.address, space, settings.store, settings.sync, job.run_id, told)


def show_run(console: Console, result: Result) -> None:
    """Prints what a run did, in one line."""
    parts = [f"{result['files'][op]} files {op}" for op in ("added", "modified", "deleted")]
    if "chunks" in result:
        parts.append(f"{result['chunks']['embedded']} of {result['chunks']['total']} chunks embedded")
    if "sync" in result:
        parts.append(f"index: {result['sync']['upserted']} upserted, {result['sync']['deleted']} deleted")
    console.print(f"{', '.join(parts)}; {result['seconds']['total']:.1f} s")
