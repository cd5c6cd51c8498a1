"""What every command shares: options, the lakehouse and store it works on, progress, errors, output."""

import functools
import os
import re
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lakerag import config
from lakerag.config import masked
from lakerag.errors import LakeragError, TransientError
from lakerag.jobs.as_json import to_json

if TYPE_CHECKING:
    from lakerag.catalog import Catalog
    from lakerag.stores import StoreAddress, VectorStore
    from lakerag.tables import Table

# gRPC's fork handlers, once at work, can end the child that becomes Spark's JVM; read when gRPC is imported.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

Result = dict[str, Any]
"""What a command gives with `--json`."""


def _new_id() -> str:
    return uuid.uuid4().hex


@dataclass
class Job:
    """One command at work."""

    settings: config.Settings
    console: Console
    """For people, on standard error."""
    run_id: str = field(default_factory=_new_id)
    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    seconds: dict[str, float] = field(default_factory=dict)
    """Duration of the stages that are done."""
    exit_code: int = 0
    closing: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def catalog(self) -> "Catalog":
        """The lakehouse, with every table there in the layout of its contract."""
        with self.step("opening the tables"):
            self.lakehouse.ensure()
            self.lakehouse.check()
        return self.lakehouse

    @cached_property
    def lakehouse(self) -> "Catalog":
        """The lakehouse as it stands."""
        from lakerag.catalog import Catalog
        from lakerag.session import open_session

        log = self.settings.home / "logs" / "spark.log" if self.settings.spark.mode == "local" else None
        with self.step("starting Spark"):
            session = open_session(self.settings.spark, log)
            if self.settings.spark.mode != "ambient":  # that one belongs to whoever opened it
                self.closing.callback(session.stop)
        return Catalog(session, self.settings.lakehouse)

    @cached_property
    def address(self) -> "StoreAddress":
        """Where the vector store is; a local server runs until the command ends."""
        from lakerag.stores import open_address

        with self.step("opening the vector store"):
            return self.closing.enter_context(open_address(self.settings.store, self.settings.sync.batch_bytes))

    @property
    def store(self) -> "VectorStore":
        """This process's connection to the vector store."""
        from lakerag.stores import connect

        return connect(self.address)

    @cached_property
    def active(self) -> config.Settings:
        """The settings with the embedder of the index as it stands."""
        from lakerag.jobs.active import active_settings

        return active_settings(self.settings, self.store)

    def again(self) -> "Job":
        """Starts another run in the same session and store."""
        self.__dict__.pop("active", None)
        self.run_id, self.now, self.seconds = _new_id(), datetime.now(timezone.utc), {}
        return self

    @property
    def worker_settings(self) -> config.Settings:
        """The settings for Spark's workers: they reach a local store through this process's server."""
        reached = self.settings.store.model_copy(update={"kind": "milvus", "uri": self.address.uri})
        return self.active.model_copy(update={"store": reached})

    @contextmanager
    def step(self, what: str) -> Iterator[Callable[[str], None]]:
        """Shows that something is going on; gives a function that says more about it."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[more]}"),
        )
        with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as progress:
            task = progress.add_task(what, more="")
            yield lambda more: progress.update(task, more=more)

    @contextmanager
    def stage(self, name: str, what: str, table: "Table | None" = None) -> Iterator["Stage"]:
        """Runs one stage: shows it, times it, records in `ops_runs` what it changed in its table."""
        started, stage = time.monotonic(), Stage()
        with self.step(what) as say:
            stage.say = say
            yield stage
        self.seconds[name] = round(time.monotonic() - started, 3)
        self.console.print(f"[bold]{name:>7}[/]  {stage.summary}  [dim]{self.seconds[name]:.1f} s[/]", soft_wrap=True)
        if stage.changed:
            if table is not None:
                stage.counts = {**stage.counts, **self.catalog.breaches(table)}
            self._record(name, stage, None if table is None else self.catalog.version(table))

    def _record(self, name: str, stage: "Stage", version: int | None) -> None:
        from lakerag.tables import OPS_RUNS

        row = (self.run_id, name, self.now, self.seconds[name], stage.counts, version)
        rows = self.catalog.spark.createDataFrame([row], OPS_RUNS.schema)
        self.catalog.append(OPS_RUNS, rows)


def until_interrupted(job: Job, work: Callable[[Job], Result]) -> Result:
    """Does the work again every `sync.trigger_interval_s` seconds, each time as a run of its own; returns the last.

    A run that fails for now (the store does not answer, another process holds the lease) says so, and the next one
    goes on from where it stands. Every other error ends it.

    No stream with an interval: serverless compute has none, and looking where nothing is new is cheap.
    """
    result, pause_s = None, job.settings.sync.trigger_interval_s
    try:
        while True:
            try:
                result = work(job)
            except TransientError as error:
                _complain(f"{error} The next run is in {pause_s} s.")
                job.__dict__.pop("address", None)  # a local server that is gone is started anew
            time.sleep(pause_s)
            job.again()
    except KeyboardInterrupt:
        if result is None:
            raise
        job.console.print("stopped")
    return result


@dataclass
class Stage:
    """What a stage tells of itself."""

    summary: str = ""
    changed: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    say: Callable[[str], None] | None = None

    def progress(self, done: int, of: int, unit: str) -> None:
        """Shows how much of the stage is done."""
        if self.say:
            self.say(f"{done} of {of} {unit}")


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that every command takes."""
    options = (
        click.option("--env", default="local", show_default=True, help="A file of conf/."),
        click.option("--home", default=".lakerag", show_default=True, help="Folder of the local default."),
        click.option("--set", "overrides", multiple=True, metavar="SECTION.KEY=VALUE", help="Override a setting."),
        click.option("--run-id", metavar="ID", help="Id in ops_runs and ops_sync, one an attempt; default: a new one."),
        click.option("--json", "as_json", is_flag=True, help="Print the result alone, as JSON."),
        click.option("--quiet", is_flag=True, help="No progress."),
        click.option("--debug", is_flag=True, help="Show tracebacks."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def command(name: str, show: Callable[[Console, Result], None]) -> Callable[[Callable[..., Result]], click.Command]:
    """Makes a command of a function `(job, **options) -> result`.

    Args:
        name: As typed.
        show: Prints the result for people, on standard output.
    """

    def decorate(function: Callable[..., Result]) -> click.Command:
        @click.command(name, help=function.__doc__)
        @common_options
        @functools.wraps(function)
        def run(
            env: str,
            home: str,
            overrides: tuple[str, ...],
            run_id: str | None,
            as_json: bool,
            quiet: bool,
            debug: bool,
            **options: Any,
        ) -> None:
            call = functools.partial(function, **options)
            sys.exit(_run(call, show, (env, home, overrides), run_id, as_json, quiet or as_json, debug))

        return run

    return decorate


def _run(
    function: Callable[..., Result],
    show: Callable[[Console, Result], None],
    place: tuple[str, str, tuple[str, ...]],
    run_id: str | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> int:
    """Runs a command and returns its exit code; the only place that catches everything."""
    console = Console(stderr=True, quiet=quiet)
    try:
        settings = config.load(*place)
        _keep_offline()
        with ExitStack() as closing:
            job = Job(settings, console, run_id or _new_id(), closing=closing)
            result = function(job)
            if as_json:
                click.echo(to_json(result))
            else:
                show(Console(), result)
        return job.exit_code
    except Exception as error:  # noqa: BLE001
        if debug:
            click.echo(masked(traceback.format_exc()), err=True)
        _complain(_explain(error))
        return error.exit_code if isinstance(error, LakeragError) else 1


def _complain(message: str) -> None:
    """Says what went wrong on standard error, `--quiet` or not."""
    click.secho(f"lakerag: {masked(message)}", err=True, fg="red" if sys.stderr.isatty() else None)


def _explain(error: Exception) -> str:
    """Returns one clear message; an error that was raised in a Spark worker is found in its traceback."""
    if isinstance(error, LakeragError):
        return str(error)
    own = re.findall(r"lakerag\.errors\.\w+: (.+)", str(error))
    if own:
        return str(own[-1])
    from_python = re.findall(r"^(?:\w+\.)*(\w+(?:Error|Exception): .+)$", str(error), re.MULTILINE)
    if "Traceback" in str(error) and from_python:
        return f"{from_python[-1]} (--debug shows where)"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]} (--debug shows where)"


def _keep_offline() -> None:
    """Switches off what libraries would send home."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
