"""Bronze keeps the history of a landing folder: every version, exactly named, nothing twice."""

import hashlib
import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from lakerag.bronze.ingest import ingest
from lakerag.catalog import Catalog
from lakerag.config import Source
from lakerag.errors import SourceError
from lakerag.tables import BRONZE_FILES

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
Run = Callable[[], dict[str, int]]


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder


@pytest.fixture
def run(catalog: Catalog, landing: Path) -> Run:
    """Runs bronze again, a minute later by its clock."""
    runs = iter(range(100))

    def step() -> dict[str, int]:
        n = next(runs)
        source = Source(name="docs", path=str(landing), ignore=("*.tmp",), max_file_bytes=1000)
        return ingest(catalog, source, run_id=f"run-{n}", now=NOW + timedelta(minutes=n))

    return step


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def history(catalog: Catalog) -> list[tuple[str, str, str, str, bytes | None]]:
    rows = catalog.read(BRONZE_FILES).orderBy("arrived_at", "path").toPandas()
    columns = ["arrival", "path", "op", "content_sha256", "content"]
    return [tuple(row) for row in rows[columns].itertuples(index=False)]


def test_added_changed_and_deleted_files_stand_in_the_history(catalog: Catalog, landing: Path, run: Run) -> None:
    (landing / "a.md").write_bytes(b"one")
    (landing / "sub").mkdir()
    (landing / "sub" / "b.txt").write_bytes(b"two")
    assert run() == {"added": 2, "modified": 0, "deleted": 0, "unchanged": 0}
    (landing / "a.md").write_bytes(b"ONE")
    (landing / "sub" / "b.txt").unlink()
    assert run() == {"added": 0, "modified": 1, "deleted": 1, "unchanged": 0}
    (landing / "sub" / "b.txt").write_bytes(b"two")
    assert run() == {"added": 1, "modified": 0, "deleted": 0, "unchanged": 1}
    assert history(catalog) == [
        ("run-0", "a.md", "added", sha(b"one"), b"one"),
        ("run-0", "sub/b.txt", "added", sha(b"two"), b"two"),
        ("run-1", "a.md", "modified", sha(b"ONE"), b"ONE"),
        ("run-1", "sub/b.txt", "deleted", sha(b"two"), None),
        ("run-2", "sub/b.txt", "added", sha(b"two"), b"two"),
    ]


def test_a_second_run_and_a_touch_write_no_version(catalog: Catalog, landing: Path, run: Run) -> None:
    (landing / "a.md").write_bytes(b"one")
    run()
    version = catalog.version(BRONZE_FILES)
    assert run() == {"added": 0, "modified": 0, "deleted": 0, "unchanged": 1}
    os.utime(landing / "a.md", (1, 1))
    assert run() == {"added": 0, "modified": 0, "deleted": 0, "unchanged": 1}
    assert catalog.version(BRONZE_FILES) == version


def test_an_edit_of_equal_length_right_after_the_run_is_found(catalog: Catalog, landing: Path, run: Run) -> None:
    (landing / "a.md").write_bytes(b"one")
    run()
    (landing / "a.md").write_bytes(b"two")
    assert run()["modified"] == 1


def test_a_missing_folder_deletes_nothing_and_an_empty_one_everything(
    catalog: Catalog, landing: Path, run: Run
) -> None:
    (landing / "a.md").write_bytes(b"one")
    run()
    version = catalog.version(BRONZE_FILES)
    landing.rename(landing.with_name("away"))
    with pytest.raises(SourceError, match="found nothing"):
        run()
    assert catalog.version(BRONZE_FILES) == version
    landing.mkdir()
    assert run()["deleted"] == 1
    assert run() == {"added": 0, "modified": 0, "deleted": 0, "unchanged": 0}


def test_an_oversized_file_is_hashed_without_its_bytes(catalog: Catalog, landing: Path, run: Run) -> None:
    (landing / "big.txt").write_bytes(b"x" * 1001)
    (landing / "fits.txt").write_bytes(b"x" * 1000)
    run()
    assert history(catalog) == [
        ("run-0", "big.txt", "added", sha(b"x" * 1001), None),
        ("run-0", "fits.txt", "added", sha(b"x" * 1000), b"x" * 1000),
    ]


def test_a_link_out_of_the_root_is_recorded_and_not_read(catalog: Catalog, landing: Path, run: Run) -> None:
    (landing.parent / "secret.txt").write_bytes(b"secret")
    (landing / "inside.txt").write_bytes(b"open")
    (landing / "link.txt").symlink_to(landing.parent / "secret.txt")
    (landing / "other.txt").symlink_to(landing / "inside.txt")
    (landing / "loop").symlink_to(landing)
    run()
    assert history(catalog) == [
        ("run-0", "inside.txt", "added", sha(b"open"), b"open"),
        ("run-0", "link.txt", "added", "", None),
        ("run-0", "other.txt", "added", sha(b"open"), b"open"),
    ]
    assert run()["unchanged"] == 3
    (landing / "link.txt").unlink()
    (landing / "link.txt").write_bytes(b"now a file")
    assert run() == {"added": 0, "modified": 1, "deleted": 0, "unchanged": 2}


def test_names_of_any_bytes_come_back_exactly(catalog: Catalog, landing: Path, run: Run) -> None:
    names = [
        b"new\nline.txt", b"tab\there.txt", b"back\\slash.txt", b"quote's \"d\".txt", b"a%2Fb.txt", b"-rf.txt",
        b" lead.txt", b".dot.txt", b"_under.txt", b"glob[1]*?.txt", "café.txt".encode(), "cafe\u0301.txt".encode(),
        b"10:30.txt", b"100%.txt", b"a#b?c.txt", b"latin\xe9.txt", "mark\ufffd.txt".encode(),
    ]  # fmt: skip
    for name in names:
        (landing / os.fsdecode(name)).write_bytes(name)
    (landing / "skipped.tmp").write_bytes(b"-")
    assert run()["added"] == len(names)
    found = {path: content for _, path, _, _, content in history(catalog)}
    damaged = {"latin\ufffdE9.txt": b"latin\xe9.txt", "mark\ufffdEF\ufffdBF\ufffdBD.txt": "mark\ufffd.txt".encode()}
    assert found == {name.decode(): name for name in names[:-2]} | damaged
    assert run()["unchanged"] == len(names)
    (landing / os.fsdecode(b"latin\xe9.txt")).unlink()
    assert run()["deleted"] == 1


def test_a_clock_that_goes_back_does_not_hide_the_newest_version(catalog: Catalog, landing: Path) -> None:
    source = Source(name="docs", path=str(landing))
    (landing / "a.md").write_bytes(b"one")
    ingest(catalog, source, run_id="later", now=NOW + timedelta(days=1))
    (landing / "a.md").write_bytes(b"three")
    ingest(catalog, source, run_id="earlier", now=NOW)
    assert ingest(catalog, source, run_id="again", now=NOW)["unchanged"] == 1
    assert [row[0] for row in history(catalog)] == ["later", "earlier"]


def test_sources_do_not_see_each_other(catalog: Catalog, landing: Path, tmp_path: Path) -> None:
    (landing / "a.md").write_bytes(b"one")
    (tmp_path / "empty").mkdir()
    ingest(catalog, Source(name="docs", path=str(landing)), run_id="r1", now=NOW)
    counts = ingest(catalog, Source(name="other", path=str(tmp_path / "empty")), run_id="r2", now=NOW)
    assert counts == {"added": 0, "modified": 0, "deleted": 0, "unchanged": 0}
