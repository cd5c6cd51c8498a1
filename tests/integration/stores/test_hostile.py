"""Hostile askers and filters against real stores: nobody sees a row that is not theirs.

Every row's tenant, groups and metadata are hostile texts; what may be seen is worked out
in Python. `LAKERAG_HOSTILE_SEARCHES` sets how many searches each store answers,
`LAKERAG_HOSTILE_VALUES` how many hostile groups are shown to it.
"""

import os
import random

import numpy as np
import pytest

from lakerag.records import Access
from lakerag.stores import Query, StoreAddress
from lakerag.stores.filters import parse
from lakerag.stores.milvus import MilvusStore
from lakerag.stores.rows import encode
from tests.fakes.strict_store import can_see, holds
from tests.hostile import PIECES, hostile_text
from tests.integration.stores.conftest import emptied
from tests.stores_fixtures import row

SEARCHES = int(os.environ.get("LAKERAG_HOSTILE_SEARCHES", "150"))
VALUES = int(os.environ.get("LAKERAG_HOSTILE_VALUES", "4000"))
GROUPS = 200
"""Hostile groups of one asker."""
FIELDS = {"team": "text", "tags": "texts", "year": "number"}


def hostile_row(source, n):
    metadata = {"team": hostile_text(source), "year": str(source.randint(2000, 2009)), "tags": hostile_text(source)}
    return row(
        f"k{n}",
        tenant=source.choice(["", PIECES[n % len(PIECES)], hostile_text(source)]),
        acl_groups=[hostile_text(source) for _ in range(source.randint(0, 3))],
        lang=source.choice(["en", '"', "\\", "de"]),
        title=hostile_text(source),
        metadata={key: text for key, text in metadata.items() if source.random() < 0.8},
    )


def asker(source, rows):
    """An asker with rights that are near to some row's, or made up."""
    near = source.choice(rows)
    groups = [*near["acl_groups"], hostile_text(source)]
    tenant = source.choice([near["tenant"], near["tenant"].upper(), hostile_text(source), ""])
    return Access(tenant, tuple(source.sample(groups, source.randint(0, len(groups)))))


def literal(text):
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(escapes.get(character, character) for character in text) + '"'


def expression(source, rows, depth=3):
    """A filter in the language, nested, its literals taken from rows or made up."""
    if depth and source.random() < 0.6:
        word = source.choice([" and ", " or "])
        inner = word.join(f"({expression(source, rows, depth - 1)})" for _ in range(source.randint(2, 3)))
        return f"not ({inner})" if source.random() < 0.3 else inner
    near = source.choice(rows)
    team = literal(near["metadata"].get("team", hostile_text(source)))
    return source.choice(
        [
            f"title {source.choice(['==', '!=', '<', '>='])} {literal(near['title'])}",
            f"lang in [{literal(near['lang'])}, {literal(hostile_text(source))}]",
            f"team {source.choice(['==', '!=', '<=', '>'])} {team}",
            f"team not in [{team}, {literal(hostile_text(source))}]",
            f"{source.choice(['', 'not '])}tags has {literal(near['metadata'].get('tags', ' ').strip())}",
            f"year {source.choice(['==', '!=', '<', '<=', '>', '>='])} {source.choice([2000, 2004.5, 2009, -1])}",
        ]
    )


@pytest.fixture(params=["lite", "milvus"])
def address(request):
    return request.getfixturevalue(f"{request.param}_address")


@pytest.fixture
def filled(address):
    """A store that holds hostile rows, those rows, and the name of their collection."""
    source = random.Random(6)
    strong = MilvusStore(address)
    name = emptied(strong)
    rows = [hostile_row(source, n) for n in range(200)]
    strong.upsert(name, rows)
    assert strong.count(name) == 200
    strong.close()
    # All is written and counted: reading without waiting for the newest writes is as exact, and faster.
    store = MilvusStore(StoreAddress(address.uri, consistency="Eventually"))
    yield store, rows, name
    store.close()


def test_fact_16_no_hostile_group_or_tenant_opens_a_row_that_it_should_not(filled):
    store, rows, name = filled
    source = random.Random(7)
    held = [encode(written) for written in rows]
    for _ in range(VALUES // GROUPS):
        access = asker(source, rows)
        # Texts near to the groups that rows have, so that one that is read wrongly would meet a row.
        near = [group for written in source.sample(rows, 60) for group in written["acl_groups"]]
        altered = [text[:-1] if source.random() < 0.5 else text + hostile_text(source) for text in near]
        made_up = [hostile_text(source) for _ in range(GROUPS - len(altered))]
        hostile = Access(access.tenant, (*access.groups, *(text for text in (*altered, *made_up) if text != "*")))
        found = store.search(name, np.eye(4, dtype=np.float32)[:1], [Query("", hostile, 1000)])[0]
        allowed = {kept["chunk_id"] for kept in held if can_see(hostile, kept)}
        assert {passage.chunk_id for passage in found} == allowed, hostile


def test_fact_16_every_search_sees_exactly_the_rows_that_its_rights_and_filter_allow(filled):
    store, rows, name = filled
    source = random.Random(8)
    held = [encode(written) for written in rows]
    seen = 0
    for n in range(SEARCHES):
        access = asker(source, rows)
        text = expression(source, rows) if n % 3 else ""
        condition = parse(text, FIELDS) if text else None
        found = store.search(name, np.eye(4, dtype=np.float32)[:1], [Query("", access, 1000, condition=condition)])[0]
        allowed = {kept["chunk_id"] for kept in held if can_see(access, kept) and holds(condition, kept)}
        assert {passage.chunk_id for passage in found} == allowed, (access, text)
        seen += len(allowed)
    assert seen > SEARCHES / 10, "the askers saw too little for the test to mean anything"
