"""A bundle as the Databricks CLI puts it together: includes, variables of a target, Python, references."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
BUNDLES = ROOT / "bundles"
TARGETS = ("dev", "staging", "prod")
GIVEN = {"service_principal": "00000000-0000-0000-0000-000000000001"}
COMPUTED = ("id",)
"""Fields that a resource has once it is deployed."""

REFERENCE = re.compile(r"\$\{([^}]+)\}")


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def declared() -> dict[str, dict[str, Any]]:
    """Every resource of every file, `TYPE.NAME` to what it says."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((BUNDLES / "resources").rglob("*.yml")):
        for kind, resources in read(path)["resources"].items():
            for name, resource in resources.items():
                assert f"{kind}.{name}" not in found, f"{kind}.{name} twice"
                found[f"{kind}.{name}"] = resource
    return found


def assembled(target: str, tmp_path: Path, **given: str) -> dict[str, Any]:
    """The bundle of a target, through the official package's two phases, with every reference resolved."""
    root = read(BUNDLES / "databricks.yml")
    values = _variables(root, target, {**GIVEN, **given})
    bundle = {
        **root,
        "bundle": {**root["bundle"], "target": target},
        "variables": {name: {"value": value} for name, value in values.items()},
        "resources": _included(root),
    }
    for phase in ("load_resources", "apply_mutators"):
        bundle = _python(phase, bundle, tmp_path)
    return Resolver(bundle, values).resolve({**bundle["resources"], "target": root["targets"][target]})


def _variables(root: dict[str, Any], target: str, given: dict[str, str]) -> dict[str, Any]:
    chosen = {**root["targets"][target].get("variables", {}), **given}
    assert chosen.keys() <= root["variables"].keys(), "a value of no variable"
    values = {}
    for name, variable in root["variables"].items():
        looked_up = f"id of {variable['lookup']}" if "lookup" in variable else None
        values[name] = chosen.get(name, variable.get("default", looked_up))
        assert values[name] is not None, f"no value of {name} in {target}"
    return values


def _included(root: dict[str, Any]) -> dict[str, dict[str, Any]]:
    resources: dict[str, dict[str, Any]] = {}
    for pattern in root["include"]:
        for path in sorted(BUNDLES.glob(pattern)):
            for kind, named in read(path)["resources"].items():
                resources.setdefault(kind, {}).update(named)
    return resources


def _python(phase: str, bundle: dict[str, Any], folder: Path) -> dict[str, Any]:
    files = {name: folder / f"{phase}.{name}.json" for name in ("input", "output", "diagnostics")}
    files["input"].write_text(json.dumps(bundle), encoding="utf-8")
    options = [option for name, path in files.items() for option in (f"--{name}", str(path))]
    command = [sys.executable, "-m", "databricks.bundles.build", "--phase", phase, *options]
    done = subprocess.run(command, cwd=BUNDLES, capture_output=True, text=True, check=False)
    said = files["diagnostics"].read_text(encoding="utf-8") if files["diagnostics"].exists() else ""
    assert done.returncode == 0, done.stderr + said
    assert '"severity": "error"' not in said, said
    return json.loads(files["output"].read_text(encoding="utf-8"))


class Resolver:
    """Replaces `${...}` by what it names."""

    def __init__(self, bundle: dict[str, Any], values: dict[str, Any]) -> None:
        self._roots = {"bundle": bundle["bundle"], "resources": bundle["resources"], "var": values}

    def resolve(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.resolve(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, str):
            return value
        if whole := REFERENCE.fullmatch(value):
            return self.resolve(self._named(whole[1]))
        return REFERENCE.sub(lambda found: str(self.resolve(self._named(found[1]))), value)

    def _named(self, path: str) -> Any:
        *parents, last = path.split(".")
        found: Any = self._roots
        for part in parents:
            assert part in found, f"${{{path}}} names nothing"
            found = found[part]
        if parents[0] == "resources" and last in COMPUTED:
            return f"{last} of {'.'.join(parents)}"
        assert last in found, f"${{{path}}} names nothing"
        return found[last]
