"""When the main job flags answers whose documents are gone."""

from pathlib import Path

import pytest
from rich.console import Console

from lakerag import config
from lakerag.bronze.ingest import ingest
from lakerag.jobs import pipeline
from lakerag.jobs.job import Job
from lakerag.jobs.pipeline import run_pipeline, source_of
from lakerag.silver.refine import refine
from lakerag.tables import ALL_TABLES, ANSWER_CITATIONS, ANSWERS, SILVER_DOCUMENTS


@pytest.fixture
def job(catalog, tmp_path):
    job = Job(config.load("local", tmp_path, environ={}), Console(quiet=True))
    job.__dict__["catalog"] = catalog
    return job


@pytest.fixture
def source(job, tmp_path):
    """A folder with documents in silver, each cited by an answer that has the document's path for an id."""
    landing = tmp_path / "landing"
    landing.mkdir()
    for name in ("lamp", "pump"):
        (landing / f"{name}.md").write_text(f"The {name} stands at the north gate all day.\n", encoding="utf-8")
    source = source_of(job, str(landing), "docs")
    assert "answers" not in run_pipeline(job, source, "bronze")
    assert run_pipeline(job.again(), source, "silver")["answers"] == {"revoked": 0}
    cited = {"answer_id": "path", "question_id": "path", "doc_id": "doc_id"}
    for table in (ANSWERS, ANSWER_CITATIONS):
        columns = {c.name: f"CAST({'0' if c.required else 'NULL'} AS {c.type})" for c in table.columns}
        columns |= {name: value for name, value in cited.items() if name in columns}
        rows = job.catalog.read(SILVER_DOCUMENTS).selectExpr(*(f"{rule} AS {name}" for name, rule in columns.items()))
        job.catalog.append(table, rows)
    return source


def revoked(job):
    return [row["answer_id"] for row in job.catalog.read(ANSWERS).where("revoked").toLocalIterator()]


def test_answers_are_flagged_though_a_later_stage_fails(job, source, monkeypatch):
    def fail(job):
        raise RuntimeError("another process holds the lease")

    monkeypatch.setattr(pipeline, "_check_index", lambda job, until: None)
    monkeypatch.setattr(pipeline, "_gold", fail)
    Path(source.path, "lamp.md").unlink()
    with pytest.raises(RuntimeError):
        run_pipeline(job.again(), source)
    assert revoked(job) == ["lamp.md"]


def test_answers_are_flagged_when_another_command_changed_the_documents(job, source):
    Path(source.path, "lamp.md").unlink()
    ingest(job.catalog, source, run_id="other", now=job.now)
    refine(job.catalog, source, now=job.now)
    assert run_pipeline(job.again(), source, "silver")["answers"] == {"revoked": 1}
    assert revoked(job) == ["lamp.md"]

    versions = {table.name: job.catalog.version(table) for table in ALL_TABLES}
    assert run_pipeline(job.again(), source, "silver")["answers"] == {"revoked": 0}
    assert {table.name: job.catalog.version(table) for table in ALL_TABLES} == versions
