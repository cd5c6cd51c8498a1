"""`lakerag quarantine` lists refused files and tries them again."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from lakerag.catalog import Catalog
from lakerag.jobs.job import Job
from lakerag.jobs.quarantine import main
from lakerag.silver.parsers.base import ADVICE
from lakerag.tables import OPS_RUNS
from tests.integration.silver.stage import Land, run, sha


def test_refused_files_are_listed_and_tried_again(
    catalog: Catalog, land: Land, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Job, "catalog", catalog)

    def call(*options: str) -> dict:
        result = CliRunner().invoke(main, ["--home", str(tmp_path), "--json", *options])
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    land({"a.txt": b" ", "b.bin": b"\x00", "c.csv": b"a,b\n1,2\n3\n"})
    run(catalog)
    [file] = call("--reason", "empty")["files"]
    assert {**file, "quarantined_at": None} == {
        "source": "docs",
        "path": "a.txt",
        "content_sha256": sha(b" "),
        "reason": "empty",
        "detail": "Expected text, found none.",
        "advice": ADVICE["empty"],
        "quarantined_at": None,
    }
    assert call("--source-name", "other") == {"files": [], "rows": [], "reasons": {}}
    row = {"line": 3, "reason": "fields", "detail": "1 fields instead of 2"}
    assert call()["rows"] == [{"source": "docs", "path": "c.csv", "content_sha256": sha(b"a,b\n1,2\n3\n"), **row}]
    assert catalog.read(OPS_RUNS).isEmpty()

    result = call("--retry", "--reason", "unsupported")
    assert (result["released"], result["documents"]["quarantined"], result["reasons"]) == (1, 1, {"unsupported": 1})
    assert call()["reasons"] == {"empty": 1, "unsupported": 1}
    assert [row["counts"]["released"] for row in catalog.read(OPS_RUNS).toLocalIterator()] == [1]
