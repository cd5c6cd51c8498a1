# Databricks notebook source
# MAGIC %md
# MAGIC # Incremental sync and time travel
# MAGIC What changed is worked on and nothing else; every version of a table can be read again.
# MAGIC Locally: `python notebooks/03_incremental_sync_and_time_travel.py FOLDER`.

# COMMAND ----------
import os
import sys
import tempfile
from pathlib import Path

from matplotlib import pyplot as plt
from rich.console import Console

from lakerag import config
from lakerag.jobs.job import Job
from lakerag.jobs.pipeline import bring_in_step, run_pipeline, show_run, source_of
from lakerag.jobs.sql import run_sql, show_rows
from lakerag.jobs.status import look_around
from lakerag.tables import GOLD_CHUNKS

# COMMAND ----------
env = "dev" if "DATABRICKS_RUNTIME_VERSION" in os.environ else "local"
home = Path(sys.argv[1]) if len(sys.argv) == 2 else Path(tempfile.gettempdir(), "lakerag")
console = Console()
job = Job(config.load(env, home), console)
landing = Path(job.settings.source.path or home / "landing")
landing.mkdir(parents=True, exist_ok=True)

# COMMAND ----------
# MAGIC %md
# MAGIC ## Two documents, then nothing new
# MAGIC The second run reads, embeds and writes nothing: no table gets a new version.

# COMMAND ----------
gate = "# Gate\n\nThe gate opens at {hour} o'clock.\n\n## Keys\n\nThe porter keeps the keys of the gate.\n"
(landing / "gate.md").write_text(gate.format(hour=6), encoding="utf-8")
(landing / "horn.md").write_text("# Horn\n\nThe horn sounds twice when a ship leaves.\n", encoding="utf-8")
show_run(console, run_pipeline(job, source_of(job, str(landing), "docs")))
show_run(console, run_pipeline(job.again(), source_of(job, str(landing), "docs")))
before = job.catalog.version(GOLD_CHUNKS)

# COMMAND ----------
# MAGIC %md
# MAGIC ## Changes up to gold
# MAGIC An edit touches one of the two chunks of its document. A document that goes takes its chunks along.
# MAGIC The index is not touched yet: it lags behind.

# COMMAND ----------
(landing / "horn.md").unlink()
for hour in (7, 8):
    (landing / "gate.md").write_text(gate.format(hour=hour), encoding="utf-8")
    show_run(console, run_pipeline(job.again(), source_of(job, str(landing), "docs"), "gold"))
behind = look_around(job)["lag"]
console.print(f"The index is {behind['versions']} versions and {behind['rows']} chunks behind.")

# COMMAND ----------
# MAGIC %md
# MAGIC ## The change feed
# MAGIC What the sync reads: every version's inserts, updates and deletes. Of each chunk only the last state is written.

# COMMAND ----------
changes = job.catalog.changes(GOLD_CHUNKS, before + 1).orderBy("_commit_version", "path", "_change_type")
changes.select("_commit_version", "_change_type", "path", "heading_path", "text").show(truncate=50)

# COMMAND ----------
synced = bring_in_step(job.again())
console.print(f"{synced['upserted']} upserted, {synced['deleted']} deleted, up to version {synced['to_version']}")
assert look_around(job)["lag"]["rows"] == 0

# COMMAND ----------
# MAGIC %md
# MAGIC ## Time travel
# MAGIC The chunks as they were, and as they are.

# COMMAND ----------
for version in (before, job.catalog.version(GOLD_CHUNKS)):
    console.print(f"version {version}")
    then = job.catalog.read(GOLD_CHUNKS, version).where("path IN ('gate.md', 'horn.md')")
    then.select("path", "heading_path", "text").orderBy("path", "start_char").show(truncate=60)

# COMMAND ----------
# MAGIC %md
# MAGIC ## Lag
# MAGIC Versions of gold as they were committed, and as the index had them. What lies between the lines is the lag.

# COMMAND ----------
history = job.catalog.spark.sql(f"DESCRIBE HISTORY {job.catalog.ref(GOLD_CHUNKS)}").orderBy("version").collect()
applied = run_sql(job, "SELECT applied_at, to_version FROM ops_sync ORDER BY applied_at, to_version")["rows"]
figure, axes = plt.subplots(figsize=(7, 4))
axes.step([row["timestamp"] for row in history], [row["version"] for row in history], where="post", label="gold")
axes.step([row["applied_at"] for row in applied], [row["to_version"] for row in applied], where="post", label="index")
axes.set(title="The index follows gold", ylabel="version of gold_chunks")
axes.legend()
figure.autofmt_xdate()
figure.savefig(home / "lag.png")
plt.close(figure)
figure  # noqa: B018 - a figure that ends a cell is shown

# COMMAND ----------
# MAGIC %md
# MAGIC Who did what, and when: every stage of every run that changed something.

# COMMAND ----------
show_rows(console, run_sql(job, "SELECT stage, started_at, seconds, version FROM ops_runs ORDER BY started_at"))

# COMMAND ----------
job.closing.close()
