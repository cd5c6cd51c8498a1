"""`lakerag sync`, once and again and again."""

import json

import pytest
from click.testing import CliRunner

from lakerag.errors import ConfigError, MixedSpacesError, StoreUnavailableError, TransientError
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


@pytest.fixture
def run_through(monkeypatch, tmp_path):
    """Runs a continuous sync whose rounds come to what is given, then interrupts it; tells who found the store open."""
    ids, found_open = [], []

    def run(*outcomes):
        rounds = iter([*outcomes, KeyboardInterrupt()])

        def bring_in_step(at):
            ids.append(at.run_id)
            found_open.append("address" in at.__dict__)
            at.__dict__["address"] = "a local server"
            if isinstance(outcome := next(rounds), BaseException):
                raise outcome
            return {"collection": "docs_1", "upserted": 2, "deleted": 1, "to_version": outcome}

        monkeypatch.setattr(sync, "bring_in_step", bring_in_step)
        monkeypatch.setattr(job.time, "sleep", lambda seconds: None)
        done = CliRunner().invoke(sync.main, ["--home", str(tmp_path), "--json", "--continuous"])
        assert len(set(ids)) == len(ids)
        return done, found_open

    return run


def test_a_continuous_sync_goes_on_after_what_may_pass_and_says_it(run_through):
    down = StoreUnavailableError("The vector store at http://root:s3cret@milvus:1 does not answer.")
    result, found_open = run_through(down, TransientError("'docs' is being written by another process."), 7, down)
    assert (result.exit_code, found_open) == (0, [False, False, False, True, False])
    assert json.loads(result.stdout)["to_version"] == 7
    assert result.stderr.splitlines() == [
        "lakerag: The vector store at http://***@milvus:1 does not answer. The next run is in 10 s.",
        "lakerag: 'docs' is being written by another process. The next run is in 10 s.",
        "lakerag: The vector store at http://***@milvus:1 does not answer. The next run is in 10 s.",
    ]


@pytest.mark.parametrize(
    ("error", "code"), [(ConfigError("set store.uri"), 2), (MixedSpacesError("two spaces"), 1), (OSError("full"), 1)]
)
def test_a_continuous_sync_ends_at_what_another_try_would_not_change(run_through, error, code):
    result, found_open = run_through(1, error, 2)
    assert (result.exit_code, len(found_open), result.stdout) == (code, 2, "")
    assert str(error) in result.stderr


def test_a_continuous_sync_that_is_interrupted_before_it_did_anything_has_no_result(run_through):
    result, found_open = run_through(StoreUnavailableError("it does not answer"))
    assert (result.exit_code, len(found_open), result.stdout) == (1, 2, "")
