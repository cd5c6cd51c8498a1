"""A folder of converted models that several processes share."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from lakerag.errors import ModelError


def cached_folder(cache: str | None, key: str, make: Callable[[Path], None]) -> Path:
    """Returns the folder of a key, made first where it is not there.

    A folder is made under another name and renamed when whole, so processes that make it at the same
    time do double work but never read half of it.

    Args:
        cache: Folder of all keys; None for `~/.cache/lakerag`.
        key: A file name that changes with everything that the contents depend on.
        make: Fills the empty folder that it is given.

    Raises:
        ModelError: The cache cannot be written; `make`'s own errors pass.
    """
    target = (Path(cache).expanduser() if cache else Path.home() / ".cache" / "lakerag") / key
    if not target.is_dir():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _fill(target, make)
        except OSError as error:
            raise ModelError(
                f"Expected to write a converted model to {target}, found: {error}. "
                "Set the section's key `cache` to a folder with free space that can be written.",
                path=str(target),
            ) from error
    return target


def _fill(target: Path, make: Callable[[Path], None]) -> None:
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        make(work)
        work.chmod(0o755)  # a temporary folder is its owner's alone
        work.replace(target)
    except OSError:
        if not target.is_dir():  # no other process was first
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
