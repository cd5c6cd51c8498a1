"""A command as a task of a Databricks job."""

import sys

import click
import pytest

from lakerag import cli
from lakerag.errors import TaskFailedError


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], None), (["sync", "--no-such-option"], 2)])
def test_a_task_returns_when_it_is_done_and_raises_when_it_is_not(monkeypatch, arguments, code):
    monkeypatch.setattr(sys, "argv", ["task", *arguments])
    if code is None:
        cli.task()
    else:
        with pytest.raises(TaskFailedError) as failed:
            cli.task()
        assert failed.value.details == {"code": code}


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_takes_the_common_options_and_tells_what_it_does(name):
    command = cli.main.get_command(click.Context(cli.main), name)
    taken = {option for parameter in command.params for option in parameter.opts}
    assert {"--env", "--home", "--set", "--run-id", "--json", "--quiet"} <= taken
    assert command.help
