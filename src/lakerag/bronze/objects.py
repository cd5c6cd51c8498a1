"""A bucket of an object store as the landing folder, through pyarrow's file systems.

Not through Spark's own listing, which leaves out every name that begins with `_` or `.`: a
folder's `_meta.yml` would be overlooked, and what it protects stand open.
"""

import re
from functools import lru_cache

from pyarrow.fs import FileSelector, FileSystem, FileType

from lakerag.bronze.listing import Listed, is_ignored
from lakerag.bronze.reading import FileVersion, digested, settled
from lakerag.config import Source, masked
from lakerag.errors import SourceError


def is_object_store(path: str) -> bool:
    """Says whether a source's path is a URI (`s3://`, `gs://`, `abfss://`, `hdfs://`, `file://`)."""
    return "://" in path


def list_objects(source: Source) -> list[Listed]:
    """Returns the objects below the source's URI, sorted by path, code point by code point.

    Raises:
        SourceError: The URI is none that pyarrow reads, holds a secret, or leads to nothing.
            What is not there never means that its documents were deleted.
    """
    uri = str(source.path)
    if _holds_secret(uri):
        raise SourceError(
            f"The URI of source {source.name!r} holds a user name or a key. Leave it out of source.path: the store's "
            "own means (environment, profile, role of the machine) say who asks."
        )
    try:
        system, base = _opened(uri)
        found = system.get_file_info(FileSelector(base, recursive=True))
    except (OSError, ValueError) as error:
        raise SourceError(
            f"Expected the documents of source {source.name!r} at {uri}, found nothing that can be listed: {error}. "
            "Check source.path and the rights of this machine; no document was touched.",
            path=uri,
        ) from error
    files = (info for info in found if info.type == FileType.File)
    listed = (Listed(info.path.removeprefix(base).lstrip("/"), info.size, info.mtime_ns or 0) for info in files)
    return sorted((one for one in listed if not is_ignored(one.path, source.ignore)), key=lambda one: one.path)


def read_object(uri: str, path: str, max_file_bytes: int) -> FileVersion | None:
    """Reads one object below the URI, as `reading.read_file` reads a file; None where it is gone."""
    system, base = _opened(uri)
    full = f"{base.rstrip('/')}/{path}"
    try:
        modified_ns = settled(lambda: system.get_file_info(full).mtime_ns or 0)
        with system.open_input_stream(full) as stream:
            return digested(stream, modified_ns, max_file_bytes)
    except FileNotFoundError:
        return None
    except OSError:
        return FileVersion.unread()


def _holds_secret(uri: str) -> bool:
    """Says whether a URI names a user or holds a key, among its parameters too (a signature of Azure's shared access).

    Azure's container stands where others have the user, its account's key where they have the password
    (Arrow, AzureOptions::FromUri): `abfss://container:KEY@account.dfs.core.windows.net/folder`.
    """
    rest = re.sub(r"^(abfss?://)[\w$-]+@", r"\1", uri)
    return masked(rest) != rest


@lru_cache(maxsize=8)
def _opened(uri: str) -> tuple[FileSystem, str]:
    """Returns the file system of a URI, one a process, and the path within it."""
    system, base = FileSystem.from_uri(uri)
    return system, base
