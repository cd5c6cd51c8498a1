"""The listing is sorted, complete, stays below its root and never takes an error for a deletion."""

import os
from pathlib import Path

import pytest

from lakerag.bronze.listing import Listed, landing_folder, list_files
from lakerag.config import Source
from lakerag.errors import SourceError


def put(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(path.encode())


def test_files_come_sorted_by_their_whole_path(tmp_path: Path) -> None:
    put(tmp_path, "a/z.md", "a.md", "a-b/c.md", "a/b/c.md", "Z.md", "ä.md", ".hidden/x", "a0")
    paths = [file.path for file in list_files(tmp_path)]
    assert paths == [".hidden/x", "Z.md", "a-b/c.md", "a.md", "a/b/c.md", "a/z.md", "a0", "ä.md"]
    assert paths == sorted(paths)


def test_size_and_time_are_the_files_own(tmp_path: Path) -> None:
    put(tmp_path, "a.md")
    os.utime(tmp_path / "a.md", ns=(0, 1_700_000_000_123_456_789))
    assert list(list_files(tmp_path)) == [Listed("a.md", 4, 1_700_000_000_123_456_789)]


def test_ignored_names_are_left_out_at_any_depth(tmp_path: Path) -> None:
    put(tmp_path, ".git/config", "a/.git/config", "a/b.tmp", "a/b.TMP", "c.md")
    assert [file.path for file in list_files(tmp_path, (".git", "*.tmp"))] == ["a/b.TMP", "c.md"]


def test_links_to_folders_and_pipes_are_left_out(tmp_path: Path) -> None:
    put(tmp_path, "a/b.md")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "broken.md").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.md")
    assert [file.path for file in list_files(tmp_path)] == ["a/b.md", "broken.md"]


def test_an_unreadable_folder_stops_the_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a/b.md")
    scan = os.scandir

    def refuse(folder: Path) -> "os.ScandirIterator[str]":  # type: ignore[name-defined]
        if Path(folder).name == "a":
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError, match=r"a cannot be listed \(Permission denied\).*no document was touched"):
        list(list_files(tmp_path))


def test_a_root_that_goes_away_stops_the_listing(tmp_path: Path) -> None:
    root = tmp_path / "landing"
    put(root, "a.md", "b.md")
    files = list_files(root)
    next(files)
    root.rename(tmp_path / "away")
    with pytest.raises(SourceError, match="went away"):
        list(files)


@pytest.mark.parametrize(
    ("path", "message"), [(None, "names no folder"), ("missing", "found nothing"), ("file", "found a file")]
)
def test_a_missing_folder_is_an_error_that_says_what_to_do(tmp_path: Path, path: str | None, message: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SourceError, match=message):
        landing_folder(Source(path=None if path is None else str(tmp_path / path)))
