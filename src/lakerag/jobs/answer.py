"""`lakerag answer`: questions into `answers` and `answer_citations`, by the registered model."""

from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from lakerag.jobs.job import Job, Result, command


def show_counts(console: Console, result: Result) -> None:
    """Prints what a batch came to."""
    console.print(
        f"{result['questions_added']} questions added; {result['answered']} answered by {result['model_version']}, "
        f"{result['abstained']} of them with an abstention, {result['citations']} citations; "
        f"{result['revoked']} earlier answers revoked; {result['seconds']:.1f} s"
    )


@command("answer", show_counts)
@click.option("--questions", metavar="TABLE|FILE", help="Questions to add first: .txt, .jsonl, .csv, or a table.")
@click.option(
    "--reanswer",
    type=click.Choice(["stale", "all"]),
    help="Answer again: what another model version answered, is revoked or cites what is gone; or everything.",
)
def main(job: Job, questions: str | None, reanswer: str | None) -> Result:
    """Answer all questions that have no answer yet; flag the answers whose documents are gone or hidden now."""
    return answer_questions(job, questions, reanswer)


def answer_questions(job: Job, questions: str | None, reanswer: str | None = None) -> Result:
    """Adds the questions of a file or table, if any, and answers what is new or asked for again."""
    from lakerag.answers.batch import answer_new
    from lakerag.answers.choosing import revoke
    from lakerag.answers.model import Model
    from lakerag.answers.questions import add_questions, asked_in_file, asked_in_table
    from lakerag.answers.views import create_views
    from lakerag.rag.registry import with_alias
    from lakerag.tables import ANSWERS

    registry = job.settings.registry
    version = with_alias(registry, registry.champion)
    model = Model(version.uri, version.label, registry.tracking_uri, registry.registry_uri or registry.tracking_uri)
    job.address  # noqa: B018 - a local store must run before the workers look for it
    with job.stage("answers", "answering questions", ANSWERS) as stage:
        added = 0
        if questions is not None:
            spark, path = job.catalog.spark, Path(questions)
            asked = asked_in_file(spark, path) if path.suffix or path.exists() else asked_in_table(spark, questions)
            added = add_questions(job.catalog, asked, now=job.now)
        revoked = revoke(job.catalog)
        report = answer_new(
            job.catalog,
            model,
            job.settings.answers,
            now=job.now,
            run_id=job.run_id,
            again=reanswer or "none",
            progress=lambda done, of: stage.progress(done, of, "questions"),
        )
        create_views(job.catalog)
        stage.counts = {"added": added, "revoked": revoked, **asdict(report)}
        stage.changed = any(stage.counts.values())
        stage.summary = f"{report.answered} answered, {revoked} revoked"
    return {
        "run_id": job.run_id,
        "model_version": version.label,
        "questions_added": added,
        "revoked": revoked,
        **asdict(report),
        "seconds": job.seconds["answers"],
    }
