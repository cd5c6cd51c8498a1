"""Rows of data as text: each a block of `name: value` lines that can be read alone."""

from collections.abc import Iterable, Sequence

from lakerag.silver.parsers.base import Parsed, RefusedError, RefusedRow

MAX_LISTED = 1000
"""Refused rows that are kept one by one; the flag `refused_rows:n` counts them all."""


def from_records(blocks: Sequence[str], refusals: Sequence[RefusedRow]) -> Parsed:
    """Returns the blocks of records as one document: a blank line between two.

    Raises:
        RefusedError: `corrupt` where no row is good, `empty` where there is none.
    """
    if not blocks:
        if refusals:
            raise RefusedError(
                "corrupt", f"None of {len(refusals)} rows is good; line {refusals[0].line}: {refusals[0].detail}."
            )
        raise RefusedError("empty", "There is no row.")
    return Parsed(
        "\n\n".join(blocks),
        metadata={"records": str(len(blocks))},
        flags=(f"refused_rows:{len(refusals)}",) if refusals else (),
        refused_rows=tuple(refusals[:MAX_LISTED]),
    )


def to_block(fields: Iterable[tuple[str, str]]) -> str:
    """Returns the (name, value) of a record as lines of `name: value`, empty ones left out; names may repeat."""
    return "\n".join(f"{name}: {value}" for name, value in fields if value.strip())
