"""Where references stand in the indexed text."""

import pytest

from lakerag.errors import UsageError
from lakerag.evaluation.datasets import Reference, SpanCase
from lakerag.evaluation.placing import Corpora
from lakerag.evaluation.spans import Span


def row(path, start, text):
    return {"path": path, "start": start, "end": start + len(text), "text": text}


def case(corpus, text, start):
    return SpanCase("q", corpus, (Reference(text, start, start + len(text)),))


ROWS = [row("books/sea.md", 20, "Ships  carry\nsalt."), row("books/sea.md", 0, "Salt is white."), row("b.md", 0, "Ice")]


def test_a_corpus_is_a_path_or_a_file_name_without_its_ending():
    for name in ("sea", "books/sea.md"):
        corpora = Corpora([name], ROWS)
        assert corpora.chunks(name) == [Span("books/sea.md", 20, 38), Span("books/sea.md", 0, 14)]


def test_the_exact_path_wins_over_a_file_name():
    corpora = Corpora(["sea"], [row("sea", 0, "one"), row("books/sea.md", 0, "other")])
    assert corpora.chunks("sea") == [Span("sea", 0, 3)]


def test_a_corpus_that_is_not_indexed_is_named():
    with pytest.raises(UsageError, match=r"corpus 'lake'.*found none"):
        Corpora(["lake"], ROWS)


def test_a_file_name_of_two_documents_is_refused():
    with pytest.raises(UsageError, match=r"found books/sea\.md, sea\.txt"):
        Corpora(["sea"], [*ROWS, row("sea.txt", 0, "x")])


def test_a_reference_that_stands_where_the_set_says_stays_there():
    corpora = Corpora(["sea"], ROWS)
    assert corpora.place(case("sea", "is white", 5)) == [Span("books/sea.md", 5, 13)]


def test_a_reference_moved_by_cleaning_is_found_by_its_words():
    corpora = Corpora(["sea"], ROWS)
    assert corpora.place(case("sea", "Ships carry salt.", 31)) == [Span("books/sea.md", 20, 38)]


def test_of_several_places_the_nearest_is_taken():
    corpora = Corpora(["sea"], [row("sea.md", 0, "salt and salt, again salt")])
    assert corpora.place(case("sea", "salt", 11)) == [Span("sea.md", 9, 13)]


def test_a_reference_may_span_chunks():
    corpora = Corpora(["sea"], ROWS)
    assert corpora.place(case("sea", "white.\n\nShips", 12)) == [Span("books/sea.md", 8, 25)]


def test_references_that_no_chunk_holds_are_counted():
    corpora = Corpora(["sea"], ROWS)
    assert corpora.missing([case("sea", "is white", 5), case("sea", "pepper", 0)]) == 1
