"""Plain text: already what it is."""

from lakerag.silver.parsers.base import Parsed


def parse_plain(text: str) -> Parsed:
    """Returns the text as it stands; plain text declares no title."""
    return Parsed(text)
