import math

import numpy as np
import pytest

from lakerag.errors import ModelError
from lakerag.models.extractive.cues import asked_kind, bears_answer, marks
from lakerag.models.extractive.features import FEATURES, describe
from lakerag.models.extractive.reading import Reading
from lakerag.models.extractive.scorer import Scorer
from lakerag.models.extractive.words import max_rarity, rarity, split_words, stem
from lakerag.records import Passage, Prompt
from tests.fakes.embedder import HashingEmbedder

VALUES = {
    "features": list(FEATURES),
    "mean": [0.0] * len(FEATURES),
    "scale": [1.0] * len(FEATURES),
    "hidden": [[0.0]] * len(FEATURES),
    "hidden_bias": [0.0],
    "output": [0.0],
    "linear": [1.0] + [0.0] * (len(FEATURES) - 1),
    "bias": 0.0,
}


def features_with_first(*values: float) -> np.ndarray:
    features = np.zeros((len(values), len(FEATURES)))
    features[:, 0] = values
    return features


def described(question: str, *texts: str) -> dict[str, list[float]]:
    passages = tuple(Passage("c", "d", "p", "", "", text, 0, len(text), 0.0) for text in texts)
    reading = Reading.of(Prompt(question, passages, "", 0, 0))
    rows = describe(reading, HashingEmbedder().embed(reading.texts))
    return {name: [round(float(value), 3) for value in rows[:, column]] for column, name in enumerate(FEATURES)}


def test_chances_are_shared_with_nothing_answers() -> None:
    chances = Scorer.from_values(VALUES).chances(features_with_first(math.log(2), 0.0))
    assert chances == pytest.approx([0.5, 0.25])  # odds 2 : 1 : 1 for the first, the second, nothing


def test_extreme_features_give_finite_chances() -> None:
    assert Scorer.from_values(VALUES).chances(features_with_first(1e4, -1e4)) == pytest.approx([1.0, 0.0])
    assert Scorer.from_values(VALUES).chances(features_with_first(-1e4)) == pytest.approx([0.0])


def test_a_scorer_over_other_features_is_refused() -> None:
    with pytest.raises(ModelError, match="Fit it anew"):
        Scorer.from_values({**VALUES, "features": ["likeness"]})


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who wrote it?", "person"),
        ("In what year was it built?", "time"),
        ("How many people live there?", "number"),
        ("Which city is largest?", "place"),
        ("Why did it fail?", "reason"),
        ("How do I install it?", "manner"),
        ("What is a lame?", "thing"),
    ],
)
def test_the_kind_of_answer_is_read_from_the_question(question: str, kind: str) -> None:
    assert asked_kind(question) == kind


def test_a_capital_at_the_start_of_a_sentence_is_no_name() -> None:
    text = "Sheep graze near Halgrim since 1783"
    assert marks(text, split_words(text), starts_new=True)["name"]
    assert not marks("Sheep graze", ["Sheep", "graze"], starts_new=True)["name"]
    assert bears_answer("time", marks(text, split_words(text), starts_new=True))
    assert not bears_answer("number", marks("Sheep graze", ["Sheep", "graze"], starts_new=True))


def test_forms_of_a_word_share_their_stem() -> None:
    assert stem("Inventions") == stem("invented") == stem("inventing")
    assert stem("Ogród") == stem("ogrod")
    assert stem("1,000") == "1000"
    assert split_words("drop_index() of Jean-Luc's 3.5") == ["drop", "index", "of", "Jean", "Luc's", "3.5"]


def test_rare_words_weigh_more_and_question_words_nothing() -> None:
    assert rarity(stem("which")) == 0.0
    assert rarity(stem("the")) < rarity(stem("people")) < rarity(stem("volcano")) <= max_rarity()
    assert rarity("zurbaran") == max_rarity()


def test_words_of_the_question_are_found_in_the_piece_around_it_and_in_the_passage() -> None:
    seen = described("Did Halgrim erupt?", "Halgrim is high. It erupted. Sheep graze.", "Bread is baked.")
    whole, some = 1.0, seen["covered"][0]
    assert 0 < some < whole
    assert seen["covered"] == [some, pytest.approx(whole - some), 0.0, 0.0]
    assert seen["covered_before"] == [some, whole, pytest.approx(whole - some), 0.0]
    assert seen["covered_passage"] == [whole, whole, whole, 0.0]
    assert seen["missing_share"] == [0.0, 0.0, 0.0, 0.0]
    assert seen["rank"] == [0.0, 0.0, 0.0, 1.0]
    assert seen["order"] == [0.0, 0.5, 1.0, 0.0]


def test_a_question_without_telling_words_can_be_described() -> None:
    assert described("Who is it?", "Halgrim is high.")["covered"] == [0.0]
