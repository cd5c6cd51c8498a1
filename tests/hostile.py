# ruff: noqa: RUF001 - look-alike characters are what is tested
"""Hostile texts for tests of rights and filters: quotes, escapes, look-alikes, injections."""

import random

QUOTES = (*"\"'`“”＂＇ʼ′", '""', "'''", '\\"', "\\\\", "\\", "\\n", "\\u0022", "\\x22", "%22", "&quot;")
CONTROLS = (*"\n\r\t\0\x07\x1b\x7f\x85\u2028\u2029\ufeff\u200b\u202e",)
SYMBOLS = (*"%_*?$[](){}<>=!&|;:,.#@^~/-+", "//", "/*", "--")
WORDS = (" or ", " and ", " not ", "true", "1==1", " in ", "null", "exists ", "like ", "*", "staff", "acme", "ACME")
LOOKALIKES = ("ｓｔａｆｆ", "stаff", "acmé", "acme\u0301", "аcme", "＊", "∗", "𝕒", "😀", "日本")
INJECTIONS = (
    '"] or tenant != "',
    "'] or tenant != '",
    '"])) or (array_contains_any(acl_groups, ["',
    '\\"] or chunk_id != \\"',
    '") or (tenant like "%',
    '" and false) or ("" == "',
    'staff"] or array_contains(acl_groups, "admins',
)
PIECES = ("", *QUOTES, *CONTROLS, *SYMBOLS, *WORDS, *LOOKALIKES, *INJECTIONS)


def hostile_text(source: random.Random) -> str:
    """A text of up to six pieces, any of which could end a literal or pass for another."""
    return "".join(source.choice(PIECES) for _ in range(source.randint(0, 6)))
