# Databricks notebook source
# MAGIC %md
# MAGIC # Operate
# MAGIC What stands where; an index that something else has damaged, found and repaired; a rebuild and the way back.
# MAGIC Locally: `python notebooks/06_operate.py FOLDER`.

# COMMAND ----------
import os
import sys
import tempfile
from pathlib import Path

from matplotlib import pyplot as plt
from rich.console import Console

from lakerag import config
from lakerag.jobs.job import Job
from lakerag.jobs.pipeline import run_pipeline, show_run, source_of
from lakerag.jobs.rebuild import replace_collection, show_switch
from lakerag.jobs.reconcile import reconcile_index, show_differences
from lakerag.jobs.rollback import go_back
from lakerag.jobs.sql import run_sql, show_rows
from lakerag.jobs.status import look_around, show_status
from lakerag.tables import GOLD_CHUNKS

# COMMAND ----------
env = "dev" if "DATABRICKS_RUNTIME_VERSION" in os.environ else "local"
home = Path(sys.argv[1]) if len(sys.argv) == 2 else Path(tempfile.gettempdir(), "lakerag")
console = Console()
job = Job(config.load(env, home), console)
landing = Path(job.settings.source.path or home / "landing")
landing.mkdir(parents=True, exist_ok=True)

# COMMAND ----------
(landing / "crane.md").write_text("# Crane\n\nThe crane lifts up to 12 tonnes.\n", encoding="utf-8")
show_run(console, run_pipeline(job, source_of(job, str(landing), "docs")))

# COMMAND ----------
# MAGIC %md
# MAGIC ## Status
# MAGIC Tables, the index and how far it is behind, quarantine, the last runs.

# COMMAND ----------
show_status(console, look_around(job))
show_rows(console, run_sql(job, "SELECT * FROM freshness ORDER BY stage"))

# COMMAND ----------
# MAGIC %md
# MAGIC ## Reconcile
# MAGIC A chunk is deleted behind the sync's back. Nothing in gold changed, so no sync would notice: a comparison does.

# COMMAND ----------
lost = job.catalog.read(GOLD_CHUNKS).where("path = 'crane.md'").first()["chunk_id"]
job.store.delete(job.settings.store.alias, [lost])
show_differences(console, reconcile_index(job, repair=False))
show_differences(console, reconcile_index(job, repair=True))
show_differences(console, reconcile_index(job, repair=False))

# COMMAND ----------
# MAGIC %md
# MAGIC ## Rebuild and roll back
# MAGIC A second index is filled beside the one that answers, compared with gold and asked for known items; then the
# MAGIC alias moves, at once. `lakerag rebuild --embedder M` does it for another embedder. The old index stays for the
# MAGIC way back.

# COMMAND ----------
show_switch(console, replace_collection(job.again(), job.active, None, max_drop=0.05))
show_switch(console, go_back(job.again()))
show_differences(console, reconcile_index(job.again(), repair=False))

# COMMAND ----------
# MAGIC %md
# MAGIC ## Where the time goes
# MAGIC Seconds of the stages that changed something, run after run.

# COMMAND ----------
runs = run_sql(job, "SELECT stage, seconds FROM ops_runs ORDER BY started_at, stage")["rows"]
figure, axes = plt.subplots(figsize=(7, 4))
for stage in sorted({row["stage"] for row in runs}):
    places = [number for number, row in enumerate(runs) if row["stage"] == stage]
    axes.bar(places, [runs[place]["seconds"] for place in places], label=stage)
axes.set(title="Stages, one after the other", xlabel="rows of ops_runs", ylabel="seconds")
axes.legend()
figure.savefig(home / "stages.png")
plt.close(figure)
figure  # noqa: B018 - a figure that ends a cell is shown

# COMMAND ----------
job.closing.close()
