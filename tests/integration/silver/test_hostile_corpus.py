"""Every hostile file ends in exactly one state, the expected one, and stops no other."""

import json
import re
import tarfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from lakerag.bronze.ingest import ingest
from lakerag.catalog import Catalog
from lakerag.config import Chunking, Duplicates, Embedder, Source
from lakerag.gold.chunks import cut_documents, indexed_documents
from lakerag.silver.duplicates import deduplicate
from lakerag.silver.personal_data import DETECTORS
from lakerag.silver.refine import refine
from lakerag.tables import BRONZE_FILES, MAX_TEXT_BYTES, SILVER_DOCUMENTS, SILVER_QUARANTINE

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
TABLES = (BRONZE_FILES, SILVER_DOCUMENTS, SILVER_QUARANTINE)


@pytest.fixture
def expected(corpora: Path) -> dict[str, dict[str, Any]]:
    files = json.loads((corpora / "hostile" / "expected.json").read_text(encoding="utf-8"))["files"]
    return {file["path"]: file for file in files}


@pytest.fixture
def landing(corpora: Path, tmp_path: Path) -> Path:
    """The unpacked files."""
    folder = tmp_path / "landing"
    with tarfile.open(corpora / "hostile" / "files.tar.gz") as archive:
        archive.extractall(folder, filter="tar")
    return folder


def run(catalog: Catalog, landing: Path, run_id: str, mask: tuple[str, ...] = ()) -> None:
    source = Source(name="hostile", path=str(landing), mask=mask)  # type: ignore[arg-type]
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
    facts = checks.get("metadata", {}) | {key: str(checks[key]) for key in ("records",) if key in checks}
    found += [f"fact {key}" for key, value in facts.items() if document["metadata"].get(key) != value]
    if "pages" in checks and len(document["page_starts"]) != checks["pages"]:
        found.append(f"{len(document['page_starts'])} pages")
    return found + wrong_rows(document, checks.get("rows", {}))


def wrong_rows(document: dict[str, Any], rows: dict[str, Any]) -> list[str]:
    """Rows that should have been left out and were not, or the other way round."""
    refused = {row["line"] for row in document["refused_rows"]}
    bad = {int(line) for line in rows.get("quarantine", ())}
    found = [f"line {line} is not refused" for line in bad - refused - {*rows.get("may_be_repaired_instead", ())}]
    found += [f"line {line} is refused" for line in refused & {*rows.get("ingest", ())}]
    if "ingest_ids" not in rows:
        return found
    ids = set(re.findall(r"^id: (\w+)$", document["text"], re.MULTILINE)) - {*rows["undefined_ids"]}
    return found if ids == {*rows["ingest_ids"]} and len(refused) >= len(rows["quarantine_ids"]) else [*found, str(ids)]


def test_every_file_meets_its_expectation(catalog: Catalog, landing: Path, expected: dict[str, dict[str, Any]]) -> None:
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


def test_near_copies_are_flagged_and_other_texts_are_not(catalog: Catalog, landing: Path) -> None:
    run(catalog, landing / "files" / "dup", "first")
    deduplicate(catalog, Duplicates(), (), now=NOW)
    rows = catalog.read(SILVER_DOCUMENTS).select("path", "duplicate_group").toLocalIterator()
    groups: dict[str | None, set[str]] = {}
    for path, group in rows:
        groups.setdefault(group, set()).add(path.removesuffix(".txt"))
    assert groups.pop(None) == {"near_20pct", "unrelated"}
    assert list(groups.values()) == [{"original", "exact_copy", "copy_crlf_trailing", "near_5pct"}]


def test_chunks_are_bounded_and_hold_no_personal_data(
    catalog: Catalog, corpora: Path, landing: Path, embedder: Embedder
) -> None:
    run(catalog, landing, "first", mask=tuple(DETECTORS))
    documents = indexed_documents(catalog.read(SILVER_DOCUMENTS))
    chunks = cut_documents(documents, embedder=embedder, chunking=Chunking()).select("title", "embedded_text", "text")
    labels = json.loads((corpora / "hostile" / "pii_labels.json").read_text(encoding="utf-8"))
    planted, decoys = ({label["text"] for label in labels[kind]} for kind in ("labels", "decoys"))
    left, longest, shortest, met = set(), 0, 1, set()
    for title, embedded, text in chunks.toLocalIterator():
        stored = f"{title}\n{embedded}"
        left |= {value for value in planted if value in stored}
        met |= {value for value in decoys if value in stored}
        longest, shortest = max(longest, len(text.encode())), min(shortest, len(text.strip()))
    assert (left, met) == (set(), decoys)
    assert shortest >= 1
    assert longest <= MAX_TEXT_BYTES
