"""What `lakerag sql` makes of a result, without a session."""

import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lakerag.jobs.job import Job
from lakerag.jobs.sql import main


class Rows:
    """A result of one row."""

    def __init__(self, *pairs: tuple[str, Any]) -> None:
        self.columns = [name for name, _ in pairs]
        self.read = False
        self._pairs = pairs

    def limit(self, _: int) -> "Rows":
        return self

    def toLocalIterator(self) -> list[Any]:  # noqa: N802 - Spark's name
        self.read = True
        return [SimpleNamespace(asDict=lambda recursive: dict(self._pairs))]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs the command with `--json` in a session that gives the rows."""
    monkeypatch.setattr("lakerag.answers.views.create_views", lambda catalog: None)
    monkeypatch.setattr("lakerag.answers.sql.register_functions", lambda *given: None)
    monkeypatch.setattr("lakerag.answers.sql.set_rights", lambda *given: None)
    monkeypatch.setattr(Job, "worker_settings", property(lambda job: job.settings))
    monkeypatch.setattr(Job, "step", lambda job, what: nullcontext())

    def run(rows: Rows) -> Result:
        spark = SimpleNamespace(sql=lambda statement: rows)
        monkeypatch.setattr(Job, "catalog", property(lambda job: SimpleNamespace(spark=spark)))
        return CliRunner().invoke(main, ["--home", str(tmp_path), "--json", "SELECT ..."])

    return run


def test_a_number_that_is_none_is_null(ask: Any) -> None:
    done = ask(Rows(("n", float("nan")), ("most", float("inf")), ("path", "a.md")))
    assert json.loads(done.stdout) == {
        "columns": ["n", "most", "path"],
        "rows": [{"n": None, "most": None, "path": "a.md"}],
    }


def test_two_columns_of_one_name_are_refused_before_a_row_is_read(ask: Any) -> None:
    rows = Rows(("path", "a.md"), ("n", 1), ("path", "b.md"))
    done = ask(rows)
    assert (done.exit_code, done.stdout, rows.read) == (2, "", False)
    assert "found path more than once. Name them in the SELECT: a.path AS path" in done.stderr
