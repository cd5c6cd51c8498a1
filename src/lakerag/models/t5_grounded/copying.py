"""Decoding that can only copy: every answer is a piece of the cited passage, so that no name is ever misspelt."""

import re
from collections.abc import Iterator, Mapping

_WORD = re.compile(rb"[0-9A-Za-z\x80-\xff]")


def token_bytes(vocabulary: Mapping[str, int]) -> dict[bytes, int]:
    """Returns what each token of a byte-level vocabulary writes; special tokens are left out."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in printable]
    alphabet = {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(hidden)}
    return {
        bytes(alphabet[mark] for mark in token): number
        for token, number in vocabulary.items()
        if all(mark in alphabet for mark in token) and not re.fullmatch(r"<[^ ]+>|</s>", token)
    }


class Copy:
    """One answer on its way: where in the passage the tokens so far stand, and which may follow.

    Args:
        passage: The text to copy from; a run of white space counts as one space.
        tokens: What `token_bytes` returned.
        end: The token that ends an answer.
    """

    def __init__(self, passage: str, tokens: Mapping[bytes, int], end: int) -> None:
        self._passage = passage
        self._tokens, self._end = tokens, end
        self._longest = max(map(len, tokens), default=0)
        self._text, self._places = _squeeze(passage)
        self._at: dict[int, int] = {}
        """Start of every piece that matches so far, by its end."""
        self._begun = False
        self._next = list(self._steps())

    def allowed(self) -> list[int]:
        """Returns the tokens that may come next; the end alone where the passage is empty."""
        found = {number for number, _, _ in self._next}
        if any(self._ends_word(at) for at in self._at):
            found.add(self._end)
        return sorted(found) or [self._end]

    def push(self, token: int) -> None:
        """Takes the next token, one of `allowed`."""
        chosen = [(start, after) for number, start, after in self._next if number == token]
        self._at = {after: start for start, after in sorted(chosen, reverse=True)}
        self._begun = True
        self._next = list(self._steps())

    def span(self) -> tuple[int, int]:
        """Returns the piece of the passage to the end of its last word: its first character, and one past its last."""
        if not self._at:
            return 0, 0
        stop, start = min(self._at.items(), key=lambda item: item[1])
        while not self._ends_word(stop):
            stop += 1
        return self._places[start], self._places[stop - 1] + 1

    def _steps(self) -> Iterator[tuple[int, int, int]]:
        """Yields (token, start of the piece, its end with that token)."""
        if self._begun:
            for at, start in self._at.items():
                for length in range(1, min(self._longest, len(self._text) - at) + 1):
                    number = self._tokens.get(self._text[at : at + length])
                    if number is not None:
                        yield number, start, at + length
            return
        for start in range(len(self._text)):
            if self._starts_word(start):
                shown = b" " + self._text[start : start + self._longest - 1]
                for length in range(1, len(shown) + 1):
                    number = self._tokens.get(shown[:length])
                    if number is not None:
                        yield number, start, start + length - 1

    def _starts_word(self, at: int) -> bool:
        return self._text[at : at + 1] != b" " and not (at and self._joined(at))

    def _ends_word(self, at: int) -> bool:
        return at >= len(self._text) or not self._joined(at)

    def _joined(self, at: int) -> bool:
        """Tells whether the bytes before and at `at` belong to one word."""
        return bool(_WORD.match(self._text, at - 1) and _WORD.match(self._text, at))


def _squeeze(passage: str) -> tuple[bytes, list[int]]:
    """Returns the passage in UTF-8 with single spaces, and the character that each byte comes from."""
    text, places = bytearray(), list[int]()
    for position, character in enumerate(passage):
        if character.isspace():
            if text and text[-1:] != b" ":
                text += b" "
                places.append(position)
            continue
        encoded = character.encode()
        text += encoded
        places += [position] * len(encoded)
    return bytes(text), places
