# Databricks notebook source
# MAGIC %md
# MAGIC # Answers in SQL
# MAGIC Questions in a table become answers and citations in tables, by the registered model; `ask()` and `search()` are
# MAGIC functions. On Databricks, `lakerag functions` makes `ask()` known to Unity Catalog.
# MAGIC Locally: `python notebooks/05_answers_in_sql.py FOLDER`.

# COMMAND ----------
import os
import sys
import tempfile
from pathlib import Path
from textwrap import fill

from matplotlib import pyplot as plt
from rich.console import Console

from lakerag import config
from lakerag.jobs.answer import answer_questions, show_counts
from lakerag.jobs.job import Job
from lakerag.jobs.package import package_model, show_package
from lakerag.jobs.pipeline import run_pipeline, show_run, source_of
from lakerag.jobs.sql import run_sql, show_rows

# COMMAND ----------
env = "dev" if "DATABRICKS_RUNTIME_VERSION" in os.environ else "local"
home = Path(sys.argv[1]) if len(sys.argv) == 2 else Path(tempfile.gettempdir(), "lakerag")
console = Console()
job = Job(config.load(env, home), console)
landing = Path(job.settings.source.path or home / "landing")
landing.mkdir(parents=True, exist_ok=True)

# COMMAND ----------
# MAGIC %md
# MAGIC ## Documents, and a model that answers from them

# COMMAND ----------
(landing / "ferry.md").write_text(
    "# Ferry\n\nThe ferry leaves the north pier every 20 minutes.\n\n"
    "## Fares\n\nA ticket for the ferry costs 3 euro. Children travel free of charge.\n",
    encoding="utf-8",
)
(landing / "buoy.txt").write_text("The green buoy marks the end of the channel.\n", encoding="utf-8")
show_run(console, run_pipeline(job, source_of(job, str(landing), "docs")))
show_package(console, package_model(job, promotion=True))

# COMMAND ----------
# MAGIC %md
# MAGIC ## A batch of questions
# MAGIC A question is answered once a model version; the second call finds nothing to do.

# COMMAND ----------
questions = home / "questions.txt"
asked = ["How much is a ticket for the ferry?", "What does the green buoy mark?", "Who won the chess tournament?"]
questions.write_text("\n".join(asked), encoding="utf-8")
show_counts(console, answer_questions(job.again(), str(questions)))
show_counts(console, answer_questions(job.again(), str(questions)))

# COMMAND ----------
show_rows(console, run_sql(job, "SELECT question, answer, confidence FROM answers_current ORDER BY question"))
show_rows(console, run_sql(job, "SELECT question, reason FROM answers_unanswered"))

# COMMAND ----------
# MAGIC %md
# MAGIC ## Citations
# MAGIC Every answer names the document, the headings and the words it stands on.

# COMMAND ----------
cited = run_sql(job, "SELECT question, path, excerpt, score FROM answers_by_document ORDER BY question, n")["rows"]
cells = [
    [fill(row["question"], 30), row["path"], fill(row["excerpt"], 60), f"{row['score']:.2f}"] for row in cited[:20]
]
figure, axes = plt.subplots(figsize=(11, 1 + 0.6 * len(cells)))
axes.axis("off")
table = axes.table(
    cells, colLabels=["question", "document", "excerpt", "score"], colWidths=[0.27, 0.12, 0.53, 0.08], loc="center"
)
table.scale(1, 2.4)
for (_, column), cell in table.get_celld().items():
    cell.set_text_props(ha="right" if column == 3 else "left")
figure.savefig(home / "citations.png")
plt.close(figure)
figure  # noqa: B018 - a figure that ends a cell is shown

# COMMAND ----------
# MAGIC %md
# MAGIC ## Functions
# MAGIC Under the rights of the session: what it may not see is neither found nor cited.

# COMMAND ----------
show_rows(console, run_sql(job, "SELECT ask('From which pier does the ferry leave?').answer AS answer"))
show_rows(console, run_sql(job, "SELECT p.path, p.score FROM (SELECT explode(search('fares of the ferry', 2)) AS p)"))

# COMMAND ----------
# MAGIC %md
# MAGIC ## A document goes
# MAGIC So do the answers that cite it.

# COMMAND ----------
(landing / "buoy.txt").unlink()
gone = run_pipeline(job.again(), source_of(job, str(landing), "docs"))
console.print(gone["answers"]["revoked"], "answer revoked")
show_rows(console, run_sql(job, "SELECT question, reason FROM answers_unanswered ORDER BY question"))

# COMMAND ----------
job.closing.close()
