"""What every command does with its result and its errors."""

import json
from datetime import date
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


def test_json_has_no_bare_nan_and_says_keys_of_any_type(tmp_path: Any) -> None:
    def odd(job: Job) -> dict[str, Any]:
        nested = ({"worst": float("-inf"), "best": 0.5}, float("inf"))
        return {"score": float("nan"), "nested": nested, "map": {date(2026, 1, 1): 1, 2: None, 0.5: "ü"}}

    def no_constant(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    done = run(odd, "--json", tmp_path=tmp_path)
    assert done.exit_code == 0
    assert json.loads(done.stdout, parse_constant=no_constant) == {
        "score": None,
        "nested": [{"worst": None, "best": 0.5}, None],
        "map": {"2026-01-01": 1, "2": None, "0.5": "ü"},
    }
