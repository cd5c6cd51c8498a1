"""What stands behind a reference to a secret."""

import os
from pathlib import Path

from lakerag.errors import ConfigError


def read_secret(reference: str) -> str:
    """Returns the secret behind a reference.

    Raises:
        ConfigError: The variable, file or scope does not hold it.
    """
    scheme, _, name = reference.partition(":")
    if scheme == "env":
        if name not in os.environ:
            raise ConfigError(f"The secret env:{name} is not set. Export {name}.", reference=reference)
        return os.environ[name]
    if scheme == "file":
        try:
            return Path(name).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"The secret file:{name} cannot be read ({error.strerror}).") from error
    return _databricks_secret(name)


def _databricks_secret(name: str) -> str:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors.base import DatabricksError

    scope, _, key = name.partition("/")
    try:
        return str(WorkspaceClient().dbutils.secrets.get(scope, key))
    except (DatabricksError, ValueError) as error:  # the second: there is no workspace to ask
        raise ConfigError(
            f"The secret databricks:{name} cannot be read ({str(error).splitlines()[0]}). "
            f"`databricks secrets put-secret {scope} {key}` sets it; who runs the job needs READ on the scope."
        ) from error
