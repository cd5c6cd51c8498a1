"""`lakerag package`: logs and registers the model; promotes it when it passes its gates."""

import click
from rich.console import Console

from lakerag.jobs.job import Job, Result, command


def show_package(console: Console, result: Result) -> None:
    """Prints the version and whether it is the champion."""
    what = "registered" if result["created"] else "already registered with the same content"
    console.print(f"{result['model_uri']} {what}" + (", now @champion" if result["promoted"] else ""))


@command("package", show_package)
@click.option("--promote", is_flag=True, help="Move @champion to it if it passes the gates.")
def main(job: Job, promote: bool) -> Result:
    """Log and register the model that the settings describe."""
    return package_model(job, promote)


def package_model(job: Job, promotion: bool) -> Result:
    """Registers the configured model; with `promotion`, moves the champion's alias once the gates are passed."""
    from lakerag.rag.packaging import check_answers, package, promote

    with job.step("packaging the model"):
        packaged = package(job.active)
    metrics: dict[str, float] = {}
    if promotion:
        job.address  # noqa: B018 - the packaged model looks for the running store
        with job.step("checking the packaged model"):
            metrics = promote(job.settings.registry, packaged.version, {"answers": check_answers})
    return {
        "model_uri": packaged.version.uri,
        "version": packaged.version.version,
        "created": packaged.created,
        "promoted": promotion,
        "metrics": metrics,
    }
