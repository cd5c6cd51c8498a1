"""One of several documents that say the same stands for the others, whatever came first."""

from lakerag.catalog import Catalog
from lakerag.config import Duplicates
from lakerag.silver.duplicates import deduplicate, forget_texts
from lakerag.tables import SILVER_DOCUMENTS, SILVER_SIGNATURES, SILVER_SIMILAR
from tests.integration.silver.stage import NOW, Land, run

TABLES = (SILVER_DOCUMENTS, SILVER_SIGNATURES, SILVER_SIMILAR)


def text(start: int, changed: int = 0) -> bytes:
    """Two hundred words, the last ones changed."""
    return " ".join([f"w{start + n}" for n in range(200 - changed)] + [f"x{n}" for n in range(changed)]).encode()


def settle(catalog: Catalog) -> dict[str, int]:
    run(catalog)
    return deduplicate(catalog, Duplicates(), ["year"], now=NOW)


def groups(catalog: Catalog) -> dict[str, tuple[str, list[str] | None] | None]:
    """Path of the representative of every document, and the alternates that it names."""
    rows = catalog.read(SILVER_DOCUMENTS).select("doc_id", "path", "duplicate_group", "alternates").toPandas()
    paths = dict(zip(rows["doc_id"], rows["path"], strict=True))
    return {
        row.path: row.duplicate_group
        and (paths[row.duplicate_group], None if row.alternates is None else list(row.alternates))
        for row in rows.itertuples()
    }


def rebuilt(catalog: Catalog) -> object:
    """What a deduplication of the same documents from scratch says."""
    for table in (SILVER_SIGNATURES, SILVER_SIMILAR):
        catalog.spark.sql(f"DELETE FROM {catalog.ref(table)}")
    catalog.spark.sql(f"UPDATE {catalog.ref(SILVER_DOCUMENTS)} SET duplicate_group = NULL, alternates = NULL")
    deduplicate(catalog, Duplicates(), ["year"], now=NOW)
    return groups(catalog)


def test_representatives_follow_additions_edits_and_deletions(catalog: Catalog, land: Land) -> None:
    land(
        {
            "b.txt": text(0),
            "copy.txt": text(0) + b"\r\n",
            "other.txt": text(1000),
            "short.txt": b"Same words.",
            "short2.txt": b"Same words.",
            "secret.md": b"---\nacl_groups: [hr]\n---\n" + text(0),
            "new.md": b"---\nyear: 2024\n---\n" + text(0),
        }
    )
    assert settle(catalog) == {"duplicates": 2, "regrouped": 4}
    assert groups(catalog) == {
        "b.txt": ("b.txt", ["copy.txt"]),
        "copy.txt": ("b.txt", None),
        "other.txt": None,
        "short.txt": ("short.txt", ["short2.txt"]),
        "short2.txt": ("short.txt", None),
        "secret.md": None,
        "new.md": None,
    }
    versions = [catalog.version(table) for table in TABLES]
    assert settle(catalog) == {"duplicates": 2, "regrouped": 0}
    assert [catalog.version(table) for table in TABLES] == versions

    land({"near.txt": text(0, changed=10), "short2.txt": b"Other words.", "b.txt": None})
    settle(catalog)
    found = groups(catalog)
    [(representative, alternates)] = [group for group in found.values() if group and group[1]]
    assert {representative, *(alternates or [])} == {"copy.txt", "near.txt"}
    assert (found["short.txt"], found["short2.txt"], found["secret.md"]) == (None, None, None)
    [similar] = catalog.read(SILVER_SIMILAR).toLocalIterator()
    assert 0.8 < similar["jaccard"] < 1

    land({representative: None})
    settle(catalog)
    left = groups(catalog)
    assert set(left.values()) == {None}
    assert rebuilt(catalog) == left
    land({"again.txt": text(0, changed=10), "far.txt": text(0, changed=100)})
    settle(catalog)
    found = groups(catalog)
    assert sorted(path for path, group in found.items() if group) == sorted(
        {"again.txt", *(left.keys() & {"copy.txt", "near.txt"})}
    )
    assert rebuilt(catalog) == found

    deduplicate(catalog, Duplicates(min_words=300), ["year"], now=NOW)  # too short to be compared, all of them
    assert set(groups(catalog).values()) == {None}
    deduplicate(catalog, Duplicates(), ["year"], now=NOW)
    assert groups(catalog) == found

    land({"far.txt": None})
    settle(catalog)
    signed = catalog.read(SILVER_SIGNATURES).count()
    live = catalog.read(SILVER_DOCUMENTS).select("content_hash").distinct()
    forget_texts(catalog, Duplicates())
    assert catalog.read(SILVER_SIGNATURES).count() == live.count() == signed - 1
    assert catalog.read(SILVER_SIMILAR).join(live, "content_hash", "left_anti").isEmpty()
    assert rebuilt(catalog) == groups(catalog)
