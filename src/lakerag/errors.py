"""Every error that lakerag raises on purpose.

A message says what was expected, what was found and what to do; the values stay on the
exception as `details`. `TransientError` may be tried again, every other one may not.
"""

from typing import Any


class LakeragError(Exception):
    """Base of all lakerag errors.

    Args:
        message: One or more sentences for the person at the terminal.
        details: The values behind the message, by name.
    """

    exit_code = 1

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


class TerminalError(LakeragError):
    """Trying again without a change gives the same result."""


class TransientError(LakeragError):
    """A timeout, a lost connection, a busy service: worth another try."""


class LeaseLostError(TransientError):
    """Another process took over what this one was writing to."""


class ConfigError(TerminalError):
    """Wrong configuration or wrong use; nothing was started."""

    exit_code = 2


class UsageError(ConfigError):
    """A request that no configuration could serve (an empty question, a bad filter)."""


class SourceError(TerminalError):
    """The landing folder is missing or unreadable."""


class SchemaError(TerminalError):
    """A table or collection does not have the layout of its contract."""


class DimensionMismatchError(SchemaError):
    """A vector's length differs from the collection's."""


class MixedSpacesError(SchemaError):
    """Vectors of two embedding spaces would meet in one collection or query."""


class RowRefusedError(TerminalError):
    """Rows that a store must never take (NaN, over-long text, a duplicate key)."""


class ImportFailedError(TerminalError):
    """The vector store could not import a file."""


class PositionLostError(TerminalError):
    """The change feed no longer holds the changes after the last synced version."""


class ModelError(TerminalError):
    """A model folder is missing, incomplete or of an unknown kind."""


class RegistryError(TerminalError):
    """The model registry lacks what was asked for."""


class MachineError(TerminalError):
    """Java, a jar, a port or disk space is missing on this machine."""


class TaskFailedError(TerminalError):
    """A command that ran as a scheduled task did not end with exit code 0."""


class StoreUnavailableError(TransientError):
    """The vector store does not answer."""


class CollectionMissingError(TerminalError):
    """The alias or collection does not exist (yet)."""


class OverloadedError(TransientError):
    """More requests wait than can be answered in time; none was started."""


class GateMissedError(TerminalError):
    """A metric is below what a promotion asks for."""

    exit_code = 4
