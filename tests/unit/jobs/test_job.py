"""What every command does with its result and its errors."""

from typing import Any

import pytest
from click.testing import CliRunner, Result

from lakerag.jobs.job import Job, command


def run(function: Any, *options: str, tmp_path: Any) -> Result:
    made = command("made", lambda console, result: console.print(result))(function)
    return CliRunner().invoke(made, ["--home", str(tmp_path), *options])


@pytest.mark.parametrize("options", [(), ("--debug",)])
def test_an_error_of_a_library_does_not_show_the_password_in_an_address(
    tmp_path: Any, options: tuple[str, ...]
) -> None:
    def fail(job: Job) -> dict[str, Any]:
        raise RuntimeError("API request to http://ml:s3cret@mlflow:5000/api failed")

    done = run(fail, *options, tmp_path=tmp_path)
    assert done.exit_code == 1
    assert "API request to http://***@mlflow:5000/api failed" in done.stderr
    assert "s3cret" not in done.output
