"""The `lakerag` command: a thin shell over jobs/, which are imported when they are called."""

from importlib import import_module

import click

from lakerag import __version__
from lakerag.errors import TaskFailedError

COMMANDS = {
    "demo": "The whole main job on documents that ship with the installed Python packages.",
    "run": "Bring a folder's changes through bronze, silver and gold into the vector store.",
    "sync": "Bring the vector store in step with gold_chunks.",
    "search": "Find passages.",
    "ask": "Answer one question, with citations.",
    "answer": "Answer all new questions into Delta tables.",
    "sql": "Query the tables; ask() and search() are SQL functions.",
    "evaluate": "Measure retrieval and answers on your own questions.",
    "package": "Log and register the model; promote it.",
    "serve": "Serve the registered model over HTTP.",
    "status": "Show tables, freshness, lag, quarantine, last runs.",
    "quarantine": "List files that could not become documents; try them again.",
    "reconcile": "Compare the index with gold, by key and content; repair it.",
    "rebuild": "Build the index anew beside the one that serves, for another embedder, and switch.",
    "rollback": "Go back to the index before the last rebuild.",
    "maintain": "Compact the tables and remove what no reader needs any more.",
    "migrate": "Bring older tables to the layout of this version.",
    "functions": "Make views, and ask() over the serving endpoint, known to Unity Catalog.",
    "doctor": "Check this machine.",
}
"""Name and one-line help of every command; `lakerag.jobs.NAME.main` is the command."""


class _Commands(click.Group):
    """Commands that are imported when called, so that `--help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            return None
        main = import_module(f"lakerag.jobs.{name}").main
        assert isinstance(main, click.Command)
        return main

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lakerag")
def main() -> None:
    """A lakehouse for retrieval-augmented generation: documents in, cited answers out."""


def task() -> None:
    """Runs a command as a task of a Databricks job: returns when it is done, raises when it is not.

    A Python wheel task that leaves through `sys.exit` counts as failed, whatever its code.
    """
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise TaskFailedError(
                f"The command ended with exit code {end.code}; its message stands in the task's log.", code=end.code
            ) from None
