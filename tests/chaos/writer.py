"""Commits random changes to gold until its standard input ends: `python -m tests.chaos.writer HOME SEED`."""

import random
import select
import sys
import time
from pathlib import Path

from pyspark.errors import PySparkException

from lakerag.catalog import Catalog
from lakerag.tables import GOLD_CHUNKS
from tests.chaos.place import PINNED, open_catalog, words
from tests.integration.sync.gold import append, chunk, edit, live, merge

PAUSE_S = 0.3
"""Between two commits, beyond the time that one takes: the sync has to get a chance on a slow machine too."""


class Writer:
    """Histories of gold: inserts, edits, key changes, deletes, overwrites, restores, and what loses a position."""

    def __init__(self, catalog: Catalog, seed: int) -> None:
        self._catalog = catalog
        self._chance = random.Random(seed)
        self._name = catalog.ref(GOLD_CHUNKS)
        self._made = 0
        self.commits = 0
        self._acts = {
            self.insert: 6,
            self.edit_some: 6,
            self.delete_some: 3,
            self.change_keys: 2,
            self.change_rights: 2,
            self.overwrite: 1,
            self.restore: 1,
            self.optimise: 1,
            self.vacuum: 0.5,
            self.feed_off: 0.5,
        }

    def begin(self) -> None:
        append(self._catalog, *(chunk(key, words(self._chance)) for key in PINNED))
        self.insert()

    def act(self) -> None:
        [act] = self._chance.choices(list(self._acts), weights=list(self._acts.values()))
        act()
        self.commits += 1

    def insert(self) -> None:
        first, self._made = self._made, self._made + self._chance.randint(1, 40)
        merge(self._catalog, [chunk(f"k{n}", words(self._chance)) for n in range(first, self._made)])

    def edit_some(self) -> None:
        for key in (*self._some(3), self._chance.choice(PINNED)):
            edit(self._catalog, key, words(self._chance))

    def delete_some(self) -> None:
        merge(self._catalog, deletes=self._some(10))

    def change_keys(self) -> None:
        for key in self._some(2):
            self._sql(f"UPDATE {self._name} SET chunk_id = 'n{self._made}' WHERE chunk_id = '{key}'")
            self._made += 1

    def change_rights(self) -> None:
        for key in self._some(2):
            tenant = self._chance.choice(("", "acme", "globex"))
            self._sql(
                f"UPDATE {self._name} SET tenant = '{tenant}', fingerprint = concat('print of ', text, ' {tenant}') "
                f"WHERE chunk_id = '{key}'"
            )

    def overwrite(self) -> None:
        self._catalog.read(GOLD_CHUNKS).write.format("delta").mode("overwrite").saveAsTable(self._name)

    def restore(self) -> None:
        version = self._catalog.version(GOLD_CHUNKS)
        self._sql(f"RESTORE TABLE {self._name} TO VERSION AS OF {max(2, version - self._chance.randint(0, 4))}")

    def optimise(self) -> None:
        self._sql(f"OPTIMIZE {self._name}")

    def vacuum(self) -> None:
        """Takes away change files that may not have been read, and the versions that RESTORE could go back to."""
        self._sql(f"VACUUM {self._name} RETAIN 0 HOURS")

    def feed_off(self) -> None:
        self._sql(f"ALTER TABLE {self._name} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'false')")
        self.edit_some()
        self._sql(f"ALTER TABLE {self._name} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')")

    def _some(self, most: int) -> list[str]:
        keys = sorted(key for key in live(self._catalog) if key not in PINNED)
        return self._chance.sample(keys, min(len(keys), self._chance.randint(1, most)))

    def _sql(self, statement: str) -> None:
        self._catalog.spark.sql(statement)


def main(home: Path, seed: int) -> None:
    writer = Writer(open_catalog(home, "writer"), seed)
    writer.begin()
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        began = time.monotonic()
        try:
            writer.act()
        except PySparkException as error:
            print(f"not done: {str(error).splitlines()[0]}", file=sys.stderr)  # files that VACUUM took away
        time.sleep(PAUSE_S + time.monotonic() - began)
    print(writer.commits, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
