"""File names of any bytes as text that a table can hold, exactly and back again.

A name that is UTF-8 stands as it is. A byte that is not, and the bytes of U+FFFD itself
(the trace of an earlier wrong copy), become U+FFFD and two hexadecimal digits: damaged
names stay distinct, are visible as such, and lead back to the file.
"""

import re

MARK = "\ufffd"
_DAMAGED = re.compile("[\udc80-\udcff\ufffd]")
_ESCAPED = re.compile(MARK + "([0-9A-F]{2})")


def name_to_text(name: str) -> str:
    r"""Returns a name of the file system (with surrogate escapes) as valid Unicode.

    >>> name_to_text("caf\udce9.txt") == "caf\ufffdE9.txt"
    True
    """
    return _DAMAGED.sub(_escape, name)


def text_to_name(text: str) -> str:
    r"""Returns the name of the file system that `name_to_text` came from.

    >>> text_to_name("caf\ufffdE9.txt") == "caf\udce9.txt"
    True
    """
    return _ESCAPED.sub(lambda match: chr(0xDC00 + int(match[1], 16)), text)


def _escape(match: re.Match[str]) -> str:
    return "".join(f"{MARK}{byte:02X}" for byte in match[0].encode("utf-8", "surrogateescape"))
