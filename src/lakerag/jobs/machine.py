"""What the machine itself must bring; standard library alone, so that set-up runs it before anything is installed."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

OLDEST_JAVA = 17
"""Spark 4 runs on Java 17 and later (spark.apache.org/docs/latest)."""

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found and, where that is not enough, what to do."""

    name: str
    ok: bool
    found: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.found}." + ("" if self.ok else f" {self.advice}")


def check_system(platform: str = sys.platform) -> Check:
    """Linux and macOS have what Spark's and Milvus Lite's packages need."""
    advice = "lakerag runs on Linux and macOS; on Windows use WSL 2."
    return Check("System", platform in ("linux", "darwin"), platform, advice)


def check_python() -> Check:
    """The interpreter at work; Spark's local workers run the same one."""
    version = ".".join(map(str, sys.version_info[:3]))
    advice = "lakerag runs on Python 3.10, 3.11 and 3.12."
    return Check("Python", (3, 10) <= sys.version_info < (3, 13), f"{version} ({sys.executable})", advice)


def check_java(environ: Mapping[str, str] = os.environ) -> Check:
    """Looks for Java where Spark does: in JAVA_HOME if that is set, else on the PATH."""
    home = environ.get("JAVA_HOME")
    place = f"JAVA_HOME={home}" if home else "the PATH"
    advice = (
        "Install Java 17 or 21 (Debian, Ubuntu: apt install openjdk-17-jre-headless; "
        "macOS: brew install openjdk@17) and put it on the PATH or in JAVA_HOME."
    )
    java = str(Path(home, "bin", "java")) if home else shutil.which("java", path=environ.get("PATH"))
    version = java_version(java) if java else None
    if version is None:
        return Check("Java", False, f"none that runs in {place}" if home else f"none that runs on {place}", advice)
    return Check("Java", version >= OLDEST_JAVA, f"version {version} ({java})", advice)


def java_version(java: str) -> int | None:
    """Returns the feature version (8, 17, 21) of a `java` executable, None if it does not run."""
    try:
        outcome = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    # Before Java 9 the feature version was the second number: "1.8.0_392".
    match = re.search(r'version "(?:1\.)?(\d+)', outcome.stderr + outcome.stdout)
    return int(match[1]) if match else None


def check_disk(folder: Path, needed_gib: float) -> Check:
    """Measures the room on the disk of a folder, which need not exist yet."""
    folder = folder.absolute()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free_gib = shutil.disk_usage(there).free / GIB
    advice = f"About {needed_gib:g} GB are needed: free some space."
    return Check("Disk", free_gib >= needed_gib, f"{free_gib:.1f} GB free for {folder}", advice)
