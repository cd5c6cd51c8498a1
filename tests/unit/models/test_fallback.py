"""Two generators in one."""

from collections.abc import Sequence

from lakerag.models.drafts import abstention
from lakerag.models.generator import FallbackGenerator
from lakerag.records import Draft, Prompt, Sentence


class Knows:
    """Answers the questions that it knows with its own name."""

    max_prompt_tokens = 100

    def __init__(self, name: str, known: str) -> None:
        self.name, self.known = name, known
        self.asked: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(text)

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int | None = None) -> list[Draft]:
        self.asked += [prompt.question for prompt in prompts]
        return [
            Draft((Sentence(self.name, (0,)),), 0.9, abstained=False)
            if prompt.question in self.known
            else abstention(f"{self.name} does not know")
            for prompt in prompts
        ]


def test_the_second_answers_what_the_first_does_not_and_only_that() -> None:
    first, second = Knows("first", "a"), Knows("second", "ab")

    drafts = FallbackGenerator(first, second).generate([Prompt(q, (), "", 0, 0) for q in "bac"])

    assert [[s.text for s in draft.sentences] for draft in drafts] == [["second"], ["first"], []]
    assert drafts[2].reason == "second does not know"
    assert second.asked == ["b", "c"]
