# Databricks notebook source
# MAGIC %md
# MAGIC # Your own documents
# MAGIC Several formats, rights, a file that cannot be read, and what the embedder makes of it all.
# MAGIC Put your files into the landing folder instead of these.
# MAGIC Locally: `python notebooks/02_your_own_documents.py FOLDER`.

# COMMAND ----------
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from rich.console import Console

from lakerag import config
from lakerag.jobs.ask import show_answer
from lakerag.jobs.job import Job
from lakerag.jobs.pipeline import run_pipeline, show_run, source_of
from lakerag.jobs.query import opened
from lakerag.jobs.sql import run_sql, show_rows
from lakerag.rag.answer import to_document
from lakerag.records import Access, Question
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
# MAGIC ## Formats, rights, and one file that is none
# MAGIC Front matter or a file beside it says who may see a document; one that says nothing is for everybody.

# COMMAND ----------
(landing / "leave.md").write_text(
    "---\nacl_groups: [staff]\n---\n# Leave\n\nEverybody has 30 days of leave a year. Apply to your team lead.\n",
    encoding="utf-8",
)
(landing / "valve.html").write_text(
    "<title>Valve</title><h1>Valve</h1><p>The valve closes when the pressure reaches 5 bar.</p>", encoding="utf-8"
)
(landing / "prices.csv").write_text("part,price\nblue oil,12 euro\nred lamp,40 euro\n", encoding="utf-8")
(landing / "salaries.txt").write_text("The team lead earns 5000 a month.\n", encoding="utf-8")
(landing / "salaries.txt.meta.json").write_text(json.dumps({"acl_groups": ["payroll"]}), encoding="utf-8")
(landing / "manual.pdf").write_bytes(b"%PDF-1.7 the rest was lost on the way")

# COMMAND ----------
show_run(console, run_pipeline(job, source_of(job, str(landing), "docs")))
show_rows(console, run_sql(job, "SELECT path, title, acl_groups, language FROM silver_documents ORDER BY path"))

# COMMAND ----------
# MAGIC %md
# MAGIC ## Quarantine
# MAGIC Nothing is dropped: what is no document stands here with a reason and what to do about it.

# COMMAND ----------
show_rows(console, run_sql(job, "SELECT path, reason, detail, advice FROM silver_quarantine"))

# COMMAND ----------
# MAGIC %md
# MAGIC A good file of the same name takes its place.

# COMMAND ----------
(landing / "manual.pdf").unlink()
(landing / "manual.md").write_text("# Manual\n\nTurn the wheel left to open the gate.\n", encoding="utf-8")
show_run(console, run_pipeline(job.again(), source_of(job, str(landing), "docs")))
console.print(job.catalog.spark.table("silver_quarantine").count(), "files in quarantine")

# COMMAND ----------
# MAGIC %md
# MAGIC ## Rights
# MAGIC The same question, asked by anybody and by somebody of payroll. The store itself leaves out what is hidden.

# COMMAND ----------
salary = "How much does the team lead earn?"
with opened(job) as pipeline:
    for answer in pipeline.answer([Question(salary), Question(salary, access=Access(groups=("payroll",)))]):
        show_answer(console, to_document(answer))

# COMMAND ----------
# MAGIC %md
# MAGIC ## The embedding space
# MAGIC Chunks in the two directions in which they differ most (principal components). What is alike lies close.

# COMMAND ----------
chunks = job.catalog.read(GOLD_CHUNKS).select("path", "embedding").orderBy("chunk_id").limit(2000).collect()
vectors = np.array([chunk["embedding"] for chunk in chunks])
centred = vectors - vectors.mean(axis=0)
places = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
figure, axes = plt.subplots(figsize=(7, 5))
axes.scatter(*places.T)
for chunk, place in zip(chunks[:50], places[:50], strict=True):
    axes.annotate(chunk["path"], place, textcoords="offset points", xytext=(5, 5), fontsize=8)
axes.set(title="Chunks in the embedding space", xlabel="first component", ylabel="second component")
figure.savefig(home / "embedding_space.png")
plt.close(figure)
figure  # noqa: B018 - a figure that ends a cell is shown

# COMMAND ----------
job.closing.close()
