"""What the main job refuses before it opens a lakehouse."""

import pytest
from rich.console import Console

from lakerag import config
from lakerag.errors import ConfigError, SourceError
from lakerag.jobs.job import Job
from lakerag.jobs.pipeline import run_pipeline, source_of


@pytest.fixture
def job(tmp_path, monkeypatch):
    """A job for a store with a secret that is not there; opening its lakehouse fails the test."""
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    monkeypatch.setattr(Job, "lakehouse", property(lambda _: pytest.fail("the lakehouse was opened")))
    overrides = ["store.kind=milvus", "store.uri=http://127.0.0.1:1", "store.token=env:NO_SUCH_TOKEN"]
    return Job(config.load("local", tmp_path, overrides, environ={}), Console(quiet=True))


@pytest.mark.parametrize("until", ["bronze", "silver", "gold", "sync"])
def test_a_folder_that_is_not_there_is_refused_before_anything_is_opened(job, until):
    with pytest.raises(SourceError, match="/Volumes/nowhere/landing, found nothing"):
        run_pipeline(job, source_of(job, "/Volumes/nowhere/landing", None), until)


@pytest.mark.parametrize("until", ["gold", "sync"])
def test_a_missing_secret_is_refused_before_anything_is_written(job, tmp_path, until):
    with pytest.raises(ConfigError, match="Export NO_SUCH_TOKEN"):
        run_pipeline(job, source_of(job, str(tmp_path), None), until)


def test_no_source_at_all_is_wrong_use(job):
    with pytest.raises(ConfigError, match="Give --source DIR"):
        source_of(job, None, None)
