"""Facts about documents that stand in files beside them.

`name.ext.meta.json` speaks of one document, `_meta.yml` of all documents of its folder
and below. The nearer one wins, the document itself wins over all. These files are no
documents; a change of one parses the documents anew that it speaks of.
"""

from collections.abc import Iterable
from typing import Any

import yaml
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf

from lakerag.silver.front_matter import load_facts
from lakerag.silver.rights import GROUPS

FILE_SUFFIX = ".meta.json"
FOLDER_NAME = "_meta.yml"


_SIDECARS = (
    "array<struct<place:int, sidecar_path:string, sidecar_arrival:string, sidecar_arrived_at:timestamp, "
    "sidecar_sha256:string>>"
)


def sidecars_in(files: DataFrame) -> DataFrame:
    """Returns the files that are sidecars."""
    return files.where(_is_sidecar(sf.col("path")))


def without_sidecars(live: DataFrame, recipe: str) -> DataFrame:
    """Returns what `attach_sidecars` gives where no sidecar stands, for less."""
    return live.withColumns({"recipe": sf.lit(recipe), "sidecars": sf.lit(None).cast(_SIDECARS)})


def attach_sidecars(live: DataFrame, recipe: str) -> DataFrame:
    """Returns live documents with what stands beside them; grain and key: path.

    Args:
        live: Live files with `path`, `content_sha256`, `arrival`, `arrived_at`.
        recipe: Version of parsing and cleaning.

    Returns:
        The documents with `recipe` (which tells their sidecars apart) and `sidecars`:
        null, or (place, sidecar_path, sidecar_arrival, sidecar_arrived_at, sidecar_sha256),
        outermost first.
    """
    documents = live.where(~_is_sidecar(sf.col("path")))
    beside = sidecars_in(live).select(
        sf.col("path").alias("sidecar_path"),
        sf.col("arrival").alias("sidecar_arrival"),
        sf.col("arrived_at").alias("sidecar_arrived_at"),
        sf.col("content_sha256").alias("sidecar_sha256"),
    )
    places = documents.select("path", sf.posexplode(_candidates(sf.col("path"))).alias("place", "sidecar_path"))
    found = sf.array_sort(sf.collect_list(sf.struct("place", *beside.columns)))
    applying = places.join(beside, "sidecar_path").groupBy("path").agg(found.alias("sidecars"))
    hashes = sf.concat_ws(" ", sf.transform("sidecars", lambda sidecar: sidecar["sidecar_sha256"]))
    marked = sf.concat(sf.lit(f"{recipe}+"), sf.substring(sf.sha2(hashes, 256), 1, 8))
    return documents.join(applying, "path", "left").withColumn(
        "recipe", sf.when(sf.col("sidecars").isNull(), sf.lit(recipe)).otherwise(marked)
    )


def sidecar_contents(pending: DataFrame, raw: DataFrame) -> DataFrame:
    """Returns the bytes of the sidecars of pending documents; grain and key: path.

    Args:
        pending: Documents with `path` and `sidecars`.
        raw: Bronze files of the source.
    """
    each = pending.select("path", sf.inline("sidecars"))
    bytes_of = raw.select(
        sf.col("path").alias("sidecar_path"),
        sf.col("arrival").alias("sidecar_arrival"),
        sf.col("arrived_at").alias("sidecar_arrived_at"),
        sf.col("content"),
    )
    placed = each.join(bytes_of, ["sidecar_path", "sidecar_arrival", "sidecar_arrived_at"])
    in_order = sf.array_sort(sf.collect_list(sf.struct("place", "content")))
    return placed.groupBy("path").agg(sf.transform(in_order, lambda sidecar: sidecar["content"]).alias("sidecars"))


def merged_facts(sidecars: Iterable[bytes | None]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Returns the facts of the sidecars of one document, and flags.

    A sidecar that cannot be read might have restricted the document: nobody sees it,
    unless something nearer declares its groups.

    Args:
        sidecars: Their bytes, outermost first; none where unread or over the size limit.
    """
    facts: dict[str, Any] = {}
    flags: tuple[str, ...] = ()
    for content in sidecars:
        try:
            facts |= _facts(content)
        except (yaml.YAMLError, ValueError):
            facts[GROUPS] = []
            flags = ("bad_sidecar",)
    return facts, flags


def _facts(content: bytes | None) -> dict[str, Any]:
    if content is None:
        raise ValueError("unread")
    facts = load_facts(content.decode("utf-8-sig"))
    if not isinstance(facts, dict):
        raise ValueError("no mapping")
    return {str(key): value for key, value in facts.items()}


def _is_sidecar(path: Column) -> Column:
    return path.endswith(FILE_SUFFIX) | (sf.substring_index(path, "/", -1) == FOLDER_NAME)


def _candidates(path: Column) -> Column:
    """Returns where sidecars of a path may stand, outermost first."""
    parts = sf.split(path, "/", -1)
    depths = sf.sequence(sf.lit(0), sf.size(parts) - 1)
    folders = sf.transform(depths, lambda depth: sf.concat_ws("/", sf.slice(parts, 1, depth), sf.lit(FOLDER_NAME)))
    return sf.array_append(folders, sf.concat(path, sf.lit(FILE_SUFFIX)))
