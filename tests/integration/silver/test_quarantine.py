"""Refused files can be tried again."""

from lakerag.catalog import Catalog
from lakerag.silver.quarantine import release
from lakerag.tables import SILVER_QUARANTINE
from tests.integration.silver.stage import Land, run


def test_released_files_are_parsed_again(catalog: Catalog, land: Land) -> None:
    land({"a.txt": b" ", "b.bin": b"\x00"})
    run(catalog)
    assert release(catalog, "docs", ["binary", "unsupported"]) == 1
    assert [row["path"] for row in catalog.read(SILVER_QUARANTINE).toLocalIterator()] == ["a.txt"]
    assert run(catalog)["quarantined"] == 1
    assert release(catalog, "other") == 0
    assert release(catalog, "docs") == 2
