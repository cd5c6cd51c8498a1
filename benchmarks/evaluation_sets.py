"""Lays the evaluation corpora out as folders to ingest and files to ask, for `lakerag evaluate`.

    LAKERAG_CORPORA=FOLDER python benchmarks/evaluation_sets.py --into OUT

Writes `OUT/SET/docs/` and the questions beside it, for the sets `tldr` (pages as they are), `tldr-masked` (without
the descriptions that the queries were made of), `xquad` (one document a paragraph), `xquad-hard` (the last paragraph
of every article left out, its questions unanswerable) and `chunking`. Then, for each:

    lakerag run --source OUT/SET/docs --home OUT/SET/home
    lakerag evaluate --home OUT/SET/home --retrieval OUT/SET/retrieval.jsonl --qa OUT/SET/qa.jsonl

Prints one JSON line: documents and questions by set.
"""

import argparse
import json
import os
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LAST_PARAGRAPH = 4
"""Every article of the dev set has five."""


def write_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")


def write_page(path: Path, title: str, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"---\ntitle: {json.dumps(title)}\n---\n{text}\n", encoding="utf-8")


def tldr(corpora: Path, into: Path, *, masked: bool) -> None:
    with tarfile.open(corpora / "tldr" / "pages.tar.gz") as archive:
        archive.extractall(into / "docs", filter="data")
    if masked:
        for page in (into / "docs").rglob("*.md"):
            lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
            page.write_text("".join(line for line in lines if not line.startswith("- ")), encoding="utf-8")
    shutil.copyfile(corpora / "tldr" / "known_item_dev.jsonl", into / "retrieval.jsonl")


def xquad(corpora: Path, into: Path, *, hard: bool) -> None:
    articles = json.loads((corpora / "xquad" / "dev.json").read_text(encoding="utf-8"))["data"]
    asked, relevant = [], []
    for article in articles:
        for number, paragraph in enumerate(article["paragraphs"]):
            left_out = hard and number == LAST_PARAGRAPH
            path = f"{article['title']}/{number}.md"
            if not left_out:
                write_page(into / "docs" / path, article["title"].replace("_", " "), paragraph["context"])
                relevant += [{"query": qa["question"], "relevant": [path]} for qa in paragraph["qas"]]
            questions = [{**qa, "answers": [], "is_impossible": True} if left_out else qa for qa in paragraph["qas"]]
            asked.append({"context": paragraph["context"], "qas": questions})
    squad = {"version": "v2.0", "data": [{"title": "dev", "paragraphs": asked}]}
    (into / "qa.json").write_text(json.dumps(squad, ensure_ascii=False), encoding="utf-8")
    write_lines(into / "retrieval.jsonl", relevant)
    if not hard:
        lines = (corpora / "xquad" / "dev_unanswerable.jsonl").read_text(encoding="utf-8").splitlines()
        records = [json.loads(line) for line in lines]
        write_lines(
            into / "unanswerable.jsonl",
            ({"question": record["question"], "answers": [], "is_impossible": True} for record in records),
        )


def chunking(corpora: Path, into: Path) -> None:
    with tarfile.open(corpora / "chunking" / "corpora.tar.gz") as archive:
        archive.extractall(into / "docs", filter="data")
    shutil.copyfile(corpora / "chunking" / "questions_dev.jsonl", into / "spans.jsonl")


def main(corpora: Path, into: Path) -> None:
    for name in ("tldr", "tldr-masked", "xquad", "xquad-hard", "chunking"):
        shutil.rmtree(into / name / "docs", ignore_errors=True)
        (into / name).mkdir(parents=True, exist_ok=True)
    tldr(corpora, into / "tldr", masked=False)
    tldr(corpora, into / "tldr-masked", masked=True)
    xquad(corpora, into / "xquad", hard=False)
    xquad(corpora, into / "xquad-hard", hard=True)
    chunking(corpora, into / "chunking")
    sizes = {
        place.name: {
            "documents": sum(path.is_file() for path in (place / "docs").rglob("*")),
            "files": sorted(path.name for path in place.glob("*.json*")),
        }
        for place in sorted(into.iterdir())
        if (place / "docs").is_dir()
    }
    print(json.dumps(sizes))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, required=True)
    main(Path(os.environ["LAKERAG_CORPORA"]), parser.parse_args().into)
