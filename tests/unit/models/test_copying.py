"""Answers that can only be copied."""

from collections.abc import Sequence

import pytest

from lakerag.models.t5_grounded.copying import Copy, token_bytes

END = 1
WORDS = (" Nikola", " Tesla", " in", " New", " York", "Te", "sla", "s", " ", "(", ")", ".", " T", "esla")
TOKENS = {word.encode(): number for number, word in enumerate(WORDS, 10)}
NUMBER = {word: number for number, word in enumerate(WORDS, 10)}


def written(passage: str, words: Sequence[str]) -> str:
    copy = Copy(passage, TOKENS, END)
    for word in words:
        assert NUMBER[word] in copy.allowed()
        copy.push(NUMBER[word])
    assert END in copy.allowed()
    return text_of(passage, copy)


def text_of(passage: str, copy: Copy) -> str:
    return passage[slice(*copy.span())]


def test_a_copy_is_a_piece_of_the_passage_to_the_letter() -> None:
    assert written("Nikola Tesla in New\n  York.", [" New", " York"]) == "New\n  York"


def test_a_word_behind_a_mark_can_start_an_answer_though_no_space_stands_before_it() -> None:
    assert written("Nikola (Tesla).", [" Tesla"]) == "Tesla"


def test_only_what_follows_in_the_passage_is_allowed() -> None:
    copy = Copy("Tesla in New York. Tesla.", TOKENS, END)
    copy.push(NUMBER[" Tesla"])

    assert copy.allowed() == sorted([END, NUMBER[" in"], NUMBER[" "], NUMBER["."]])


def test_an_answer_ends_at_the_end_of_a_word() -> None:
    copy = Copy("In Tesla's York", TOKENS, END)
    copy.push(NUMBER[" T"])

    assert END not in copy.allowed()
    assert copy.span() == (3, 8)


def test_letters_of_several_bytes_come_back_whole() -> None:
    passage = "Ogród Saski"
    tokens = {bytes([byte]): byte for byte in range(256)}
    copy = Copy(passage, tokens, 300)
    for byte in b" Ogr\xc3":
        copy.push(byte)

    assert text_of(passage, copy) == "Ogród"


@pytest.mark.parametrize("passage", ["", " \n "])
def test_an_empty_passage_allows_the_end_alone(passage: str) -> None:
    copy = Copy(passage, TOKENS, END)

    assert copy.allowed() == [END]
    assert text_of(passage, copy) == ""


def test_byte_level_tokens_are_read_and_marks_left_out() -> None:
    vocabulary = {"<pad>": 0, "</s>": 1, "<extra_id_0>": 3, "ĠNew": 5, "Ã³": 6, "<": 7}

    assert token_bytes(vocabulary) == {b" New": 5, "ó".encode(): 6, b"<": 7}
