"""What the doctor finds without starting Spark or a server."""

import subprocess
import sys
from pathlib import Path

import pytest

from lakerag import config
from lakerag.jobs import doctor, machine
from lakerag.jobs.machine import Check, check_disk, check_java, check_system, java_version

SOURCES = Path(machine.__file__).parents[2]


@pytest.fixture
def java_home(tmp_path: Path) -> Path:
    """A JAVA_HOME whose `java` prints what the test writes into version.txt."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\ncat '{tmp_path}/version.txt' >&2\n")
    java.chmod(0o755)
    return tmp_path


def settings(tmp_path: Path, *overrides: str, env: str = "local") -> config.Settings:
    return config.load(env, tmp_path / "home", overrides, environ={})


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_392"', 8),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
    ],
)
def test_java_version_is_the_feature_version(java_home: Path, printed: str, version: int | None) -> None:
    (java_home / "version.txt").write_text(printed)
    assert java_version(str(java_home / "bin" / "java")) == version


def test_java_17_in_java_home_is_enough(java_home: Path) -> None:
    (java_home / "version.txt").write_text('openjdk version "17.0.15" 2025-04-15')
    assert check_java({"JAVA_HOME": str(java_home)}).ok


def test_java_11_is_too_old_and_the_check_says_what_to_install(java_home: Path) -> None:
    (java_home / "version.txt").write_text('openjdk version "11.0.2" 2019-01-15')
    check = check_java({"JAVA_HOME": str(java_home)})
    assert not check.ok
    assert check.found == f"version 11 ({java_home}/bin/java)"
    assert check.advice.startswith("Install Java 17 or 21 (Debian, Ubuntu: apt install openjdk-17-jre-headless;")


def test_java_home_without_java_fails_though_the_path_has_one(tmp_path: Path) -> None:
    assert (
        check_java({"JAVA_HOME": str(tmp_path), "PATH": "/usr/bin"}).found == f"none that runs in JAVA_HOME={tmp_path}"
    )


def test_no_java_anywhere_is_named(tmp_path: Path) -> None:
    assert check_java({"PATH": str(tmp_path)}).found == "none that runs on the PATH"


def test_windows_is_sent_to_wsl() -> None:
    assert str(check_system("win32")) == "System: win32. lakerag runs on Linux and macOS; on Windows use WSL 2."


def test_disk_is_measured_where_the_folder_will_be(tmp_path: Path) -> None:
    assert check_disk(tmp_path / "not" / "yet", 1e-6).ok


def test_a_disk_that_is_too_small_says_how_much_is_needed(tmp_path: Path) -> None:
    check = check_disk(tmp_path, 1e9)
    assert not check.ok
    assert check.advice == "About 1e+09 GB are needed: free some space."


def test_machine_checks_run_before_anything_is_installed() -> None:
    code = "from lakerag.jobs.machine import check_system; print(check_system('linux'))"
    outcome = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(SOURCES)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert outcome.stdout.strip() == "System: linux."


def test_a_missing_model_folder_is_a_finding_with_advice(tmp_path: Path) -> None:
    found = {check.name: check for check in doctor.check_models(settings(tmp_path, "embedder.model=/no/such/model"))}
    assert not found["Embedder"].ok
    assert "/no/such/model" in found["Embedder"].advice
    assert found["Generator"] == Check("Generator", True, "extractive")


def test_a_generator_folder_is_looked_at_without_loading_it(tmp_path: Path) -> None:
    (tmp_path / "t5").mkdir()
    changed = settings(tmp_path, "generator.kind=t5", f"generator.model={tmp_path / 't5'}")
    found = {check.name: check for check in doctor.check_models(changed)}
    assert found["Generator"] == Check("Generator", True, f"t5 in {tmp_path / 't5'}")


def test_a_store_without_an_address_is_a_finding(tmp_path: Path) -> None:
    check = doctor.check_store(settings(tmp_path, "store.kind=milvus").store)
    assert not check.ok
    assert "store.uri" in check.advice
