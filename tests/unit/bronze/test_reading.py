"""Reading takes the bytes once, within bounds, and never outside the root."""

import hashlib
import os
import time
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from lakerag.bronze import reading
from lakerag.bronze.plan import UNREAD
from lakerag.bronze.reading import FileVersion, file_reader, media_type, read_file

OLD_NS = 1_600_000_000_123_456_789


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    os.utime(path, ns=(OLD_NS, OLD_NS))
    return path


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_version_holds_bytes_hash_and_time(tmp_path: Path) -> None:
    put(tmp_path / "a.md", b"one")
    assert read_file(str(tmp_path), "a.md", 100) == FileVersion(sha(b"one"), 3, OLD_NS, b"one")


def test_a_long_file_is_hashed_in_pieces_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "READ_BYTES", 4)
    put(tmp_path / "a.md", b"0123456789")
    assert read_file(str(tmp_path), "a.md", 9) == FileVersion(sha(b"0123456789"), 10, OLD_NS, None)
    assert read_file(str(tmp_path), "a.md", 10) == FileVersion(sha(b"0123456789"), 10, OLD_NS, b"0123456789")


def test_a_file_that_went_away_is_no_version(tmp_path: Path) -> None:
    assert read_file(str(tmp_path), "gone.md", 100) is None


def test_what_may_not_be_read_is_recorded_as_unread(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    put(tmp_path / "secret", b"secret")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "broken").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    for path in ("link", "broken", "pipe", "../secret"):
        assert read_file(str(root), path, 100) == FileVersion(UNREAD, 0, 0, None)


def test_a_file_without_permission_is_recorded_as_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a.md", b"one")

    def refuse(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert read_file(str(tmp_path), "a.md", 100) == FileVersion(UNREAD, 0, 0, None)


@pytest.mark.parametrize(
    ("age_ns", "whole_seconds", "waits"), [(10**7, False, True), (10**9, False, False), (10**9, True, True)]
)
def test_a_fresh_file_is_read_once_its_time_has_aged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age_ns: int, whole_seconds: bool, waits: bool
) -> None:
    now_ns = 1_700_000_001 * 10**9
    modified_ns = now_ns - age_ns + (0 if whole_seconds else 1)
    path = put(tmp_path / "a.md", b"one")
    os.utime(path, ns=(modified_ns, modified_ns))
    slept: list[float] = []
    monkeypatch.setattr(time, "time_ns", lambda: now_ns)
    monkeypatch.setattr(time, "sleep", slept.append)
    version = read_file(str(tmp_path), "a.md", 100)
    assert version is not None
    assert version.modified_ns == modified_ns
    assert bool(slept) == waits


def test_a_write_while_it_is_read_shows_as_a_change_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "a.md", b"one")
    digested = reading.digested

    def write_first(*args: object) -> FileVersion:
        path.write_bytes(b"two")
        return digested(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "digested", write_first)
    version = read_file(str(tmp_path), "a.md", 100)
    assert version == FileVersion(sha(b"two"), 3, OLD_NS, b"two")
    assert path.stat().st_mtime_ns != OLD_NS


def test_rows_follow_the_steps_and_batches_are_bounded_by_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BATCH_BYTES", 4)
    for name in ("new.md", "other.md", "same.txt"):
        put(tmp_path / name, name.encode())
    steps = [
        {"path": "new.md", "op": "added", "known_sha256": None},
        {"path": "other.md", "op": "modified", "known_sha256": "before"},
        {"path": "same.txt", "op": "modified", "known_sha256": sha(b"same.txt")},
        {"path": "vanished.md", "op": "added", "known_sha256": None},
        {"path": "deleted.md", "op": "deleted", "known_sha256": "last"},
    ]
    batch = pa.RecordBatch.from_pylist([{**step, "size_bytes": 1, "modified_ns": 2, "arrived_us": 3} for step in steps])
    batches = list(file_reader(partial(read_file, str(tmp_path), max_file_bytes=100))(iter([batch])))
    assert [rows.num_rows for rows in batches] == [1, 1, 1]
    rows = [row for each in batches for row in each.to_pylist()]
    assert [(row["path"], row["op"], row["content_sha256"], row["size_bytes"], row["content"]) for row in rows] == [
        ("new.md", "added", sha(b"new.md"), 6, b"new.md"),
        ("other.md", "modified", sha(b"other.md"), 8, b"other.md"),
        ("deleted.md", "deleted", "last", 1, None),
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.MD", "text/markdown"),
        ("a.mdx", "text/mdx"),
        ("a.html", "text/html"),
        ("http://x?y#z.txt", "text/plain"),
        ("a.txt.gz", "application/gzip"),
        ("none", "application/octet-stream"),
    ],
)
def test_the_media_type_is_told_by_the_suffix(path: str, expected: str) -> None:
    assert media_type(path) == expected
