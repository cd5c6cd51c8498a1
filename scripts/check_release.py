"""Installs the wheel of dist/ in an empty environment and runs `lakerag doctor` there; exit code 1 when it fails.

Started by `make check-release`. Takes minutes: the environment is as large as .venv.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pip_settings import uv_environment

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = "spark,local"


def main() -> int:
    wheel = only_wheel(ROOT / "dist")
    with tempfile.TemporaryDirectory(prefix="lakerag-release-") as folder:
        # Elsewhere than in the checkout, whose files would stand in for those that the wheel lacks.
        report = doctor(install(wheel, Path(folder)), Path(folder))
    for check in report["checks"]:
        print(
            f"  ok  {check['name']}: {check['found']}" if check["ok"] else f"  no  {check['name']}: {check['advice']}"
        )
    print(f"{wheel.name} {'passes' if report['ok'] else 'does not pass'}")
    return 0 if report["ok"] else 1


def only_wheel(folder: Path) -> Path:
    """Returns the wheel that `make build` left."""
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise SystemExit(f"Expected one wheel in {folder}, found {len(wheels)}. Run `make build`.")
    return wheels[0]


def install(wheel: Path, folder: Path) -> Path:
    """Makes an environment with the wheel and the locked versions of what it needs; returns its `lakerag`."""
    uv = Path(sys.executable).with_name("uv")
    python = folder / "venv" / "bin" / "python"
    environment = uv_environment(Path(sys.executable))
    run([uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"], folder, environment)
    needs = ["--constraint", ROOT / "requirements.lock", f"lakerag[{EXTRAS}] @ {wheel.as_uri()}"]
    run([uv, "pip", "install", "--quiet", "--python", python, *needs], folder, environment)
    return python.with_name("lakerag")


def doctor(lakerag: Path, folder: Path) -> dict:
    """Returns what `lakerag doctor` finds."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LAKERAG_"))}
    return json.loads(run([lakerag, "doctor", "--json", "--home", folder / "home"], folder, environment, (0, 4)))


def run(command: Sequence[str | Path], folder: Path, environment: dict[str, str], good: Sequence[int] = (0,)) -> str:
    """Returns what a command prints; what it says on standard error goes there."""
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in good:
        raise SystemExit(f"{Path(command[0]).name} ended with exit code {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
