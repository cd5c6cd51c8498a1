"""Rows of data as text: each a block of `name: value` lines that can be read alone."""

from collections.abc import Iterable, Mapping, Sequence

from lakerag.silver.parsers.base import Parsed, RefusedError

MAX_LISTED = 100
"""Refused rows that are named one by one."""

Refusals = Sequence[tuple[int, str]]
"""(number of the line, from 1; what is wrong with it)."""


def from_records(records: Iterable[Mapping[str, str]], refusals: Refusals) -> Parsed:
    """Returns records as one document: a blank line between two, empty fields left out.

    Raises:
        RefusedError: `corrupt` where no row is good, `empty` where there is none.
    """
    blocks = [to_block(record) for record in records]
    if not blocks:
        if refusals:
            raise RefusedError(
                "corrupt", f"None of {len(refusals)} rows is good; line {refusals[0][0]}: {refusals[0][1]}."
            )
        raise RefusedError("empty", "There is no row.")
    return Parsed("\n\n".join(blocks), metadata={"records": str(len(blocks))}, flags=_flags(refusals))


def to_block(record: Mapping[str, str]) -> str:
    """Returns a record as lines of `name: value`, empty fields left out."""
    return "\n".join(f"{name}: {value}" for name, value in record.items() if value.strip())


def _flags(refusals: Refusals) -> tuple[str, ...]:
    if not refusals:
        return ()
    listed = (f"refused_row:{line} ({problem})" for line, problem in refusals[:MAX_LISTED])
    return (f"refused_rows:{len(refusals)}", *listed)
