"""Every hostile file ends in exactly one state, the expected one, and stops no other."""

import json
import tarfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from lakerag.bronze.ingest import ingest
from lakerag.catalog import Catalog
from lakerag.config import Source
from lakerag.silver.refine import refine
from lakerag.tables import BRONZE_FILES, SILVER_DOCUMENTS, SILVER_QUARANTINE

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
TABLES = (BRONZE_FILES, SILVER_DOCUMENTS, SILVER_QUARANTINE)


@pytest.fixture
def expected(corpora: Path) -> dict[str, dict[str, Any]]:
    files = json.loads((corpora / "hostile" / "expected.json").read_text(encoding="utf-8"))["files"]
    return {file["path"]: file for file in files}


def run(catalog: Catalog, landing: Path, run_id: str) -> None:
    source = Source(name="hostile", path=str(landing))
    ingest(catalog, source, run_id=run_id, now=NOW)
    refine(catalog, source, now=NOW)


def squeezed(text: str) -> str:
    return " ".join(text.split())


def problems(file: dict[str, Any], document: dict[str, Any] | None, refusal: dict[str, Any] | None) -> list[str]:
    """What is wrong about the end state of one file."""
    if (document is None) == (refusal is None):
        return ["not in exactly one state"]
    allowed = {action.split("_")[0] for action in (file["action"], *file.get("also_acceptable", ()))}
    checks = file.get("checks", {})
    if refusal is not None:
        if "quarantine" not in allowed:
            return [f"quarantined: {refusal['reason']}"]
        wrong = file["action"] == "quarantine" and refusal["reason"] != file["reason"]
        return [f"reason {refusal['reason']}"] if wrong else []
    assert document is not None
    if "ingest" not in allowed:
        return ["ingested"]
    text = squeezed(document["text"])
    found = [f"misses {part!r}" for part in checks.get("must_contain", ()) if squeezed(part) not in text]
    found += [f"holds {part!r}" for part in checks.get("must_not_contain", ()) if part in document["text"]]
    found += [f"holds {mark!r}" for mark in ("\x00", "\ufeff", checks.get("only_as_metadata", "\x00")) if mark in text]
    starts = [*document["page_starts"], None]
    found += [
        f"page {n} misses {mark!r}"
        for n, mark in checks.get("page_markers", {}).items()
        if mark not in document["text"][starts[int(n) - 1] : starts[int(n)]]
    ]
    facts = checks.get("metadata", {})
    return found + [f"fact {key}" for key, value in facts.items() if document["metadata"].get(key) != value]


def test_every_file_meets_its_expectation(
    catalog: Catalog, corpora: Path, expected: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    landing = tmp_path / "landing"
    with tarfile.open(corpora / "hostile" / "files.tar.gz") as archive:
        archive.extractall(landing, filter="tar")
    run(catalog, landing, "first")
    documents = {row["path"]: row.asDict() for row in catalog.read(SILVER_DOCUMENTS).toLocalIterator()}
    refusals = {row["path"]: row.asDict() for row in catalog.read(SILVER_QUARANTINE).toLocalIterator()}
    assert documents.keys() | refusals.keys() == expected.keys()
    found = {path: problems(file, documents.get(path), refusals.get(path)) for path, file in expected.items()}
    assert {path: wrong for path, wrong in found.items() if wrong} == {}
    states = [*documents.values(), *refusals.values()]
    assert {row["path"]: row["content_sha256"] for row in states} == {
        path: file["sha256"] for path, file in expected.items()
    }
    copies = [documents[f"files/dup/{name}.txt"] for name in ("original", "exact_copy", "copy_crlf_trailing")]
    assert len({row["content_hash"] for row in copies}) == 1

    versions = [catalog.version(table) for table in TABLES]
    run(catalog, landing, "second")
    assert [catalog.version(table) for table in TABLES] == versions
