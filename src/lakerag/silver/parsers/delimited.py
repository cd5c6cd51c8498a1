"""CSV and TSV: rows as records, with the header's names repeated in each."""

import csv
import io
from collections.abc import Iterator

from lakerag.silver.parsers.base import Parsed, RefusedError, RefusedRow
from lakerag.silver.parsers.records import from_records, to_block

csv.field_size_limit(2**31 - 1)  # fields are bounded by the file's own limit

_DELIMITERS = ",;\t|"


def parse_csv(text: str) -> Parsed:
    """Parses a table (RFC 4180) whose first row is the header.

    The delimiter is the one that the header holds most often. Rows with too many or too
    few fields or a wrong quote are left out and named one by one; one whose quote is
    never closed reaches to the end.
    """
    delimiter = max(_DELIMITERS, key=text.lstrip("\n").partition("\n")[0].count)
    rows = _rows(text, delimiter)
    _, header, _ = next(rows, (0, [], ""))
    if not header:
        raise RefusedError("empty", "The table has no header.")
    names = [name.strip() or f"column {n}" for n, name in enumerate(header, 1)]
    blocks, refusals = [], []
    for line, fields, problem in rows:
        if not problem and len(fields) == len(names):
            blocks.append(to_block(zip(names, fields, strict=True)))
        else:
            found = f"{len(fields)} fields instead of {len(names)}"
            refusals.append(RefusedRow(line, "quote" if problem else "fields", problem or found))
    return from_records(blocks, refusals)


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """Yields (line that the row begins on, fields, what is wrong) of every row that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, [], str(error)
            continue
        if any(field.strip() for field in fields):
            yield line, fields, ""
