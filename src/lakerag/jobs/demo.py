"""`lakerag demo`: the whole main job on documents that every machine with lakerag has."""

import shutil
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from lakerag.jobs.answer import answer_questions
from lakerag.jobs.ask import show_answer
from lakerag.jobs.job import Job, Result, command
from lakerag.jobs.package import package_model
from lakerag.jobs.pipeline import run_pipeline, source_of
from lakerag.jobs.query import opened
from lakerag.jobs.sql import run_sql, show_rows

DOCUMENTS = 320

SQL = (
    "SELECT question, round(confidence, 2) AS confidence, abstained FROM answers_current ORDER BY question",
    "SELECT path, count(*) AS citations FROM answers_by_document GROUP BY path ORDER BY citations DESC, path LIMIT 5",
    "SELECT p.path, round(p.score, 3) AS score FROM (SELECT explode(search('merge two tables', 3)) AS p)",
)


def _show(console: Console, result: Result) -> None:
    runs = Table("run", "files", "embedded", "reused", "index", "seconds")
    for name, run in result["runs"].items():
        files, chunks, sync = run["files"], run["chunks"], run["sync"]
        changed = f"+{files['added']} ~{files['modified']} -{files['deleted']}"
        index = f"+{sync['upserted']} -{sync['deleted']}"
        runs.add_row(
            name, changed, str(chunks["embedded"]), str(chunks["reused"]), index, f"{run['seconds']['total']:.1f}"
        )
    console.print(Rule("What the runs did"), runs)
    console.print(Rule("Answers"))
    for answer in result["answers"]:
        console.print(Text(f"\n{answer['question']}", "bold cyan"))
        show_answer(console, answer)
    console.print(Rule(f"SQL over the answers of {result['batch']['model_version']}"))
    for statement, rows in result["sql"].items():
        console.print(Text(f"\n{statement}", "bold cyan"))
        show_rows(console, rows)
    console.print(
        Text(
            f'\nDone in {result["seconds"]:.0f} s. Now your own: lakerag run --source DIR, then lakerag ask "...". '
            f"The generator is {result['answers'][0]['generator']}: it quotes; README says how to use a T5 instead."
        )
    )


@command("demo", _show)
@click.option("--documents", default=DOCUMENTS, show_default=True, help="Documents to make at most.")
def main(job: Job, documents: int) -> Result:
    """Run the whole main job on the documentation of installed Python packages."""
    from lakerag.jobs.demo_corpus import DEMO_QUESTIONS, second_act, write_corpus

    started = time.monotonic()
    folder = job.settings.home / "demo"
    landing = _fresh(folder / "landing")
    job.console.print(f"{write_corpus(landing, documents)} documents in {landing}")
    source = source_of(job, str(landing), "demo")
    runs = {"first": run_pipeline(job.again(), source), "nothing new": run_pipeline(job.again(), source)}
    second_act(landing)
    job.console.print("one document added, one paragraph changed, one document deleted")
    runs["three changes"] = run_pipeline(job.again(), source)
    answers = _ask(job, DEMO_QUESTIONS)
    package_model(job, promotion=True)
    questions = folder / "questions.txt"
    questions.write_text("\n".join(DEMO_QUESTIONS), encoding="utf-8")
    batch = answer_questions(job, str(questions))
    tables = {statement: run_sql(job, statement) for statement in SQL}
    return {
        "runs": runs,
        "answers": answers,
        "batch": batch,
        "sql": tables,
        "seconds": round(time.monotonic() - started, 1),
    }


def _fresh(folder: Path) -> Path:
    """Empties the demo's own landing folder, so that a demo that ran before is a change like any other."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _ask(job: Job, questions: tuple[str, ...]) -> list[dict[str, Any]]:
    from lakerag.rag.answer import to_document
    from lakerag.records import Question

    retrieval = job.settings.retrieval
    with opened(job) as pipeline:
        asked = [Question(question, top_k=retrieval.top_k, mode=retrieval.mode) for question in questions]
        return [{"question": answer.question, **to_document(answer)} for answer in pipeline.answer(asked)]
