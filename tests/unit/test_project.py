"""What the project promises about its own files."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.10", "3.11", "3.12")


def locked() -> list[Requirement]:
    return [Requirement(line) for line in (ROOT / "requirements.lock").read_text().splitlines()]


def declared() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return [Requirement(line) for group in groups for line in group]


def applies(marker: Marker | None, python: str, system: str = "linux") -> bool:
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": system,
        "platform_machine": "x86_64",
        "os_name": "posix",
    }
    return marker is None or marker.evaluate(environment)


def tracked_texts() -> dict[str, str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return {str(path.relative_to(ROOT)): path.read_text(errors="replace") for path in paths if path.is_file()}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_the_lock_pins_everything_that_the_project_names(python: str, system: str) -> None:
    pins = {canonicalize_name(pin.name): pin for pin in locked() if applies(pin.marker, python, system)}
    for need in declared():
        if not applies(need.marker, python, system):
            continue
        pin = pins[canonicalize_name(need.name)]
        version = Version(str(pin.specifier).removeprefix("=="))
        assert need.specifier.contains(version), f"{need} but the lock has {version}"


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_pins_each_package_once(python: str) -> None:
    names = [pin.name for pin in locked() if applies(pin.marker, python)]
    assert len(names) == len(set(names))


def test_the_lock_holds_exact_versions_alone() -> None:
    for pin in locked():
        assert re.fullmatch(r"==[^*,]+", str(pin.specifier)), pin
        assert pin.url is None


def test_set_up_finds_its_installer_in_the_lock() -> None:
    assert "uv" in {pin.name for pin in locked()}


def test_no_tracked_file_names_a_package_index() -> None:
    pattern = re.compile(
        r"index[-_]url|simple/?[\"'\s]*$|files\.pythonhosted|pypi\.org|repo1\.maven|npmjs", re.MULTILINE
    )
    allowed = {"scripts/pip_settings.py", "tests/unit/test_project.py", "tests/unit/test_scripts.py"}
    found = [name for name, text in tracked_texts().items() if name not in allowed and pattern.search(text)]
    assert found == []


def test_delta_jars_match_the_python_package() -> None:
    versions = {pin.name: str(pin.specifier).removeprefix("==") for pin in locked()}
    spark = ".".join(versions["pyspark"].split(".")[:2])
    for name in ("local.yml", "cluster.yml"):
        assert f"io.delta:delta-spark_{spark}_2.13:{versions['delta-spark']}" in (ROOT / "conf" / name).read_text()
