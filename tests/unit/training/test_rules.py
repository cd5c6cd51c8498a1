"""Questions that documentation asks by its form."""

import random

from training.corpus import Passage
from training.rules import RuleQuestion, questions


def asked(*blocks: str, heading: str = "", starts: bool = True) -> list[RuleQuestion]:
    passage = Passage((heading,) if heading else (), blocks, starts)
    return questions(passage, heading, random.Random(1))


def test_heading_with_a_verb_asks_how_and_the_lead_answers() -> None:
    (found,) = asked("You can create a table from any query result.", heading="Creating a table")

    assert found.kind == "heading how"
    assert "create a table" in found.question
    assert found.answer == "You can create a table from any query result."


def test_headings_that_name_a_section_ask_nothing() -> None:
    assert asked("Returns a reference to the required element.", heading="Return value") == []


def test_code_after_its_announcement_answers_with_the_command() -> None:
    found = asked("To list the pods, run:", "```\nkubectl get pods\n```")

    assert [(q.kind, q.answer) for q in found] == [("command", "kubectl get pods")]
    assert "list the pods" in found[0].question


def test_default_in_a_list_item_is_asked_for_by_the_items_name() -> None:
    found = {q.kind: q for q in asked("- `interval`: Minutes between two readings. The default is 15.")}

    assert found["option"].answer == "Minutes between two readings."
    assert found["default"].answer == "15"
    assert "interval" in found["default"].question


def test_table_cell_is_asked_for_by_row_and_column() -> None:
    (found,) = asked("| Name | Type |\n|---|---|\n| port | integer |")

    assert found == RuleQuestion("table", "What is the type of port?", "integer")


def test_sentences_about_this_or_that_are_not_asked_about() -> None:
    assert asked("This is a table of all the values that were read.") == []
