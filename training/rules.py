"""Questions that documentation answers by its form: headings, definitions, settings, tables, commands.

The patterns are plain on purpose. Their questions echo the text; the questions that do not come from the writer.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from training.corpus import FENCE, Passage, sentences, squeeze, word_list

VERBS = word_list("verbs")
VAGUE = word_list("vague")
SECTION_NAMES = re.compile(
    r"(see also|remarks|examples?|syntax|requirements|parameters|return value|notes?|overview|summary|introduction|"
    r"description|references?|next steps|related|prerequisites|inputs|outputs|links|abstract|copyright)\b",
    re.IGNORECASE,
)
HOW = ("How do I {}?", "How can I {}?", "How to {}?", "how to {}", "How do you {}?", "What is the way to {}?")
WHAT = ("What is {}?", "What is {}?", "What does {} mean?", "Explain {}.", "What is {} used for?", "{}")
OPTION = ("What does {} do?", "What is {}?", "What is {} for?", "What does the {} option do?")
DEFAULT = ("What is the default value of {}?", "What is the default {}?", "What does {} default to?")
DEFAULT_VALUE = re.compile(
    r"\bdefaults?(?: value)?(?: is| to|:|=) *:? *"
    r"(`[^`]+`|\"[^\"]+\"|\d+(?:\.\d+)*\w*|true|false|none|null|enabled|disabled)",
    re.IGNORECASE,
)
ITEM = re.compile(r"(?m)^\s*[-*+] +(`?[^\n:`]{2,45}`?)(?::| [-\u2013\u2014]) +([^\n]{12,260})")
INTRO = (
    re.compile(r"^(?:\d+\. |[-*] )?To ([a-z]+ [^,:]{4,80})[,:]"),
    re.compile(r"\bto ([a-z]+ [^,:.]{4,70}):$"),
    re.compile(r"^(?:\d+\. |[-*] )?([A-Z][a-z]+ .{4,80}?)(?: (?:by|with|using) .*)?:$"),
)
"""How a sentence announces the code block that follows."""
MAX_ANSWER_CHARS = 300


@dataclass(frozen=True, slots=True)
class RuleQuestion:
    """A question of one of the kinds below and its answer."""

    kind: str
    question: str
    answer: str


def questions(passage: Passage, title: str, pick: random.Random) -> list[RuleQuestion]:
    """Returns the questions that the passage's form asks, each with an answer that stands in it."""
    found = [
        *_heading(passage, title, pick),
        *_commands(passage, pick),
        *_sentences(passage, pick),
        *_items(passage, pick),
        *_tables(passage, pick),
    ]
    text = squeeze(passage.text)
    return [
        q for q in found if 0 < len(q.answer) <= MAX_ANSWER_CHARS and 6 < len(q.question) < 220 and q.answer in text
    ]


def prose(passage: Passage) -> list[str]:
    """Returns the passage's whole sentences, those of lists included, code and tables left out."""
    kept = []
    for block in passage.blocks:
        if FENCE.match(block) or block.lstrip().startswith("|") or block.startswith("    "):
            continue
        for item in re.split(r"\n\s*(?:[-*+]|\d+\.)\s+", "\n" + block):
            kept += [s for s in sentences(squeeze(item)) if 5 <= len(s.split()) <= 45 and s[-1] in ".!?"]
    return kept


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _how(action: str, pick: random.Random) -> str:
    mine = re.sub(r"\byour\b", "my", _lower_first(action.rstrip(".:")))
    return pick.choice(HOW).format(mine)


def _action(heading: str) -> str | None:
    """Returns what a heading says to do ("Create a table", "How to create a table", "Creating a table")."""
    heading = re.sub(r"^how to ", "", heading, flags=re.IGNORECASE)
    first, _, rest = heading.partition(" ")
    if not rest:
        return None
    verb = first.lower()
    if verb.endswith("ing"):
        verb = next((v for v in (verb[:-3], verb[:-3] + "e", verb[:-4]) if v in VERBS), verb)
    return f"{verb} {rest}" if verb in VERBS else None


def _heading(passage: Passage, title: str, pick: random.Random) -> Iterator[RuleQuestion]:
    heading, lead = passage.heading, prose(passage)[:2]
    if not (passage.starts_section and heading and lead) or len(heading) > 80 or SECTION_NAMES.match(heading):
        return
    answer = " ".join(lead) if len(lead[0].split()) < 9 else lead[0]
    action = _action(heading)
    inside = f" in {title}" if title != heading and len(title) < 40 and pick.random() < 0.25 else ""
    if heading.endswith("?"):
        yield RuleQuestion("faq", heading, answer)
    elif action:
        yield RuleQuestion("heading how", _how(action + inside, pick), answer)
    elif len(heading.split()) <= 6:
        yield RuleQuestion("heading what", pick.choice(WHAT).format(heading + inside), answer)


def _commands(passage: Passage, pick: random.Random) -> Iterator[RuleQuestion]:
    for block, code in pairwise(passage.blocks):
        lines = [line.strip() for line in code.split("\n") if line.strip() and not FENCE.match(line)]
        intro = sentences(squeeze(block))[-1:]
        if not FENCE.match(code) or not intro or not lines or len(lines) > 3:
            continue
        action = next((match[1] for form in INTRO if (match := form.search(intro[0]))), "").lower()
        if action.split(" ")[0] in VERBS:
            yield RuleQuestion("command", _how(action, pick), " ".join(lines))


def _sentences(passage: Passage, pick: random.Random) -> Iterator[RuleQuestion]:
    for sentence in prose(passage):
        if match := re.match(r"^To ([a-z]+ [^,]{4,80}), .{8,220}$", sentence):
            if match[1].split()[0] in VERBS:
                yield RuleQuestion("to do", _how(match[1], pick), sentence)
        elif match := re.match(r"^Use (.{3,60}?) to ([a-z]+ .{5,120})\.$", sentence):
            yield RuleQuestion("use", f"What can I use to {match[2]}?", match[1])
        elif match := re.match(r"^((?:The |A |An )?[^,.]{2,50}?) (is|are) ((?:an?|the|used) .{8,220})\.$", sentence):
            if match[1].split()[0].lower() not in VAGUE:
                yield RuleQuestion("define", f"What {match[2]} {_lower_first(match[1])}?", sentence)
        elif match := re.match(r"^(If|When) ([^,]{8,90}), (.{10,180})\.$", sentence):
            yield RuleQuestion("condition", f"What happens {match[1].lower()} {match[2]}?", sentence)
        if match := DEFAULT_VALUE.search(sentence):
            names = re.findall(r"`([^`]{2,40})`", sentence[: match.start()]) or [passage.heading]
            yield RuleQuestion("default", pick.choice(DEFAULT).format(names[-1]), match[1])


def _items(passage: Passage, pick: random.Random) -> Iterator[RuleQuestion]:
    for name, description in ITEM.findall(passage.text)[:12]:
        if len(name.split()) > 5:
            continue
        yield RuleQuestion("option", pick.choice(OPTION).format(name.strip()), sentences(description)[0])
        if match := DEFAULT_VALUE.search(description):
            yield RuleQuestion("default", pick.choice(DEFAULT).format(name.strip("` ")), match[1])


def _tables(passage: Passage, pick: random.Random) -> Iterator[RuleQuestion]:
    for block in passage.blocks:
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in block.split("\n")]
        if not block.lstrip().startswith("|") or len(rows) < 3 or len(rows[0]) < 2:
            continue
        for row in rows[2:14]:
            if len(row) == len(rows[0]) and 1 < len(row[0]) < 45:
                column = pick.randrange(1, len(row))
                if row[column] and rows[0][column]:
                    asked = f"What is the {rows[0][column].lower()} of {row[0]}?"
                    yield RuleQuestion("table", asked, row[column])
