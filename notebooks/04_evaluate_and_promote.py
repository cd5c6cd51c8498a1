# Databricks notebook source
# MAGIC %md
# MAGIC # Evaluate and promote
# MAGIC Questions whose answers you know tell whether the index finds them, today and next week.
# MAGIC A model becomes the champion when it passes its gates on them.
# MAGIC Locally: `python notebooks/04_evaluate_and_promote.py FOLDER`.

# COMMAND ----------
import json
import os
import sys
import tempfile
from pathlib import Path

from matplotlib import pyplot as plt
from rich.console import Console

from lakerag import config
from lakerag.errors import GateMissedError
from lakerag.jobs.evaluate import configured, evaluate_index, show_metrics
from lakerag.jobs.job import Job
from lakerag.jobs.package import package_model, show_package
from lakerag.jobs.pipeline import run_pipeline, show_run, source_of
from lakerag.jobs.sql import run_sql, show_rows
from lakerag.records import Access, Question

# COMMAND ----------
env = "dev" if "DATABRICKS_RUNTIME_VERSION" in os.environ else "local"
home = Path(sys.argv[1]) if len(sys.argv) == 2 else Path(tempfile.gettempdir(), "lakerag")
console = Console()
known = home / "known.jsonl"
sets = [f"evaluation.retrieval=[{known}]", "evaluation.gates={retrieval.vector.recall@1: 0.9}"]
job = Job(config.load(env, home, sets), console)
landing = Path(job.settings.source.path or home / "landing")
landing.mkdir(parents=True, exist_ok=True)

# COMMAND ----------
# MAGIC %md
# MAGIC ## Questions with known answers
# MAGIC A query and the documents that answer it, one JSON object a line. Take some dozen of your own.

# COMMAND ----------
anchor = "# Anchor\n\nThe anchor weighs 400 kg and hangs on a chain of 90 m.\n"
(landing / "anchor.md").write_text(anchor, encoding="utf-8")
(landing / "galley.md").write_text("# Galley\n\nThe cook serves soup at noon, and fish on Fridays.\n", encoding="utf-8")
cases = [
    {"query": "How heavy is the anchor?", "relevant": ["anchor.md"]},
    {"query": "When is soup served?", "relevant": ["galley.md"]},
]
known.write_text("\n".join(map(json.dumps, cases)), encoding="utf-8")
show_run(console, run_pipeline(job, source_of(job, str(landing), "docs")))

# COMMAND ----------
# MAGIC %md
# MAGIC ## Measure, record, compare
# MAGIC In all three modes side by side. What is recorded stands in `retrieval_quality` and in MLflow.

# COMMAND ----------
asker = Question("", Access(), job.settings.retrieval.top_k, job.settings.retrieval.mode)
show_metrics(console, evaluate_index(job.again(), configured(job), asker, record=True))

# COMMAND ----------
# MAGIC %md
# MAGIC ## Promote
# MAGIC The model is registered, loaded back and asked; `@champion` moves when every gate is passed.

# COMMAND ----------
show_package(console, package_model(job, promotion=True))

# COMMAND ----------
# MAGIC %md
# MAGIC ## A document is overwritten by mistake
# MAGIC The next recorded evaluation falls, says so, and no model is promoted on it.

# COMMAND ----------
(landing / "anchor.md").write_text("# Crew\n\nAll leave is cancelled until further notice.\n", encoding="utf-8")
show_run(console, run_pipeline(job.again(), source_of(job, str(landing), "docs")))
show_metrics(console, evaluate_index(job.again(), configured(job), asker, record=True))
try:
    package_model(job, promotion=True)
except GateMissedError as missed:
    console.print(f"Not promoted: {missed}", soft_wrap=True)

# COMMAND ----------
# MAGIC %md
# MAGIC ## Quality over time

# COMMAND ----------
found = run_sql(job, "SELECT * FROM retrieval_quality WHERE metric LIKE '%.recall@1' ORDER BY measured_at")["rows"]
figure, axes = plt.subplots(figsize=(7, 4))
for metric in sorted({row["metric"] for row in found}):
    measured = [row for row in found if row["metric"] == metric and row["value"] is not None]
    axes.plot([row["measured_at"] for row in measured], [row["value"] for row in measured], "o-", label=metric)
alarms = [row for row in found if row["alarm"]]
axes.plot([row["measured_at"] for row in alarms], [row["value"] or 0 for row in alarms], "rx", ms=12, label="alarm")
axes.set(title="Known answers found at the first place", ylim=(-0.05, 1.05))
axes.legend()
figure.autofmt_xdate()
figure.savefig(home / "quality.png")
plt.close(figure)
figure  # noqa: B018 - a figure that ends a cell is shown

# COMMAND ----------
show_rows(console, run_sql(job, "SELECT measured_at, metric, value, reference FROM retrieval_quality WHERE alarm"))

# COMMAND ----------
# MAGIC %md
# MAGIC The document is put back; the next run brings it into the index, and the next evaluation up again.

# COMMAND ----------
(landing / "anchor.md").write_text(anchor, encoding="utf-8")
job.closing.close()
