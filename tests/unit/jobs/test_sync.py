"""`lakerag sync`, once and again and again."""

import json

import pytest
from click.testing import CliRunner

from lakerag.jobs import job, sync


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs the command over an index that each sync brings one version further."""
    ids = []

    def bring_in_step(at):
        if len(ids) == 3:
            raise KeyboardInterrupt
        ids.append(at.run_id)
        return {"collection": "docs_1", "upserted": 2, "deleted": 1, "to_version": len(ids)}

    monkeypatch.setattr(sync, "bring_in_step", bring_in_step)
    monkeypatch.setattr(job.time, "sleep", lambda seconds: None)
    return lambda *options: (CliRunner().invoke(sync.main, ["--home", str(tmp_path), *options]), ids)


def test_one_sync_runs_under_the_id_that_it_was_given(run):
    result, ids = run("--json", "--run-id", "471.sync.1")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["to_version"] == 1
    assert ids == ["471.sync.1"]


def test_a_continuous_sync_goes_on_under_new_ids_until_it_is_interrupted(run):
    result, ids = run("--json", "--continuous")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["to_version"] == 3
    assert len(set(ids)) == 3
