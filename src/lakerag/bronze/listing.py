"""What stands in the landing folder, in the order of the paths."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from lakerag.bronze.names import name_to_text
from lakerag.config import Source
from lakerag.errors import SourceError


@dataclass(frozen=True, slots=True)
class Listed:
    """One file of the landing folder, unread."""

    path: str
    """Below the root, as `names.name_to_text` writes it."""
    size_bytes: int
    modified_ns: int


def landing_folder(source: Source) -> Path:
    """Returns the folder of a source.

    Raises:
        SourceError: No folder is named, or it is not there. A missing folder never
            means that its documents were deleted; an empty one does.
    """
    if source.path is None:
        raise SourceError(f"The source {source.name!r} names no folder. Set source.path, or give --source DIR.")
    folder = Path(source.path)
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise SourceError(
            f"Expected the landing folder of source {source.name!r} at {folder}, found {found}. "
            "Create or mount it, or set source.path; no document was touched.",
            path=str(folder),
        )
    return folder.resolve()


def list_files(root: Path, ignore: tuple[str, ...] = ()) -> Iterator[Listed]:
    """Walks a folder and yields its files sorted by path, code point by code point.

    Memory is bounded by the largest single folder. Links to files are listed (the reader
    refuses those that lead out of the root); links to folders are not followed, so that
    nothing is listed twice or for ever. Pipes, sockets and devices are no documents.

    Args:
        root: The landing folder.
        ignore: Glob patterns of file and folder names to pass over.

    Raises:
        SourceError: A folder cannot be listed; leaving it out would look like deletions.
    """
    folders = [_entries(root, "", ignore)]
    while folders:
        found = next(folders[-1], None)
        if found is None:
            folders.pop()
            continue
        path, entry = found
        if entry.is_dir(follow_symlinks=False):
            folders.append(_entries(Path(entry.path), path, ignore))
        elif listed := _listed(path, entry):
            yield listed
    if not root.is_dir():
        raise SourceError(f"The landing folder {root} went away during the listing. Mount it again and rerun.")


def is_ignored(path: str, ignore: tuple[str, ...]) -> bool:
    """Says whether a name of the path matches one of the glob patterns."""
    return any(fnmatchcase(name, pattern) for name in path.split("/") for pattern in ignore)


def _entries(folder: Path, prefix: str, ignore: tuple[str, ...]) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    """Yields the sortable path of every entry; a folder's ends in `/`, as its files' paths go on."""
    try:
        with os.scandir(folder) as scan:
            kept = [entry for entry in scan if not is_ignored(entry.name, ignore)]
    except FileNotFoundError:
        return
    except OSError as error:
        raise SourceError(
            f"The folder {name_to_text(str(folder))} cannot be listed ({error.strerror}). "
            "Give read permission or name it in source.ignore; no document was touched.",
            path=str(folder),
        ) from error
    paths = ((prefix + name_to_text(entry.name), entry) for entry in kept)
    yield from sorted(
        ((path + "/" if entry.is_dir(follow_symlinks=False) else path, entry) for path, entry in paths),
        key=lambda pair: pair[0],
    )


def _listed(path: str, entry: "os.DirEntry[str]") -> Listed | None:
    try:
        if not entry.is_file() and not (entry.is_symlink() and not entry.is_dir()):
            return None
        stat = entry.stat(follow_symlinks=entry.is_file())
    except FileNotFoundError:
        return None
    except OSError:
        return Listed(path, 0, 0)
    return Listed(path, stat.st_size, stat.st_mtime_ns)
