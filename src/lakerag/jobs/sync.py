"""`lakerag sync`: the last stage alone, once or again and again."""

import click
from rich.console import Console

from lakerag.jobs.job import Job, Result, command, until_interrupted
from lakerag.jobs.pipeline import bring_in_step


def _show(console: Console, result: Result) -> None:
    console.print(
        f"{result['collection']}: {result['upserted']} upserted, {result['deleted']} deleted, "
        f"in step with gold_chunks version {result['to_version']}."
    )


@command("sync", _show)
@click.option("--continuous", is_flag=True, help="Go on until interrupted, every sync.trigger_interval_s seconds.")
def main(job: Job, continuous: bool) -> Result:
    """Bring the vector store in step with gold_chunks; what comes before it is not run."""
    return until_interrupted(job, bring_in_step) if continuous else bring_in_step(job)
