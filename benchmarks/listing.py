"""A folder of many files: seconds and memory to list it, to bring it into bronze, to find that one file changed.

    python benchmarks/listing.py [--files 10000 100000]

Small files in folders of 500. Each size runs in a process of its own: `list_mb` is what listing alone adds to
its memory, `peak_mb` the most that the driver's Python held over all runs. Prints one JSON line.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from lakerag import config
from lakerag.bronze.ingest import ingest
from lakerag.bronze.listing import list_files
from lakerag.catalog import Catalog
from lakerag.session import open_session
from lakerag.tables import BRONZE_FILES

FILES_A_FOLDER = 500


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def land(root: Path, count: int) -> None:
    for n in range(count):
        path = root / f"{n // FILES_A_FOLDER // 20:03}" / f"{n // FILES_A_FOLDER:04}" / f"{n}.txt"
        if n % FILES_A_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_text(f"File number {n}.")


def measure(count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "landing"
        land(root, count)
        before, began = peak_mb(), time.monotonic()
        listed = sum(1 for _ in list_files(root))
        seconds = {"list": round(time.monotonic() - began, 2)}
        list_mb = peak_mb() - before
        settings = config.load("local", home=Path(folder))
        catalog = Catalog(open_session(settings.spark), settings.lakehouse)
        catalog.ensure([BRONZE_FILES])
        source, now = config.Source(name="docs", path=str(root)), datetime.now(timezone.utc)
        for n, run in enumerate(("first", "nothing_new", "one_changed")):
            if run == "one_changed":
                (root / "000" / "0000" / "0.txt").write_text("Another text.")
            began = time.monotonic()
            counts = ingest(catalog, source, run_id=run, now=now + timedelta(hours=n))
            seconds[run] = round(time.monotonic() - began, 2)
        assert (listed, counts["modified"]) == (count, 1)
        catalog.spark.stop()
    return {"files": count, "seconds": seconds, "list_mb": round(list_mb, 1), "peak_mb": round(peak_mb())}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, nargs="*", default=[10_000, 100_000])
    options = parser.parse_args()
    fresh = multiprocessing.get_context("spawn")
    found = []
    for count in options.files:
        with fresh.Pool(1) as process:
            found.append(process.apply(measure, (count,)))
    print(json.dumps({"benchmark": "listing", "sizes": found}))


if __name__ == "__main__":
    main()
