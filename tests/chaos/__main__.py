"""`python -m tests.chaos --rounds 50`: kills the sync and the store, cuts the network, then counts differences."""

import argparse
import json
import logging
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.rounds import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="kills of the sync (default 50)")
    parser.add_argument("--seed", type=int, default=0, help="of every random choice (default 0)")
    parser.add_argument("--store", choices=["lite", "milvus"], default="lite", help="Milvus Lite or a Milvus server")
    options = parser.parse_args()
    # The reader meets a dead store all the time, by design; pymilvus prints a traceback for every look.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    home = Path(tempfile.mkdtemp(prefix="lakerag-chaos-"))
    print_progress(f"tables, store and logs are in {home}; they are removed when all is sound")
    report = run(home, options.rounds, options.seed, options.store, say=print_progress)
    print(json.dumps(report))
    if report["sound"]:
        shutil.rmtree(home)
    return 0 if report["sound"] else 1


def print_progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
