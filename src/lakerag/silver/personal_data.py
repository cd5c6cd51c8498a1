"""Finds and masks personal data: by shape first, then by checksum or context.

A number counts as a card, an account or a telephone only where its own check holds (Luhn,
ISO 7064 MOD 97-10, a national numbering plan) and nothing on its sides says that it is
part of something longer. Names of persons are not looked for.
"""

import ipaddress
import re
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

_APART = r"(?<![\w.+/-])"
_ENDS = r"(?!\w|[-./]\w)"

_EMAIL = re.compile(r"(?<![\w.+-])[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_IBAN = re.compile(r"(?<![\w-])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{1,4}){2,8}")
_CARD = re.compile(rf"{_APART}\d(?:[ -]?\d){{12,18}}{_ENDS}")
_ISSUED = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35\d{14,17}"
    r"|6(?:011|4[4-9]\d|5\d\d|2\d\d)\d{12,15}"
)
"""Issuer prefixes with their lengths: Visa, Mastercard, American Express, Diners, JCB, Discover, UnionPay."""

_PHONE = re.compile(
    rf"{_APART}(?:"
    r"(?P<international>\+[1-9]\d{0,2}(?:[ .\-/]?\(\d{1,4}\))?(?:[ .\-/]?\d){5,12})"
    r"|(?P<american>(?:\([2-9]\d{2}\)|[2-9]\d{2})[ .-]{1,2}[2-9]\d{2}[ .-]\d{4})"
    r"|(?P<national>(?:\(0\d{1,4}\)|0\d{1,4})(?:[ \-/]\d{2,7}){1,5})"
    rf"|(?P<bare>[2-9]\d{{2}}[2-9]\d{{6}})){_ENDS}"
)
_IPV4 = re.compile(rf"{_APART}(?:\d{{1,3}}\.){{3}}\d{{1,3}}{_ENDS}")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")

_CALLS = re.compile(r"(?:phone|tel|mobile|cell|fax|call)\w*[\s:.|\"'=]*$", re.IGNORECASE)
_VERSION = re.compile(r"(?:version|release|build|rev|firmware|v)[\s:.]*$", re.IGNORECASE)
_CONTEXT_CHARS = 24

_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18,
    "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24,
    "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24,
    "XK": 20,
}  # fmt: skip
"""Characters of an IBAN by country (SWIFT IBAN registry)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One span of personal data in a text."""

    kind: str
    start: int
    end: int


def find_personal_data(text: str, kinds: Iterable[str], patterns: Mapping[str, str]) -> list[Finding]:
    """Returns what is found, in order and without overlaps; of two that overlap the surer one.

    Args:
        text: Clean text.
        kinds: Names of `DETECTORS`.
        patterns: Further regular expressions by the name of what they find; they come first.
    """
    starts: list[int] = []
    spans: list[Finding] = []
    found = [Finding(name, *match.span()) for name, pattern in patterns.items() for match in re.finditer(pattern, text)]
    wanted = set(kinds)
    found += [Finding(kind, *span) for kind, detect in DETECTORS.items() if kind in wanted for span in detect(text)]
    for finding in found:
        place = bisect(starts, finding.start)
        before, after = spans[place - 1 : place], spans[place : place + 1]
        if all(other.end <= finding.start for other in before) and all(finding.end <= other.start for other in after):
            starts.insert(place, finding.start)
            spans.insert(place, finding)
    return spans


def mask(text: str, findings: Sequence[Finding]) -> str:
    """Returns the text with every finding replaced by its kind.

    >>> mask("Write to a@b.example.", [Finding("EMAIL", 9, 20)])
    'Write to [EMAIL].'
    """
    parts, end = [], 0
    for finding in findings:
        parts += [text[end : finding.start], f"[{finding.kind}]"]
        end = finding.end
    return "".join([*parts, text[end:]])


def _emails(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in _EMAIL.finditer(text))


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    for match in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(match[0][:2])
        end = None if length is None else _end_of(match[0], length)
        if end is not None and _mod_97(match[0][:end].replace(" ", "")):
            yield match.start(), match.start() + end


def _end_of(candidate: str, length: int) -> int | None:
    """Returns where the first `length` characters other than spaces end, if a group ends there."""
    seen = 0
    for position, character in enumerate(candidate):
        seen += character != " "
        if seen == length:
            return None if candidate[position + 1 : position + 2].isalnum() else position + 1
    return None


def _mod_97(iban: str) -> bool:
    """ISO 7064 MOD 97-10 over the number with its first four characters moved to the end."""
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for match in _CARD.finditer(text):
        number = "".join(filter(str.isdigit, match[0]))
        if _ISSUED.fullmatch(number) and _luhn(number):
            yield match.span()


def _luhn(number: str) -> bool:
    """ISO/IEC 7812-1 check digit."""
    digits = [int(digit) for digit in number]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[::-2]) + sum(doubled)) % 10 == 0


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for match in _PHONE.finditer(text):
        digits = sum(map(str.isdigit, match[0]))
        if match["bare"] and not _CALLS.search(text[max(0, match.start() - _CONTEXT_CHARS) : match.start()]):
            continue
        if match["national"] and not 9 <= digits <= 12:
            continue
        yield match.span()


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            before = text[max(0, match.start() - _CONTEXT_CHARS) : match.start()]
            if len(match[0]) > len("a::b") and _is_address(match[0]) and not _VERSION.search(before):
                yield match.span()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


DETECTORS: Mapping[str, Callable[[str], Iterator[tuple[int, int]]]] = {
    "EMAIL": _emails,
    "IBAN": _ibans,
    "CREDIT_CARD": _cards,
    "IP_ADDRESS": _addresses,
    "PHONE": _phones,
}
"""Detectors by kind, the surer first."""
