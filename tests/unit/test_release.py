"""What a release is made of, without installing one."""

import re
import zipfile
from pathlib import Path

import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder

from lakerag import __version__
from lakerag.cli import COMMANDS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    [path] = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"])
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheel_holds_the_version_every_command_and_the_settings(wheel):
    names = set(wheel.namelist())
    assert f"lakerag-{__version__}.dist-info/METADATA" in names
    assert {f"lakerag/jobs/{name}.py" for name in COMMANDS} <= names
    assert {f"lakerag/conf/{name}.yml" for name in ("base", "local", "cluster", "dev", "staging", "prod")} <= names
    assert not [name for name in names if name.startswith(("tests/", "training/")) or "__pycache__" in name]


def test_the_wheel_has_the_command_and_the_entry_point_of_tasks(wheel):
    entry_points = wheel.read(f"lakerag-{__version__}.dist-info/entry_points.txt").decode()
    assert "[console_scripts]\nlakerag = lakerag.cli:main" in entry_points
    assert "[databricks]\ntask = lakerag.cli:task" in entry_points


def test_every_step_of_ci_is_a_make_target():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    commands = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {command.removeprefix("make ") for command in commands} <= targets
    assert {"make test", "make check", "make check-release", "make sbom", "make audit"} <= set(commands)
