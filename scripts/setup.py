"""Makes .venv: the locked packages, lakerag itself and Delta's jars; returns at once when all that is there.

Started by `scripts/setup`, which `make` calls. Needs the standard library alone.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
REQUIREMENTS = ROOT / "requirements.lock"
STAMP = VENV / ".setup"
UNFINISHED = "unfinished"
INSTALLED = "installed"
ENVIRONMENT_GIB = 9
CACHE_GIB = 8
PROGRESS_EVERY_S = 5

sys.path.insert(0, str(ROOT / "src"))
from pip_settings import uv_environment  # noqa: E402

from lakerag.jobs.machine import check_disk, check_java, check_system  # noqa: E402


class SetupError(Exception):
    """One sentence for the person at the terminal."""


def main() -> None:
    if stamp() == fingerprint():
        return
    lock = os.open(ROOT, os.O_RDONLY)
    # Inherited by the installers: while one of them runs, even orphaned, no second set-up starts.
    os.set_inheritable(lock, True)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another set-up is under way; waiting for it.")
        fcntl.flock(lock, fcntl.LOCK_EX)
    if stamp() != fingerprint():
        set_up()


def set_up() -> None:
    start = time.monotonic()
    discard_broken_environment()
    check_machine()
    say("Setting lakerag up in .venv: once, a few minutes, about 8 GB.")
    if not PYTHON.exists():
        make_environment()
    STAMP.write_text(UNFINISHED)
    install_packages()
    STAMP.write_text(INSTALLED)
    resolve_jars()
    STAMP.write_text(fingerprint())
    say(f"Set-up is complete after {time.monotonic() - start:.0f} s.")


def fingerprint() -> str:
    """Changes with everything that the environment is made from; the settings of tools are not of it."""
    project = (ROOT / "pyproject.toml").read_text().partition("\n[tool.")[0]
    jars = re.findall(r"^ *packages:.*", (ROOT / "conf" / "local.yml").read_text(), re.MULTILINE)
    sources = [str(ROOT), python_version(), REQUIREMENTS.read_text(), project, *jars]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


def python_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def stamp() -> str | None:
    return STAMP.read_text() if STAMP.exists() else None


def discard_broken_environment() -> None:
    if VENV.exists() and not usable():
        say("Removing .venv: it is unfinished, was moved or is of another Python version.")
        shutil.rmtree(VENV)


def usable() -> bool:
    """Whether the environment can be brought up to date in place."""
    activate = VENV / "bin" / "activate"
    if stamp() == UNFINISHED or not PYTHON.exists() or not activate.exists():
        return False
    probe = run(PYTHON, "-c", "import sys; print(f'{sys.version_info.major}.{sys.version_info.minor}')")
    return probe.stdout.strip() == python_version() and str(VENV) in activate.read_text()


def check_machine() -> None:
    checks = [check_system(), check_java()]
    if not VENV.exists():
        checks.append(check_disk(VENV, ENVIRONMENT_GIB))
        cache = Path(os.environ.get("UV_CACHE_DIR") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "uv"))
        cache = cache.expanduser()
        if device(cache) != device(ROOT):
            checks.append(check_disk(cache, CACHE_GIB))
    if failed := [str(check) for check in checks if not check.ok]:
        raise SetupError("\n".join(failed))


def device(folder: Path) -> int:
    return next(place for place in (folder, *folder.parents) if place.exists()).stat().st_dev


def make_environment() -> None:
    say(f"1/4 Virtual environment, Python {python_version()}")
    VENV.mkdir(exist_ok=True)
    STAMP.write_text(UNFINISHED)
    # The base's own executable: this script may be running inside the environment that was just removed.
    base = Path(sys.base_prefix, "bin", f"python{python_version()}")
    python = base if sys.prefix != sys.base_prefix else sys.executable
    need(run(python, "-m", "venv", VENV), "The virtual environment could not be made: install Python's venv module")


def install_packages() -> None:
    """Installs with uv where it runs: minutes faster than pip, and hard links from its cache instead of copies."""
    version = re.search(r"^uv==(\S+)", REQUIREMENTS.read_text(), re.MULTILINE)[1]
    say("2/4 Packages of requirements.lock")
    uv = run(PYTHON, "-m", "pip", "install", "--quiet", f"uv=={version}").returncode == 0
    if uv and show(UV, "pip", "sync", "--python", PYTHON, REQUIREMENTS, env=uv_environment(PYTHON)) == 0:
        pip = [UV, "pip", "install", "--quiet", "--python", PYTHON]
    else:
        say("uv cannot be used here; pip takes longer.")
        pip = [PYTHON, "-m", "pip", "install", "--progress-bar", "off", "--disable-pip-version-check"]
        if show(*pip, "--no-deps", "-r", REQUIREMENTS) != 0:
            raise SetupError(
                "The packages could not be installed; the lines above say why. Then run `make setup` again."
            )
    say("3/4 lakerag")
    need(run(*pip, "--no-deps", "--no-build-isolation", "-e", ROOT), "lakerag could not be installed")


def resolve_jars() -> None:
    """Starts Spark, Delta and the vector store once; Spark fetches Delta's jars on the way and keeps them."""
    say("4/4 Delta's jars, through Spark's own package resolution")
    need(run(VENV / "bin" / "lakerag", "doctor", "--home", VENV / "doctor"), "lakerag is installed but does not run")


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Runs a command out of sight; its output is kept."""
    return subprocess.run(command, cwd=cwd, close_fds=False, capture_output=True, text=True, check=False)


def show(*command: str | Path, env: dict[str, str] | None = None) -> int:
    """Runs an installer in sight, in few lines; returns its exit status."""
    with subprocess.Popen(
        command, cwd=ROOT, env=env, close_fds=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in condense(process.stdout):
            say(f"    {line}")
    return process.returncode


def condense(lines: Iterable[str], clock: Callable[[], float] = time.monotonic) -> Iterator[str]:
    """Turns uv's line or two a package into a line of progress every few seconds; other lines stay."""
    start = shown = clock()
    announced: dict[str, float] = {}
    done_mib = 0.0
    for line in lines:
        if match := re.match(r"\s*Downloading (\S+) \(([\d.]+)MiB\)", line):
            announced[match[1]] = float(match[2])
        elif match := re.match(r"\s*Downloaded (\S+)", line):
            done_mib += announced.get(match[1], 0)
            if clock() - shown >= PROGRESS_EVERY_S:
                shown = clock()
                rate = done_mib / (shown - start)
                yield f"{done_mib:,.0f} of {sum(announced.values()):,.0f} MiB, {rate:.0f} MiB/s"
        elif not re.match(r"\s*(Downloading|Building|Built|[-+~]) ", line):
            yield line.rstrip()


def need(outcome: subprocess.CompletedProcess[str], otherwise: str) -> None:
    if outcome.returncode != 0:
        raise SetupError(f"{outcome.stdout}{outcome.stderr}\n{otherwise}. Then run `make setup` again.")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        say(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        say("Interrupted; `make setup` starts again.")
        sys.exit(130)
