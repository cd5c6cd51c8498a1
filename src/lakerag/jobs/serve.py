"""`lakerag serve`: the registered champion behind MLflow's scoring server."""

import click
from rich.console import Console

from lakerag.jobs.job import Job, Result, command


def _show(console: Console, result: Result) -> None:
    console.print(f"{result['model_version']} served {result['url']} until it was stopped.")


@command("serve", _show)
@click.option("--port", type=click.IntRange(0, 65535), help="Default: serving.port of conf/; 0 for a free one.")
def main(job: Job, port: int | None) -> Result:
    """Serve the registered model over HTTP: POST /invocations, GET /ping."""
    from lakerag.rag.serving import serving

    log = job.settings.home / "logs" / "serving.log"
    job.address  # noqa: B018 - a local store runs as long as the endpoint
    with job.step("loading the model"):
        server = job.closing.enter_context(serving(job.worker_settings, log, port))
    result = {"url": server.url, "model_version": server.version.label}
    job.console.print(f"{server.version.label} answers at {server.url}/invocations; Ctrl-C ends it. Log: {log}")
    try:
        server.process.wait()
    except KeyboardInterrupt:
        job.console.print("stopped")
    return result
