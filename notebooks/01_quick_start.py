# Databricks notebook source
# MAGIC %md
# MAGIC # Quick start
# MAGIC A folder of documents becomes tables, an index and cited answers. Run it again: nothing is done twice.
# MAGIC Locally: `python notebooks/01_quick_start.py FOLDER`. On Databricks: with the wheel installed, by conf/dev.yml.

# COMMAND ----------
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from lakerag import config
from lakerag.jobs.ask import show_answer
from lakerag.jobs.job import Job
from lakerag.jobs.pipeline import run_pipeline, show_run, source_of
from lakerag.jobs.query import opened
from lakerag.rag.answer import to_document
from lakerag.records import Question

# COMMAND ----------
env = "dev" if "DATABRICKS_RUNTIME_VERSION" in os.environ else "local"
home = Path(sys.argv[1]) if len(sys.argv) == 2 else Path(tempfile.gettempdir(), "lakerag")
console = Console()
job = Job(config.load(env, home), console)
landing = Path(job.settings.source.path or home / "landing")
landing.mkdir(parents=True, exist_ok=True)

# COMMAND ----------
# MAGIC %md
# MAGIC ## A folder
# MAGIC Yours, or two small documents.

# COMMAND ----------
(landing / "pump.md").write_text("# Pump\n\nThe pump is oiled every 30 days, with blue oil.\n", encoding="utf-8")
(landing / "lamp.txt").write_text("The lamp burns red while the gate stands open.\n", encoding="utf-8")

# COMMAND ----------
# MAGIC %md
# MAGIC ## Bronze, silver, gold, index

# COMMAND ----------
show_run(console, run_pipeline(job, source_of(job, str(landing), "docs")))
job.catalog.spark.sql("SELECT path, heading_path, text FROM gold_chunks ORDER BY path").show(truncate=False)

# COMMAND ----------
# MAGIC %md
# MAGIC ## Answers

# COMMAND ----------
with opened(job) as pipeline:
    for answer in pipeline.answer([Question("How often is the pump oiled?"), Question("Who is the president?")]):
        show_answer(console, to_document(answer))

# COMMAND ----------
job.closing.close()
