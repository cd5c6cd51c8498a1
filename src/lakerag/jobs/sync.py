"""`lakerag sync`: the last stage alone, once or again and again."""

import time

import click
from rich.console import Console

from lakerag.jobs.job import Job, Result, command
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
    result = bring_in_step(job)
    try:
        # No stream with an interval: serverless compute has none, and looking where nothing is new is cheap.
        while continuous:
            time.sleep(job.settings.sync.trigger_interval_s)
            result = bring_in_step(job.again())
    except KeyboardInterrupt:
        job.console.print("stopped")
    return result
