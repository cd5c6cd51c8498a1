"""Markdown through Spark: speed of parsing, cleaning and cutting, and what one changed file of many costs.

    LAKERAG_CORPORA=DIR python benchmarks/documents.py [--files 10000] [--cores 2]

The pages of `milvus-docs` of the evaluation corpora, each repeated with a line of its own until there are enough
files. A first small run pays for start-up (Spark, imports, the tokenizer in every worker). Measured then:
`parse_cut`, silver text and chunks of all files from bronze without writing; the first run of bronze and silver, a
run with nothing new, and one with one file changed. Prints one JSON line.
"""

import argparse
import json
import os
import tarfile
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F

from lakerag import config
from lakerag.bronze.ingest import ingest
from lakerag.catalog import Catalog
from lakerag.gold.chunks import cut_documents, indexed_documents
from lakerag.session import open_session
from lakerag.silver.documents import Recipe
from lakerag.silver.duplicates import deduplicate
from lakerag.silver.ledger import live_versions
from lakerag.silver.refine import parse_files, refine, to_documents
from lakerag.silver.sidecars import without_sidecars
from lakerag.tables import BRONZE_FILES


def pages() -> list[bytes]:
    archive = Path(os.environ["LAKERAG_CORPORA"]) / "milvus-docs" / "v000.tar.gz"
    with tarfile.open(archive) as opened:
        return [opened.extractfile(m).read() for m in opened if m.isfile() and m.name.endswith(".md")]  # type: ignore[union-attr]


def land(folder: Path, found: list[bytes], first: int, count: int) -> int:
    """Writes files and returns their bytes."""
    size = 0
    for n in range(first, first + count):
        content = found[n % len(found)] + f"\n\nPage {n} of the set.\n".encode()
        path = folder / f"{n % 97:02}" / f"{n}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        size += len(content)
    return size


def timed(work: Callable[[], Any]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


class Bench:
    def __init__(self, root: Path, cores: int) -> None:
        settings = config.load("local", home=root)
        spark = settings.spark.model_copy(update={"master": f"local[{cores}]"})
        self.settings = settings
        self.catalog = Catalog(open_session(spark), settings.lakehouse)
        self.catalog.ensure()
        self.source = config.Source(name="docs", path=str(root / "landing"))
        self.runs = 0

    def run(self) -> dict[str, float]:
        """Bronze, silver and duplicates; seconds by step."""
        now = datetime.now(timezone.utc)
        self.runs += 1
        steps = {
            "bronze": lambda: ingest(self.catalog, self.source, run_id=f"run-{self.runs}", now=now),
            "silver": lambda: refine(self.catalog, self.source, now=now),
            "duplicates": lambda: deduplicate(self.catalog, self.settings.duplicates, [], now=now),
        }
        return {name: round(timed(step), 2) for name, step in steps.items()}

    def parse_cut(self) -> None:
        """Parses, cleans and cuts every live file; the chunks go nowhere."""
        recipe = Recipe.of(self.source)
        files = self.catalog.read(BRONZE_FILES)
        live = without_sidecars(live_versions(files), recipe.version)
        documents = to_documents(parse_files(live, files, recipe, described=False), recipe)
        kept = indexed_documents(documents.where(~F.col("deleted")))
        chunks = cut_documents(kept, embedder=self.settings.embedder, chunking=self.settings.chunking)
        chunks.write.format("noop").mode("overwrite").save()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--cores", type=int, default=2)
    options = parser.parse_args()
    found = pages()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        landing = root / "landing"
        size = land(landing, found, 0, 200)
        bench = Bench(root, options.cores)
        bench.run()
        bench.parse_cut()  # start-up is paid
        size += land(landing, found, 200, options.files - 200)
        first = bench.run()
        parse_cut = timed(bench.parse_cut)
        nothing = bench.run()
        land(landing, [b"# Changed\n\nAnother text.\n"], 5, 1)
        one = bench.run()
        total = {name: sum(steps.values()) for name, steps in (("first", first), ("nothing", nothing), ("one", one))}
        result = {
            "benchmark": "documents",
            "files": options.files,
            "mb": round(size / 1e6, 1),
            "cores": options.cores,
            "parse_cut_seconds": round(parse_cut, 2),
            "parse_cut_mb_per_second_per_core": round(size / 1e6 / parse_cut / options.cores, 2),
            "first_run": first,
            "nothing_new": nothing,
            "one_changed": one,
            "one_changed_share_of_first": round(total["one"] / total["first"], 4),
            "one_changed_beyond_nothing_new_share": round((total["one"] - total["nothing"]) / total["first"], 4),
        }
        print(json.dumps(result))
        bench.catalog.spark.stop()


if __name__ == "__main__":
    main()
