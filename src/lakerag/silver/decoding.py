"""Bytes to text: the encoding is taken from the bytes, then from what they claim, then guessed."""

import codecs
import re

import charset_normalizer

from lakerag.silver.parsers.base import RefusedError

SAMPLE_BYTES = 256 * 1024
"""How much a guess looks at."""

MAX_CONTROL_SHARE = 0.05
"""Control bytes in a text at most; random bytes have 11 %, good text none."""

MAX_NOISE_SHARE = 0.02
"""High bytes that may be damage in UTF-8 text rather than letters of another encoding."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = bytes(set(range(32)) - {7, 8, 9, 10, 11, 12, 13, 27}) + b"\x7f"
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_IN_WORD = re.compile(rb"[A-Za-z][\x80-\xff]+|[\x80-\xff]+[A-Za-z]")


def decode(content: bytes, declared: str = "") -> tuple[str, tuple[str, ...]]:
    """Returns the text of a file and its quality flags.

    Tried in order: byte order mark, UTF-8, UTF-16 without mark, the declared encoding,
    UTF-8 with some broken bytes (replaced by U+FFFD and counted), detection.

    Args:
        content: The raw bytes.
        declared: Encoding that the document claims for itself.

    Raises:
        RefusedError: `binary` where the bytes are no text.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _replacing(content[len(mark) :], encoding)
    try:
        text, flags = content.decode("utf-8"), ()
    except UnicodeDecodeError:
        return _decode_other(content, declared)
    if encoding := _utf16_without_mark(content):
        return _replacing(content, encoding)
    _refuse_binary(content)
    return text, flags


def _decode_other(content: bytes, declared: str) -> tuple[str, tuple[str, ...]]:
    if encoding := _utf16_without_mark(content):
        return _replacing(content, encoding)
    _refuse_binary(content)
    if not _is_broken_utf8(content):
        for encoding in filter(None, (declared, _guess(content))):
            try:
                return content.decode(encoding), (f"decoded:{codecs.lookup(encoding).name}",)
            except (LookupError, UnicodeDecodeError):
                continue
    return _replacing(content, "utf-8")


def _is_broken_utf8(content: bytes) -> bool:
    """Tells UTF-8 with a few wrong bytes from another encoding.

    In another encoding high bytes spell words, alone or among ASCII letters; noise is
    rare and stands apart from letters.
    """
    if len(_MULTIBYTE.findall(content)) >= content.decode("utf-8", "replace").count("\ufffd"):
        return True
    runs = _HIGH_RUN.findall(content)
    apart = len(runs) - sum(1 for _ in _IN_WORD.finditer(content))
    return sum(map(len, runs)) < MAX_NOISE_SHARE * len(content) and apart > len(runs) // 2


def _replacing(content: bytes, encoding: str) -> tuple[str, tuple[str, ...]]:
    text = content.decode(encoding, "replace")
    replaced = text.count("\ufffd") - content.count("\ufffd".encode(encoding))
    return text, (f"replaced_bytes:{replaced}",) if replaced > 0 else ()


def _utf16_without_mark(content: bytes) -> str:
    """Returns the UTF-16 whose every other byte is zero, as for Latin script; else an empty name."""
    sample = content[: SAMPLE_BYTES & ~1]
    half = len(sample) // 2
    if half < 2:
        return ""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.6 * half and even < 0.1 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.6 * half and odd < 0.1 * half else ""


def _refuse_binary(content: bytes) -> None:
    sample = content[:SAMPLE_BYTES]
    control = len(sample) - len(sample.translate(None, _CONTROL))
    if control > MAX_CONTROL_SHARE * len(sample):
        raise RefusedError("binary", f"Expected text, found {control} control bytes in {len(sample)}.")


def _guess(content: bytes) -> str:
    """Returns the likeliest encoding; of equally likely ones the most common, Windows-1252."""
    matches = charset_normalizer.from_bytes(content[:SAMPLE_BYTES])
    best = matches.best()
    if best is None:
        return ""
    equal = (m for m in matches if m.chaos <= best.chaos and m.coherence >= best.coherence)
    return "cp1252" if any("cp1252" in m.could_be_from_charset for m in equal) else best.encoding
