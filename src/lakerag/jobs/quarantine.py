"""`lakerag quarantine`: what could not become a document and why; another try."""

import click
from rich.console import Console
from rich.text import Text

from lakerag.jobs.job import Job, Result, command

LISTED = 1000
"""Files, and rows of files, that are listed at most; the counts are of all files."""


def _show(console: Console, result: Result) -> None:
    for file in result["files"]:
        console.print(Text(f"{file['source']}: {file['path']}", "bold"), Text(file["reason"], "yellow"))
        console.print(Text(f"  {file['detail']} {file['advice']}", "dim"))
    for row in result["rows"]:
        console.print(
            Text(f"{row['source']}: {row['path']}, line {row['line']}", "bold"), Text(row["reason"], "yellow")
        )
        console.print(Text(f"  {row['detail']}", "dim"))
    for reason, count in result["reasons"].items():
        console.print(f"{count} {reason}")
    if "released" in result:
        console.print(
            f"{result['released']} tried again, {result['documents']['upserted']} are documents now. "
            "`lakerag run` indexes them."
        )
    elif not result["reasons"]:
        console.print("Nothing is in quarantine.")


@command("quarantine", _show)
@click.option("--retry", is_flag=True, help="Parse the files again.")
@click.option("--reason", "reasons", multiple=True, metavar="R", help="Only files with this reason (repeatable).")
@click.option("--source-name", "name", metavar="N", help="Only files of this source; --retry: default source.name.")
def main(job: Job, retry: bool, reasons: tuple[str, ...], name: str | None) -> Result:
    """List files that could not become documents, with the reason and what to do; try them again."""
    from lakerag.silver.quarantine import count_by_reason, listed, refused_rows

    result = _retry(job, reasons, name) if retry else {}
    with job.step("looking at the quarantine"):
        return {
            **result,
            "files": listed(job.catalog, name, reasons, LISTED),
            "rows": refused_rows(job.catalog, name, reasons, LISTED),
            "reasons": count_by_reason(job.catalog, name, reasons),
        }


def _retry(job: Job, reasons: tuple[str, ...], name: str | None) -> Result:
    from lakerag.silver.documents import Recipe
    from lakerag.silver.quarantine import release
    from lakerag.silver.refine import refine
    from lakerag.tables import SILVER_DOCUMENTS

    source = job.settings.source.model_copy(update={"name": name} if name else {})
    with job.stage("silver", "parsing quarantined files again", SILVER_DOCUMENTS) as stage:
        released = release(job.catalog, Recipe.of(source), reasons)
        documents = refine(job.catalog, source, now=job.now)
        stage.counts = {"released": released, **documents}
        stage.changed = released > 0
        stage.summary = f"{released} released, {documents['upserted']} upserted, {documents['quarantined']} quarantined"
    return {"released": released, "documents": documents}
