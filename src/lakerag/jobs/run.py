"""`lakerag run`: the main job on one folder."""

import click

from lakerag.jobs.job import Job, Result, command, until_interrupted
from lakerag.jobs.pipeline import STAGES, run_pipeline, show_run, source_of


@command("run", show_run)
@click.option("--source", "path", metavar="DIR", help="Folder of documents; default: source.path of conf/.")
@click.option("--source-name", "name", metavar="N", help="Name of the source in the tables.")
@click.option("--until", type=click.Choice(STAGES), default="sync", show_default=True, help="Last stage to run.")
@click.option("--continuous", is_flag=True, help="Go on until interrupted, every sync.trigger_interval_s seconds.")
@click.option("--strict", is_flag=True, help="Exit with 3 when documents are in quarantine.")
def main(job: Job, path: str | None, name: str | None, until: str, continuous: bool, strict: bool) -> Result:
    """Bring a folder's changes through bronze, silver and gold into the vector store."""
    source = source_of(job, path, name)

    def run(job: Job) -> Result:
        return run_pipeline(job, source, until)

    result = until_interrupted(job, run) if continuous else run(job)
    if strict and result.get("documents", {}).get("in_quarantine"):
        job.exit_code = 3
    return result
