"""What changed in the landing folder, told from names, sizes and times alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from operator import attrgetter

from lakerag.bronze.listing import Listed

UNREAD = ""
"""The hash of a file version that could not be read."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The latest row of bronze for one path."""

    path: str
    op: str
    content_sha256: str
    size_bytes: int
    modified_ns: int
    arrived_us: int
    """Arrival, microseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done about one path."""

    path: str
    op: str
    """added, modified, deleted, or unchanged"""
    certain: bool
    """False: only the content can tell whether it changed."""
    known_sha256: str | None
    """Hash of the content that bronze holds for a live path."""
    size_bytes: int
    modified_ns: int
    arrived_us: int
    """Later than every arrival of the path before, whatever the clock says."""


def compare(listed: Iterable[Listed], standing: Iterable[Standing], now_us: int) -> Iterator[Step]:
    """Joins the listing with what bronze holds, both sorted by path.

    A file of the same size and modification time is unchanged. This is sound because the
    reader takes a file only once its time has aged beyond the clock's grain. A file that
    could not be read before is tried again each time: permissions leave no trace here.

    Args:
        listed: Files of the landing folder.
        standing: Latest bronze row of every path.
        now_us: Time of the run, microseconds since 1970.
    """
    key = attrgetter("path")
    both: Iterator[Listed | Standing] = merge(listed, standing, key=key)
    for path, pair in groupby(both, key=key):
        file: Listed | None = None
        row: Standing | None = None
        for item in pair:
            if isinstance(item, Listed):
                file = item
            else:
                row = item
        if row is not None and row.op == "deleted" and file is None:
            continue
        yield _step(path, file, row, now_us)


def _step(path: str, file: Listed | None, row: Standing | None, now_us: int) -> Step:
    arrived_us = now_us if row is None else max(now_us, row.arrived_us + 1)
    if file is None:
        assert row is not None
        return Step(path, "deleted", True, row.content_sha256, row.size_bytes, row.modified_ns, arrived_us)
    if row is None or row.op == "deleted":
        return Step(path, "added", True, None, file.size_bytes, file.modified_ns, arrived_us)
    same_size = file.size_bytes == row.size_bytes
    same = same_size and file.modified_ns == row.modified_ns and row.content_sha256 != UNREAD
    op = "unchanged" if same else "modified"
    return Step(path, op, not same_size, row.content_sha256, file.size_bytes, file.modified_ns, arrived_us)
