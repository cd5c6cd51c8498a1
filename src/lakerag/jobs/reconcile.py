"""`lakerag reconcile`: the index against gold, key by key and content by content."""

from dataclasses import asdict

import click
from rich.console import Console

from lakerag.jobs.job import Job, Result, command
from lakerag.jobs.pipeline import syncing

DIFFERENT = 4
"""Exit code of a check that found a difference."""


def show_differences(console: Console, result: Result) -> None:
    """Prints how an index differs from gold."""
    console.print(
        f"{result['collection']} against gold_chunks version {result['version']}: {result['missing']} missing, "
        f"{result['stale']} stale, {result['orphaned']} orphaned, {result['refused']} in quarantine; "
        f"{result['repaired']} repaired."
    )
    for kind, keys in result["examples"].items():
        if keys:
            console.print(f"{kind}: {', '.join(keys)}")
    if result["missing"] + result["stale"] + result["orphaned"] > result["repaired"]:
        console.print("`lakerag run` brings what is merely late; `lakerag reconcile --repair` moves the difference.")


@command("reconcile", show_differences)
@click.option("--repair", is_flag=True, help="Move the difference.")
def main(job: Job, repair: bool) -> Result:
    """Compare the index with gold, by key and content; exit code 4 when they differ."""
    return reconcile_index(job, repair)


def reconcile_index(job: Job, repair: bool) -> Result:
    """Counts the differences, and moves them with `repair`; otherwise they set the exit code."""
    with job.step("comparing the index with gold_chunks"):
        report = syncing(job).reconcile(repair=repair)
    different = report.missing + report.stale + report.orphaned
    if different and not repair:
        job.exit_code = DIFFERENT
    return asdict(report)
