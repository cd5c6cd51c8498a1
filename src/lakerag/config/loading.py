"""Settings out of conf/, the environment and the command line; the only reader of conf/ and of the environment.

Precedence, weakest first: conf/base.yml, conf/{env}.yml, `LAKERAG_SECTION__KEY`
environment variables, `--set section.key=value`.
"""

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from lakerag.config.sections import ModelSettings, Section, Settings
from lakerag.errors import ConfigError

ENV_PREFIX = "LAKERAG_"

S = TypeVar("S", bound=ModelSettings)


def conf_folder() -> Path:
    """Returns the folder of the value files: beside the package when installed, else the checkout's."""
    packaged = Path(__file__).parents[1] / "conf"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "conf"


def load(
    env: str = "local",
    home: str | Path = ".lakerag",
    overrides: Iterable[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Reads conf/base.yml and conf/{env}.yml and lays the overrides on top.

    Args:
        env: Name of a file of conf/.
        home: Folder of the local default; stands in for `{home}` in values.
        overrides: `section.key=value` strings, the strongest source.
        environ: The environment; the process's own by default.

    Raises:
        ConfigError: All wrong keys and values at once, each key with the nearest right one.
    """
    folder = conf_folder()
    if not (folder / f"{env}.yml").is_file() or env == "base":
        names = sorted(p.stem for p in folder.glob("*.yml") if p.stem != "base")
        raise ConfigError(f"There is no environment {env!r}. Expected one of: {', '.join(names)}.", env=env)
    values: dict[str, Any] = {}
    for name in ("base", env):
        _merge(values, yaml.safe_load((folder / f"{name}.yml").read_text(encoding="utf-8")) or {})
    for key, text in _environment(os.environ if environ is None else environ):
        _assign(values, key, text)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or key.count(".") != 1:
            raise ConfigError(f"--set {override}: expected section.key=value.", override=override)
        _assign(values, key, text)
    root = Path(home).expanduser().absolute()
    return _validate(Settings, {**_expand(values, str(root)), "env": env, "home": root})


def dump(settings: Settings) -> dict[str, Any]:
    """Returns settings as plain values; secrets stay references."""
    return settings.model_dump(mode="json", by_alias=True)


def restore(
    values: Mapping[str, Any], sections: Iterable[str] = (), environ: Mapping[str, str] | None = None
) -> ModelSettings:
    """Returns what a model reads of dumped settings, with the environment on top.

    Args:
        values: What `dump` returned, or those of its sections; models of earlier versions hold them all.
        sections: Those that the environment may override.
        environ: The environment; the process's own by default.

    Raises:
        ConfigError: All wrong keys and values at once, each key with the nearest right one.
    """
    laid = {name: dict(values[name]) for name in ModelSettings.model_fields if name in values}
    for key, text in _environment(os.environ if environ is None else environ):
        if key.partition(".")[0] in sections:
            _assign(laid, key, text)
    return _validate(ModelSettings, laid)


def _environment(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    pairs = ((name[len(ENV_PREFIX) :], text) for name, text in environ.items() if name.startswith(ENV_PREFIX))
    return [(name.lower().replace("__", ".", 1), text) for name, text in pairs if "__" in name]


def _merge(base: dict[str, Any], top: dict[str, Any]) -> None:
    for key, value in top.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _assign(values: dict[str, Any], key: str, text: str) -> None:
    section, _, name = key.partition(".")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    values.setdefault(section, {})[name] = value


def _expand(value: Any, home: str) -> Any:
    if isinstance(value, str):
        return value.replace("{home}", home)
    if isinstance(value, dict):
        return {key: _expand(item, home) for key, item in value.items()}
    return [_expand(item, home) for item in value] if isinstance(value, list) else value


def _validate(kind: type[S], values: dict[str, Any]) -> S:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        lines = [_explain(item) for item in error.errors()]
        raise ConfigError("The configuration is wrong:\n" + "\n".join(f"  - {line}" for line in lines)) from None


def _explain(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] != "extra_forbidden":
        return f"{where}: {item['msg']}"
    near = difflib.get_close_matches(where, _known_keys(), n=1, cutoff=0.0)
    return f"{where}: no such key; the nearest is {near[0]}"


def _known_keys() -> list[str]:
    keys = []
    for name, field in Settings.model_fields.items():
        keys.append(name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            fields = field.annotation.model_fields
            keys += [f"{name}.{fields[key].alias or key}" for key in fields]
    return keys
