"""What `lakerag reconcile` prints and exits with."""

import json

import pytest
from click.testing import CliRunner

from lakerag.jobs import reconcile
from lakerag.sync.compare import Reconciled

EXAMPLES = {"missing": ["a"], "stale": [], "orphaned": [], "refused": []}


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs the command over an index of which so much is missing and repaired."""

    def call(*options, missing, repaired=0):
        class Stub:
            def reconcile(self, *, repair):
                assert repair == ("--repair" in options)
                return Reconciled("docs_1", 7, missing, 0, 0, 2, repaired, EXAMPLES)

        monkeypatch.setattr(reconcile, "syncing", lambda job: Stub())
        return CliRunner().invoke(reconcile.main, ["--home", str(tmp_path), *options])

    return call


def test_equal_sides_exit_with_0_and_the_counts_as_json(run):
    result = run("--json", missing=0)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "collection": "docs_1",
        "version": 7,
        "missing": 0,
        "stale": 0,
        "orphaned": 0,
        "refused": 2,
        "repaired": 0,
        "examples": EXAMPLES,
    }


def test_a_difference_exits_with_4_unless_it_was_repaired(run):
    found = run("--quiet", missing=3)
    assert found.exit_code == 4
    assert "docs_1 against gold_chunks version 7: 3 missing, 0 stale, 0 orphaned" in " ".join(found.stdout.split())
    assert run("--quiet", "--repair", missing=3, repaired=3).exit_code == 0
