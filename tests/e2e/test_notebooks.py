"""The notebooks one after the other on one lakehouse, in this process's session as on a cluster."""

import runpy
import shutil
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

from lakerag import config
from lakerag.catalog import Catalog
from lakerag.tables import ALL_TABLES, GOLD_STAGED

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

SAID = {
    "01_quick_start": ("2 files added", "The pump is oiled every 30 days", "No answer:"),
    "02_your_own_documents": ("corrupt", "0 files in quarantine", "No answer:", "The team lead earns 5000 a month."),
    "03_incremental_sync_and_time_travel": (
        "The index is 2 versions and 4 chunks behind.",
        "1 upserted, 3 deleted",
        "The gate opens at 6 o'clock.",
        "The gate opens at 8 o'clock.",
    ),
    "04_evaluate_and_promote": ("now @champion", "alarm: retrieval vector.recall@1 fell to 0.500", "Not promoted:"),
    "05_answers_in_sql": ("3 questions added; 3 answered", "3 euro", "north pier", "1 answer revoked"),
    "06_operate": ("1 missing, 0 stale", "1 repaired", "`lakerag rollback` goes back"),
}
PICTURES = {
    "02_your_own_documents": "embedding_space.png",
    "03_incremental_sync_and_time_travel": "lag.png",
    "04_evaluate_and_promote": "quality.png",
    "05_answers_in_sql": "citations.png",
    "06_operate": "stages.png",
}


@pytest.fixture(scope="module")
def home(spark, empty_warehouse, tmp_path_factory):
    """The one lakehouse."""
    folder = tmp_path_factory.mktemp("notebooks")
    shutil.copytree(empty_warehouse, folder / "warehouse")
    yield folder
    place = Catalog(spark, config.Lakehouse(root=str(folder / "warehouse")))
    for table in (*ALL_TABLES, GOLD_STAGED):
        spark.sql(f"DROP TABLE IF EXISTS {place.ref(table)}")


def test_every_notebook_is_run():
    assert [path.stem for path in sorted(NOTEBOOKS.glob("*.py"))] == list(SAID)


@pytest.mark.long
@pytest.mark.parametrize("name", SAID)
def test_a_notebook_runs_after_those_before_it(name, home, monkeypatch, capsys):
    monkeypatch.setenv("LAKERAG_SPARK__MODE", "ambient")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", [name, str(home)])
    mpl.use("Agg")
    runpy.run_path(str(NOTEBOOKS / f"{name}.py"))
    said = capsys.readouterr().out
    for words in SAID[name]:
        assert words in said, said
    assert name not in PICTURES or (home / PICTURES[name]).stat().st_size > 5000
