"""Who may see a document: declared by itself, else by its source."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lakerag.records import PUBLIC_GROUP

TENANT, GROUPS = "tenant", "acl_groups"
"""Metadata keys that declare rights; they never stay in the metadata."""


@dataclass(frozen=True, slots=True)
class Rights:
    """Tenant and groups that may see a document."""

    tenant: str
    acl_groups: tuple[str, ...]


def split_rights(metadata: Mapping[str, Any], protected: bool) -> tuple[Rights, dict[str, Any]]:
    """Takes the declared rights out of a document's metadata.

    Groups that are declared and cannot be read, or are declared empty, are nobody:
    a mistake must not open a document.

    Args:
        metadata: Declared facts, perhaps with `tenant` and `acl_groups` (a list, or a
            text with commas).
        protected: Without declared groups nobody sees the document, instead of everybody.

    Returns:
        The rights, and the metadata without them.
    """
    rest = {key: value for key, value in metadata.items() if key not in (TENANT, GROUPS)}
    tenant = metadata.get(TENANT, "")
    broken = not isinstance(tenant, str)
    default = () if protected or broken else (PUBLIC_GROUP,)
    groups = _groups(metadata[GROUPS]) if GROUPS in metadata and not broken else default
    return Rights("" if broken else tenant.strip(), groups), rest


def _groups(declared: Any) -> tuple[str, ...]:
    listed = declared.split(",") if isinstance(declared, str) else declared if isinstance(declared, list) else []
    if not all(isinstance(group, str) for group in listed):
        return ()
    return tuple(sorted({group.strip() for group in listed} - {""}))
