"""Refused files can be tried again."""

from datetime import timedelta
from pathlib import Path

import pytest

from lakerag.bronze.ingest import ingest
from lakerag.catalog import Catalog
from lakerag.config import Source
from lakerag.errors import ConfigError
from lakerag.silver.documents import Recipe
from lakerag.silver.quarantine import count_by_reason, release
from lakerag.tables import SILVER_DOCUMENTS, SILVER_QUARANTINE
from tests.integration.silver.stage import NOW, Land, run

DOCS = Recipe("docs")


def test_released_files_are_parsed_again(catalog: Catalog, land: Land) -> None:
    land({"a.txt": b" ", "b.bin": b"\x00"})
    run(catalog)
    assert release(catalog, DOCS, ["binary", "unsupported"]) == 1
    assert [row["path"] for row in catalog.read(SILVER_QUARANTINE).toLocalIterator()] == ["a.txt"]
    assert run(catalog)["quarantined"] == 1
    assert release(catalog, Recipe("other")) == 0
    assert release(catalog, DOCS) == 2


@pytest.mark.parametrize("landed", [{"a.md": b"Text"}, {"b.bin": b"\x00"}])
def test_nothing_is_tried_again_under_other_rules_of_privacy(catalog: Catalog, land: Land, landed) -> None:
    hidden = Source(name="docs", path="/landing", protected=True)
    land(landed)
    run(catalog, hidden)
    with pytest.raises(ConfigError, match=r"source.protected.*nothing was released"):
        release(catalog, DOCS)
    slower = hidden.model_copy(update={"parse_seconds": 99.0})
    assert release(catalog, Recipe.of(slower)) == len({"b.bin"} & set(landed))


def test_a_file_that_was_too_large_is_read_once_the_limit_is_raised(catalog: Catalog, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    landing.mkdir()
    for name, words in {"long": 100, "longer": 200}.items():
        (landing / f"{name}.txt").write_text("word " * words)
    runs = iter(range(9))

    def run_with(limit: int) -> tuple[int, int, dict[str, int]]:
        n = next(runs)
        source = Source(name="docs", path=str(landing), max_file_bytes=limit)
        counts = ingest(catalog, source, run_id=f"run-{n}", now=NOW + timedelta(minutes=n))
        run(catalog, source)
        return counts["modified"], catalog.read(SILVER_DOCUMENTS).count(), count_by_reason(catalog, "docs", ())

    assert run_with(100) == (0, 0, {"too_large": 2})
    assert run_with(100) == (0, 0, {"too_large": 2})
    assert run_with(600) == (1, 1, {"too_large": 1})
    assert run_with(600) == (0, 1, {"too_large": 1})
    assert run_with(100) == (0, 1, {"too_large": 1})
