"""Step 1: the byte-level BPE vocabulary, lossless for code and spaces.

The teacher's word list is one of its texts, each word in lower case and capitalised: words that are common in general
English but rare in documentation get a token of their own, and with it the teacher's embedding.
"""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from lakerag.models.t5_grounded.layout import SPECIAL_WORDS
from training.config import Recipe
from training.corpus import read_documents, read_lines

PAD, END, UNKNOWN = 0, 1, 2
SENTINELS = 64
WORD_LIST_REPEATS = 12


def sentinel(number: int) -> int:
    """Returns the token that stands for the n-th gap of a corrupted text."""
    return UNKNOWN + 1 + number


def train(recipe: Recipe) -> Tokenizer:
    """Trains the vocabulary on a sample that no single source dominates."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    specials = ["<pad>", "</s>", "<unk>"] + [f"<extra_id_{n}>" for n in range(SENTINELS)]
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.tokenizer.vocabulary - len(SPECIAL_WORDS),
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=24,
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(recipe), trainer)
    tokenizer.add_tokens([AddedToken(word, lstrip=True, normalized=False, special=False) for word in SPECIAL_WORDS])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", END)])
    return tokenizer


def load(recipe: Recipe) -> Tokenizer:
    return Tokenizer.from_file(str(recipe.work / "tokenizer.json"))


def _texts(recipe: Recipe) -> Iterator[str]:
    documents = read_documents(recipe.texts / "docs.jsonl.xz", recipe.keep_sources)
    random.Random(recipe.seed).shuffle(documents)
    used: dict[str, int] = {}
    for document in documents:
        if used.get(document.source, 0) < recipe.tokenizer.chars_per_source:
            used[document.source] = used.get(document.source, 0) + len(document.text)
            yield document.text
    for row in read_lines(recipe.texts / "questions.jsonl.xz"):
        yield f"{row['sentence']} {row['question']}"
    for row in read_lines(recipe.texts / "natural_qa.jsonl.xz"):
        yield f"{row['passage']} {row['question']}"
    yield from _word_list(recipe.teacher)


def _word_list(teacher: Path) -> Iterator[str]:
    vocabulary = Tokenizer.from_file(str(teacher / "tokenizer.json")).get_vocab()
    for word in vocabulary:
        if word.isalpha() and len(word) > 2:
            yield f" {word} {word.capitalize()}" * WORD_LIST_REPEATS


def main(recipe: Recipe) -> None:
    target = recipe.work / "tokenizer.json"
    if target.exists():
        return
    if recipe.start is not None:
        shutil.copy(recipe.start / "tokenizer.json", target)
    else:
        train(recipe).save(str(target))


if __name__ == "__main__":
    from training.config import recipe_from_arguments

    main(recipe_from_arguments(__doc__))
