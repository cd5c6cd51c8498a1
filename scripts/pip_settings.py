"""Runs uv with pip's settings: uv itself reads neither pip.conf nor PIP_* variables.

python scripts/pip_settings.py UV [ARGUMENT ...]
"""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SECTIONS = ("global", "install", ":env:")
"""Weakest first, as pip ranks them (pip.pypa.io/en/stable/topics/configuration)."""

VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
}


def uv_environment(python: Path) -> dict[str, str]:
    """Returns the environment for uv: the process's own and, where it says nothing, pip's settings."""
    listing = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    return {**translate(listing.stdout), **os.environ}


def translate(listing: str) -> dict[str, str]:
    """Turns the output of `pip config list` (lines of `section.key='value'`) into uv's variables."""
    settings: dict[str, str] = {}
    entries = [line.partition("=") for line in listing.splitlines()]
    for section in SECTIONS:
        for name, _, value in entries:
            if name.startswith(f"{section}."):
                settings[name[len(section) + 1 :]] = str(ast.literal_eval(value))
    variables = {VARIABLES[key]: value for key, value in settings.items() if key in VARIABLES}
    return _adjust(variables)


def _adjust(variables: Mapping[str, str]) -> dict[str, str]:
    """Bridges what uv reads differently under the same meaning."""
    adjusted = dict(variables)
    if links := adjusted.pop("UV_FIND_LINKS", None):
        # pip passes over a folder that is missing, uv stops.
        usable = [link for link in links.split() if "://" in link or Path(link).is_dir()]
        adjusted |= {"UV_FIND_LINKS": ",".join(usable)} if usable else {}
    if "UV_INDEX" in adjusted:
        adjusted["UV_INDEX"] = " ".join(adjusted["UV_INDEX"].split())
        adjusted["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip takes the best version of all indexes
    return adjusted


if __name__ == "__main__":
    uv = Path(sys.argv[1])
    os.execve(uv, sys.argv[1:], uv_environment(uv.with_name("python")))
