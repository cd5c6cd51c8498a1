"""Reads files on the executors into rows of bronze."""

import hashlib
import mimetypes
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from lakerag.bronze.names import text_to_name
from lakerag.bronze.plan import UNREAD

BATCH_BYTES = 16 * 2**20
"""Raw bytes that one Arrow batch gathers, one file more at most."""

READ_BYTES = 2**20

COARSE_NS, FINE_NS = 2_000_000_000, 50_000_000
"""Grain of modification times: 2 s where they are whole seconds (FAT, some network
file systems), else a tick of the kernel (10 ms at most, with a margin)."""

ROWS = pa.schema(
    [
        ("path", pa.string()),
        ("op", pa.string()),
        ("content_sha256", pa.string()),
        ("size_bytes", pa.int64()),
        ("modified_ns", pa.int64()),
        ("arrived_us", pa.int64()),
        ("mime", pa.string()),
        ("content", pa.binary()),
    ]
)
ROWS_DDL = (
    "path STRING, op STRING, content_sha256 STRING, size_bytes BIGINT, modified_ns BIGINT, "
    "arrived_us BIGINT, mime STRING, content BINARY"
)

_MEDIA_TYPES = mimetypes.MimeTypes()
for _suffix, _media_type in {
    ".md": "text/markdown",
    ".mdx": "text/mdx",
    ".jsonl": "application/jsonl",
    ".yml": "application/yaml",
    ".yaml": "application/yaml",
}.items():
    _MEDIA_TYPES.add_type(_media_type, _suffix)


@dataclass(frozen=True, slots=True)
class FileVersion:
    """What one reading of a file found."""

    content_sha256: str
    """`UNREAD` where the file is there and may not be read."""
    size_bytes: int
    modified_ns: int
    content: bytes | None
    """None when unread or over the size limit."""

    @classmethod
    def unread(cls) -> "FileVersion":
        """Returns what is known of a file that may not be read."""
        return cls(UNREAD, 0, 0, None)


def media_type(path: str) -> str:
    """Returns the media type that a name promises."""
    suffix = PurePosixPath(path).suffix.lower()
    guess, encoding = _MEDIA_TYPES.guess_type("name" + suffix)
    return "application/gzip" if encoding == "gzip" else guess or "application/octet-stream"


def file_reader(
    read_one: Callable[[str], FileVersion | None],
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Returns the Arrow function that turns steps into rows of `ROWS`.

    Deletions pass through. A file that is gone yields no row (the next run sees it as
    deleted), nor does one whose content is the known one.

    Args:
        read_one: Reads the file at a path below the source, on an executor; none where it is gone.
    """

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        gathered: list[dict[str, Any]] = []
        held_bytes = 0
        for step in (step for batch in batches for step in batch.to_pylist()):
            row = _row(step, read_one)
            if row is None:
                continue
            gathered.append(row)
            held_bytes += len(row["content"] or b"")
            if held_bytes >= BATCH_BYTES:
                yield pa.RecordBatch.from_pylist(gathered, schema=ROWS)
                gathered, held_bytes = [], 0
        if gathered:
            yield pa.RecordBatch.from_pylist(gathered, schema=ROWS)

    return read


def _row(step: dict[str, Any], read_one: Callable[[str], FileVersion | None]) -> dict[str, Any] | None:
    row = {**step, "content_sha256": step["known_sha256"], "mime": media_type(step["path"]), "content": None}
    if step["op"] == "deleted":
        return row
    version = read_one(step["path"])
    if version is None or version.content_sha256 == step["known_sha256"]:
        return None
    if version.content_sha256 != UNREAD:
        row.update(size_bytes=version.size_bytes, modified_ns=version.modified_ns)
    return {**row, "content_sha256": version.content_sha256, "content": version.content}


def read_file(root: str, path: str, max_file_bytes: int) -> FileVersion | None:
    """Reads one file below the root; None where nothing stands there any more.

    Longer ones than `max_file_bytes` are hashed, their bytes are not kept.

    Its time is taken before the reading, so that a write during the reading shows as a
    change next time; it is taken once it has aged beyond the clock's grain, so that a
    write after the reading shows too.
    """
    full = os.path.join(root, text_to_name(path))  # noqa: PTH118 - a Path would tidy the name up
    real_root = os.path.realpath(root)
    if os.path.commonpath([os.path.realpath(full), real_root]) != real_root:
        return FileVersion.unread()
    try:
        handle = os.open(full, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return FileVersion.unread() if os.path.lexists(full) else None
    with os.fdopen(handle, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return FileVersion.unread()
        try:
            modified_ns = settled(lambda: os.fstat(handle).st_mtime_ns)
            return digested(file, modified_ns, max_file_bytes)
        except OSError:
            return FileVersion.unread()


def settled(modified: Callable[[], int]) -> int:
    """Waits, 2 s at most, until a later write would get another time; returns the present one.

    Args:
        modified: Tells the time of the last write, nanoseconds since 1970.
    """
    modified_ns = modified()
    grain_ns = COARSE_NS if modified_ns % 1_000_000_000 == 0 else FINE_NS
    age_ns = time.time_ns() - modified_ns
    if 0 <= age_ns < grain_ns:
        time.sleep((grain_ns - age_ns) / 1e9)
        modified_ns = modified()
    return modified_ns


def digested(file: Any, modified_ns: int, max_file_bytes: int) -> FileVersion:
    """Reads an open file to its end, hashes it, and keeps its bytes unless they are too many."""
    digest, parts, size_bytes = hashlib.sha256(), [], 0
    while part := file.read(READ_BYTES):
        digest.update(part)
        size_bytes += len(part)
        parts.append(part)
        if size_bytes > max_file_bytes:
            parts.clear()
    content = b"".join(parts) if size_bytes <= max_file_bytes else None
    return FileVersion(digest.hexdigest(), size_bytes, modified_ns, content)
