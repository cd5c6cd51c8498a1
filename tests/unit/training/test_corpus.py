"""Documents, and the passages they are cut into."""

from pathlib import Path

from training.corpus import Document, Passage, cut_into_passages, read_documents, read_lines, sentences, write_lines

PAGE = """# Tables

A table holds rows.

## Create

To create one, run:

```sql
# not a heading

CREATE TABLE t;
```
"""


def test_passages_carry_the_headings_above_them_and_whole_code_blocks() -> None:
    assert cut_into_passages(Document("s", "p", PAGE)) == [
        Passage(("Tables",), ("A table holds rows.",), True),
        Passage(
            ("Tables", "Create"),
            ("To create one, run:", "```sql\n# not a heading\n\nCREATE TABLE t;\n```"),
            True,
        ),
    ]


def test_long_sections_are_cut_between_blocks_and_only_the_first_starts_the_section() -> None:
    block = "word " * 60
    passages = cut_into_passages(Document("s", "p", f"# T\n\n{block}\n\n{block}\n\n{block}\n\n{block}"))

    assert [p.starts_section for p in passages] == [True, *[False] * (len(passages) - 1)]
    assert sum(len(p.blocks) for p in passages) == 4
    assert len(passages) > 1


def test_sources_with_share_zero_are_left_out(tmp_path: Path) -> None:
    rows = [{"source": "a", "path": "1", "text": "x"}, {"source": "b", "path": "1", "text": "y"}]
    write_lines(tmp_path / "docs.jsonl.xz", rows)

    assert [d.source for d in read_documents(tmp_path / "docs.jsonl.xz", {"a": 0.0})] == ["b"]


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    write_lines(tmp_path / "rows.jsonl.xz", [{"text": "ä\nb"}])

    assert list(read_lines(tmp_path / "rows.jsonl.xz")) == [{"text": "ä\nb"}]


def test_sentences_end_before_capitals_only() -> None:
    assert sentences("It is v1.2 now. Use e.g. this. `Go` on.") == ["It is v1.2 now.", "Use e.g. this.", "`Go` on."]
