"""The index moves to another embedder and back, while questions are answered."""

import time
from contextlib import contextmanager

import pytest
from rich.console import Console

from lakerag import config
from lakerag.errors import CollectionMissingError, MixedSpacesError
from lakerag.gold import build as building
from lakerag.jobs.job import Job
from lakerag.jobs.pipeline import bring_in_step, run_pipeline, source_of, syncing
from lakerag.jobs.query import opened
from lakerag.jobs.rebuild import main as rebuild_command
from lakerag.jobs.rollback import main as rollback_command
from lakerag.rag.retrieve import REFRESH_S
from lakerag.records import Question
from lakerag.stores.generations import former, made_for
from lakerag.sync import rebuild
from lakerag.sync.stream import Sync
from lakerag.tables import GOLD_CHUNKS, GOLD_STAGED
from tests.integration.models.tiny import save_sentence_model

TEXTS = {"fox.md": "the quick brown fox", "dog.md": "a lazy dog", "delta.md": "delta tables keep every version"}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders of two embedders, of two embedding spaces."""
    folder = tmp_path_factory.mktemp("models")
    return {kind: str(save_sentence_model(folder / kind, kind, normalise=True)) for kind in ("mean", "cls")}


@pytest.fixture
def job(catalog, models, tmp_path):
    sections = [f"embedder.model={models['mean']}", "embedder.runtime=torch", "chunking.chunk_tokens=28"]
    settings = config.load("local", tmp_path, [*sections, "retrieval.mode=vector"], environ={})
    job = Job(settings, Console(quiet=True))
    job.__dict__["catalog"] = catalog
    with job.closing:
        yield job


def call(command, job, **options):
    """What a command's function returns, without the process around it."""
    return command.callback.__wrapped__(job.again(), **options)


def run(job, landing, **texts):
    landing.mkdir(exist_ok=True)
    for name, text in texts.items():
        (landing / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    return run_pipeline(job.again(), source_of(job, str(landing), "docs"))


def spaces(job):
    return {row["embedding_space"].split("/")[2] for row in job.catalog.read(GOLD_CHUNKS).collect()}


def found(job, text):
    with opened(job.again()) as pipeline:
        return {passage.path for passage in pipeline.search([Question(text, mode="vector")])[0]}


@pytest.mark.long
def test_the_index_moves_to_another_embedder_and_back_and_queries_go_on(job, models, tmp_path):
    landing = tmp_path / "landing"
    with pytest.raises(CollectionMissingError, match="`lakerag run` builds the first one"):
        call(rebuild_command, job, embedder=models["cls"], max_drop=0.05)
    first = run(job, landing, fox=TEXTS["fox.md"], dog=TEXTS["dog.md"])["sync"]["collection"]
    with pytest.raises(CollectionMissingError, match="nothing to go back to"):
        call(rollback_command, job)

    configured = job.settings
    other = configured.embedder.model_copy(update={"model": models["cls"]})
    job.settings = configured.model_copy(update={"embedder": other})
    version = job.catalog.version(GOLD_CHUNKS)
    for until in ("gold", "sync"):
        with pytest.raises(MixedSpacesError, match="lakerag rebuild"):
            run_pipeline(job.again(), source_of(job, str(landing), "docs"), until)
    with pytest.raises(MixedSpacesError, match="lakerag rebuild"):
        found(job, "fox")
    assert job.catalog.version(GOLD_CHUNKS) == version
    refused = call(rebuild_command, job, embedder=None, max_drop=-1.0)
    assert (refused["switched"], refused["embedded"], job.exit_code) == (False, 2, 4)
    assert job.store.resolve("lakerag").name == first
    job.settings = configured

    with opened(job.again()) as before:  # a process that was started with the old embedder, such as an endpoint
        moved = call(rebuild_command, job, embedder=models["cls"], max_drop=0.05)
        assert (moved["from"], moved["to"], moved["switched"]) == (first, refused["to"], True)
        assert (moved["embedded"], moved["reused"]) == (0, 2), "the refused call had embedded them"
        assert job.store.resolve("lakerag").name == moved["to"]
        time.sleep(REFRESH_S)
        assert {passage.path for passage in before.search([Question("fox")])[0]} == {"fox.md", "dog.md"}

    # conf/ still names the old embedder: everything follows the index.
    assert spaces(job) == {"cls"}
    assert job.catalog.read(GOLD_STAGED).count() == 0
    late = run(job, landing, delta=TEXTS["delta.md"])
    assert (late["chunks"]["embedded"], late["sync"]["upserted"], late["sync"]["healed"]) == (1, 1, "")
    assert found(job, "delta") == {"fox.md", "dog.md", "delta.md"}
    assert syncing(job).reconcile(repair=False).missing == 0

    back = call(rollback_command, job)
    assert (back["from"], back["to"], back["embedded"], back["reused"]) == (moved["to"], first, 1, 2)
    assert (spaces(job), found(job, "delta")) == ({"mean"}, {"fox.md", "dog.md", "delta.md"})
    assert {made.name for made in made_for(job.store, "lakerag")} == {first, moved["to"]}


@contextmanager
def stopped(monkeypatch, job, step):
    """Lets a command end at a step: before the announcement, between the two aliases, before gold follows, ..."""

    def stop(*arguments, **options):
        if (step == "alias" and arguments[0] != "lakerag") or (step == "build" and "table" in options):
            return whole(*arguments, **options)
        raise InterruptedError(step)

    owner, name = {
        "announce": (rebuild, "announce"),
        "alias": (job.store, "point"),
        "build": (building, "build"),
        "forget": (rebuild, "forget"),
        "settle": (Sync, "settle"),
    }[step]
    whole = getattr(owner, name)
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, stop)
        with pytest.raises(InterruptedError, match=step):
            yield


@pytest.mark.long
def test_a_rebuild_or_rollback_that_ends_anywhere_is_gone_on_with_by_the_same_command(
    job, models, tmp_path, monkeypatch
):
    landing = tmp_path / "landing"
    first = run(job, landing, fox=TEXTS["fox.md"], dog=TEXTS["dog.md"])["sync"]["collection"]
    for step in ("announce", "alias"):
        with stopped(monkeypatch, job, step):
            call(rebuild_command, job, embedder=models["cls"], max_drop=1.0)
        assert job.store.resolve("lakerag").name == first
        assert run(job, landing)["sync"]["healed"] == ""
    for step in ("build", "forget", "settle"):
        with stopped(monkeypatch, job, step):
            call(rebuild_command, job, embedder=models["cls"], max_drop=1.0)
        if step == "build":  # the index is ahead of gold
            with pytest.raises(MixedSpacesError, match="`lakerag run` brings gold to the embedder of the index"):
                bring_in_step(job.again())
    moved = call(rebuild_command, job, embedder=models["cls"], max_drop=1.0)
    assert (moved["from"], moved["switched"], moved["embedded"]) == (first, True, 0)
    assert {made.name for made in made_for(job.store, "lakerag")} == {first, moved["to"]}
    assert (spaces(job), found(job, "fox")) == ({"cls"}, {"fox.md", "dog.md"})
    assert job.catalog.read(GOLD_STAGED).count() == 0
    assert (run(job, landing)["sync"]["healed"], syncing(job).reconcile(repair=False).stale) == ("", 0)

    for step in ("alias", "build", "settle"):
        with stopped(monkeypatch, job, step):
            call(rollback_command, job)
    back = call(rollback_command, job)
    assert (back["from"], back["to"], back["embedded"]) == (moved["to"], first, 0)
    assert (former(job.store, "lakerag").name, job.store.resolve("lakerag").name) == (moved["to"], first)
    assert (spaces(job), found(job, "fox")) == ({"mean"}, {"fox.md", "dog.md"})
    assert run(job, landing)["sync"]["healed"] == ""
