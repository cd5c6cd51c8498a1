"""A process of its own that syncs when it is told to: `python -m tests.integration.sync.process HOME PORT`.

`sync` on standard input: it syncs and says how many rows it wrote, or why it left. `hold`: it takes
the lease, says so, and stays.
"""

import json
import sys
from pathlib import Path

from lakerag.errors import LakeragError
from tests.chaos.place import open_catalog, sync_of


def main(home: Path, port: int) -> None:
    catalog = open_catalog(home, "child")
    print("ready", flush=True)
    for line in sys.stdin:
        sync = sync_of(catalog, home, port, "child")
        if line.strip() == "hold":
            with sync.writing():
                print("held", flush=True)
                sys.stdin.readline()
        try:
            said = {"upserted": sync.catch_up().upserted}
        except LakeragError as error:
            said = {"left": str(error)}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
