"""Rights are declared, else given by the source; mistakes close a document."""

from typing import Any

import pytest

from lakerag.silver.rights import Rights, split_rights


@pytest.mark.parametrize(
    ("declared", "protected", "rights"),
    [
        ({}, False, Rights("", ("*",))),
        ({}, True, Rights("", ())),
        ({"acl_groups": ["b", "a", "b", " "]}, True, Rights("", ("a", "b"))),
        ({"acl_groups": "b, a,"}, False, Rights("", ("a", "b"))),
        ({"acl_groups": "*"}, True, Rights("", ("*",))),
        ({"acl_groups": ""}, False, Rights("", ())),
        ({"acl_groups": []}, False, Rights("", ())),
        ({"acl_groups": {"a": "b"}}, False, Rights("", ())),
        ({"acl_groups": ["a", ["b"]]}, False, Rights("", ())),
        ({"tenant": " north "}, False, Rights("north", ("*",))),
        ({"tenant": "north"}, True, Rights("north", ())),
        ({"tenant": ["north"]}, False, Rights("", ())),
    ],
)
def test_rights_of_a_document(declared: dict[str, Any], protected: bool, rights: Rights) -> None:
    assert split_rights(declared, protected) == (rights, {})


def test_other_facts_stay_in_the_metadata() -> None:
    assert split_rights({"tenant": "t", "kind": "guide"}, False)[1] == {"kind": "guide"}
