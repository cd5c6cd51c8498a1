"""Markdown through Spark: speed of parsing, cleaning and cutting, and what one changed file of many costs.

    LAKERAG_CORPORA=DIR python benchmarks/documents.py [--files 10000] [--cores 2] [--deletion-vectors]

Every file is made of sections that are drawn from the pages of `milvus-docs` of the evaluation corpora. Runs over 200
files pay for start-up (Spark, imports, the tokenizer in every worker); `fixed` is one of them with one file changed.
Measured then: the first run of bronze, silver, duplicates and gold; `parse_cut`, silver text and chunks of all files
from bronze without writing; a run with nothing new, and one with one file changed. Vectors are numbers made of the
text's hash: embedding is measured elsewhere. `cpu` is what driver, JVM and workers used of the processors (from /proc):
a busy machine changes it less than the seconds. Prints one JSON line.
"""

import argparse
import json
import os
import random
import re
import tarfile
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakerag import config
from lakerag.bronze.ingest import ingest
from lakerag.catalog import Catalog
from lakerag.gold import build as gold
from lakerag.gold.chunks import cut_documents, indexed_documents
from lakerag.session import open_session
from lakerag.silver.documents import Recipe
from lakerag.silver.duplicates import deduplicate
from lakerag.silver.ledger import live_versions
from lakerag.silver.refine import parse_files, refine, to_documents
from lakerag.silver.sidecars import without_sidecars
from lakerag.tables import BRONZE_FILES

SECTIONS_A_FILE = 3


def sections() -> list[bytes]:
    archive = Path(os.environ["LAKERAG_CORPORA"]) / "milvus-docs" / "v000.tar.gz"
    with tarfile.open(archive) as opened:
        pages = [opened.extractfile(m).read() for m in opened if m.isfile() and m.name.endswith(".md")]  # type: ignore[union-attr]
    return [section for page in pages for section in re.split(rb"(?m)^(?=## )", page)]


def land(folder: Path, found: list[bytes], first: int, count: int) -> int:
    """Writes files and returns their bytes."""
    size = 0
    for n in range(first, first + count):
        drawn = random.Random(n).sample(found, min(SECTIONS_A_FILE, len(found)))
        content = b"".join(drawn) + f"\n\nPage {n} of the set.\n".encode()
        path = folder / f"{n % 97:02}" / f"{n}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        size += len(content)
    return size


def stand_in(texts: DataFrame, *, space: str, now: datetime, **_: Any) -> DataFrame:
    """Vectors for no time, as long as the embedder's."""
    number = F.transform(F.sequence(F.lit(1), F.lit(384)), lambda n: F.xxhash64("text_hash", n) % 1000 / 1000.0)
    return texts.select("text_hash", number.cast("array<float>").alias("embedding")).withColumns(
        {"embedding_space": F.lit(space), "embedded_at": F.lit(now)}
    )


def cpu_seconds() -> float:
    """Processor time of this process and of all below it, ended ones too."""
    times, below = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(stat.parent.name)
        below.setdefault(int(fields[1]), []).append(pid)
        times[pid] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    found, waiting = 0.0, [os.getpid()]
    while waiting:
        pid = waiting.pop()
        found += times.get(pid, 0.0)
        waiting += below.get(pid, [])
    return found


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Returns seconds, and processor seconds."""
    began, used = time.monotonic(), cpu_seconds()
    work()
    return time.monotonic() - began, cpu_seconds() - used


def share(fixed: float, first: float, one: float) -> float:
    return round((one - fixed) / (first - fixed), 4)


class Bench:
    def __init__(self, root: Path, cores: int, deletion_vectors: bool) -> None:
        settings = config.load("local", home=root)
        spark = settings.spark.model_copy(update={"master": f"local[{cores}]"})
        self.settings = settings
        lakehouse = settings.lakehouse.model_copy(update={"deletion_vectors": deletion_vectors})
        self.catalog = Catalog(open_session(spark), lakehouse)
        self.catalog.ensure()
        self.source = config.Source(name="docs", path=str(root / "landing"))
        self.runs = 0

    def run(self) -> dict[str, float]:
        """Bronze, silver, duplicates and gold; seconds by step, and processor seconds of all."""
        now = datetime.now(timezone.utc)
        self.runs += 1
        steps = {
            "bronze": lambda: ingest(self.catalog, self.source, run_id=f"run-{self.runs}", now=now),
            "silver": lambda: refine(self.catalog, self.source, now=now),
            "duplicates": lambda: deduplicate(self.catalog, self.settings.duplicates, [], now=now),
            "gold": lambda: gold.build(self.catalog, self.settings.embedder, self.settings.chunking, now=now),
        }
        taken = {name: timed(step) for name, step in steps.items()}
        seconds = {name: round(wall, 2) for name, (wall, _) in taken.items()}
        return {**seconds, "cpu": round(sum(cpu for _, cpu in taken.values()), 1)}

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
    parser.add_argument("--deletion-vectors", action="store_true", help="as everywhere but in the local environment")
    options = parser.parse_args()
    gold.embed_texts = stand_in  # type: ignore[assignment]
    found = sections()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        landing = root / "landing"
        size = land(landing, found, 0, 200)
        bench = Bench(root, options.cores, options.deletion_vectors)
        bench.run()
        bench.parse_cut()
        land(landing, [b"# Changed\n\nA text.\n"], 5, 1)
        bench.run()
        land(landing, [b"# Changed\n\nSome text.\n"], 5, 1)
        fixed = bench.run()
        size += land(landing, found, 200, options.files - 200)
        first = bench.run()
        parse_cut, parse_cut_cpu = timed(bench.parse_cut)
        nothing = bench.run()
        land(landing, [b"# Changed\n\nAnother text.\n"], 5, 1)
        one = bench.run()
        runs = {"fixed": fixed, "first": first, "one": one}
        seconds = {name: sum(steps.values()) - steps["cpu"] for name, steps in runs.items()}
        result = {
            "benchmark": "documents",
            "files": options.files,
            "mb": round(size / 1e6, 1),
            "cores": options.cores,
            "deletion_vectors": options.deletion_vectors,
            "parse_cut_seconds": round(parse_cut, 2),
            "parse_cut_mb_per_second_per_core": round(size / 1e6 / parse_cut / options.cores, 2),
            "parse_cut_mb_per_cpu_second": round(size / 1e6 / parse_cut_cpu, 2),
            "fixed": fixed,
            "first_run": first,
            "nothing_new": nothing,
            "one_changed": one,
            "one_changed_share_of_first": round(seconds["one"] / seconds["first"], 4),
            "beyond_fixed_share": share(seconds["fixed"], seconds["first"], seconds["one"]),
            "beyond_fixed_share_of_cpu": share(fixed["cpu"], first["cpu"], one["cpu"]),
        }
        print(json.dumps(result))
        bench.catalog.spark.stop()


if __name__ == "__main__":
    main()
