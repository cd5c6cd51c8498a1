"""Arrivals as a stream tells them: Spark's own file stream stands in for Auto Loader, which Databricks alone has."""

import hashlib
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from lakerag.bronze import arrivals
from lakerag.bronze.ingest import ingest
from lakerag.catalog import Catalog
from lakerag.config import Source
from lakerag.errors import ConfigError, SourceError
from lakerag.tables import BRONZE_FILES

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "landing" / "sub").mkdir(parents=True)
    told = {"discovery": "auto-loader", "checkpoint": str(tmp_path / "checkpoint"), "protected": True}
    return Source(name="docs", path=str(tmp_path / "landing"), ignore=("*.tmp",), **told)


def history(catalog: Catalog) -> set[tuple[str, ...]]:
    rows = catalog.read(BRONZE_FILES).select("arrival", "path", "op", "content_sha256").toLocalIterator()
    return {tuple(row) for row in rows}


def test_arrivals_are_brought_in_once_and_a_listing_finds_the_rest(
    catalog: Catalog, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "AUTO_LOADER", "binaryFile")
    monkeypatch.setattr(arrivals, "OPTIONS", {"recursiveFileLookup": "true"})
    landing = tmp_path / "landing"
    for path, content in {"a.md": b"one", "sub/ü b.txt": b"two", "x.tmp": b"no", "_meta.yml": b"tenant: t"}.items():
        (landing / path).write_bytes(content)

    def run(name: str, minutes: int, source: Source = source) -> dict[str, int]:
        return ingest(catalog, source, run_id=name, now=NOW + timedelta(minutes=minutes))

    assert run("first", 0) == {"added": 2, "modified": 0, "deleted": 0}
    version = catalog.version(BRONZE_FILES)
    assert run("again", 1) == {"added": 0, "modified": 0, "deleted": 0}
    assert catalog.version(BRONZE_FILES) == version

    (landing / "c.md").write_bytes(b"three")
    (landing / "a.md").unlink()
    assert run("second", 2)["added"] == 1
    listing = source.model_copy(update={"discovery": "listing"})
    assert run("listed", 3, listing) == {"added": 1, "modified": 0, "deleted": 1, "unchanged": 2}
    lost = source.model_copy(update={"checkpoint": str(tmp_path / "other")})
    (landing / "c.md").write_bytes(b"four")
    assert run("lost", 4, lost) == {"added": 0, "modified": 1, "deleted": 0}
    assert history(catalog) == {
        ("first", "a.md", "added", sha(b"one")),
        ("first", "sub/ü b.txt", "added", sha(b"two")),
        ("second", "c.md", "added", sha(b"three")),
        ("listed", "_meta.yml", "added", sha(b"tenant: t")),
        ("listed", "a.md", "deleted", sha(b"one")),
        ("lost", "c.md", "modified", sha(b"four")),
    }


def test_auto_loader_elsewhere_and_open_sources_are_refused(catalog: Catalog, source: Source) -> None:
    with pytest.raises(SourceError, match="on Databricks alone"):
        ingest(catalog, source, run_id="r", now=NOW)
    for missing in ({"protected": False}, {"checkpoint": None}):
        with pytest.raises(ConfigError, match="discovery is auto-loader"):
            ingest(catalog, source.model_copy(update=missing), run_id="r", now=NOW)
    assert catalog.version(BRONZE_FILES) == 0
