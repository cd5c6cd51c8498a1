"""Personal data: precision and recall on the planted set of the evaluation corpora, by type.

    LAKERAG_CORPORA=DIR python benchmarks/personal_data.py

Reads `hostile/pii_labels.json`. A finding and a label match where they are of one type and overlap; findings on
decoys count against precision. `documents`: in the text of the documents, where masking looks, labels placed by their
value; `files`: in the raw files, labels placed by their offsets. `left` counts labelled values that a document still
holds when all types are masked. Prints one JSON line.
"""

import json
import os
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

from lakerag.config import Source
from lakerag.silver.documents import Recipe, to_document
from lakerag.silver.personal_data import DETECTORS, Finding, find_personal_data

Labels = dict[str, list[Finding]]


def scored(texts: dict[str, str], labels: Labels) -> dict[str, dict[str, Any]]:
    counts = {"found": Counter[str](), "right": Counter[str](), "labelled": Counter[str](), "met": Counter[str]()}
    for path, text in texts.items():
        found = find_personal_data(text, DETECTORS, {})
        wanted = labels.get(path, [])
        counts["found"].update(finding.kind for finding in found)
        counts["right"].update(one.kind for one in found if any(overlap(one, other) for other in wanted))
        counts["labelled"].update(label.kind for label in wanted)
        counts["met"].update(one.kind for one in wanted if any(overlap(one, other) for other in found))
    for counter in counts.values():
        counter["all"] = counter.total()
    return {
        kind: {
            "labels": labelled,
            "precision": round(counts["right"][kind] / counts["found"][kind], 3) if counts["found"][kind] else None,
            "recall": round(counts["met"][kind] / labelled, 3),
        }
        for kind, labelled in sorted(counts["labelled"].items())
    }


def overlap(one: Finding, other: Finding) -> bool:
    return one.kind == other.kind and one.start < other.end and other.start < one.end


def placed(path: str, labels: list[dict[str, Any]], text: str) -> list[Finding]:
    """The labels of a file where their values stand in its document; comments, for one, are no part of it."""
    found = []
    ends: dict[str, int] = {}
    for label in (label for label in labels if label["file"] == path):
        value = label["text"]
        start = text.find(value, ends.get(value, 0))
        if start >= 0:
            ends[value] = start + len(value)
            found.append(Finding(label["type"], start, ends[value]))
    return found


def main() -> None:
    folder = Path(os.environ["LAKERAG_CORPORA"]) / "hostile"
    planted = json.loads((folder / "pii_labels.json").read_text(encoding="utf-8"))
    labels = planted["labels"]
    paths = {one["file"] for one in [*labels, *planted["decoys"]]}
    with tarfile.open(folder / "files.tar.gz") as archive:
        raw = {path: archive.extractfile(path).read() for path in sorted(paths)}  # type: ignore[union-attr]
    plain, masking = Recipe.of(Source()), Recipe.of(Source(mask=tuple(DETECTORS)))  # type: ignore[arg-type]
    texts = {path: to_document(path, "sha", content, plain)["text"] for path, content in raw.items()}
    masked = {path: to_document(path, "sha", content, masking)["text"] for path, content in raw.items()}
    in_documents = {path: placed(path, labels, text) for path, text in texts.items()}
    in_files: Labels = {}
    for label in labels:
        in_files.setdefault(label["file"], []).append(Finding(label["type"], label["start"], label["end"]))
    result = {
        "benchmark": "personal_data",
        "decoys": len(planted["decoys"]),
        "documents": scored(texts, in_documents),
        "files": scored({path: content.decode() for path, content in raw.items()}, in_files),
        "left": sum(label["text"] in masked[label["file"]] for label in labels),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
