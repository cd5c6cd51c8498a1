"""Rights beside documents reach them, and only them, and follow every change."""

from lakerag.catalog import Catalog
from lakerag.tables import SILVER_DOCUMENTS
from tests.integration.silver.stage import Land, run, versions


def groups(catalog: Catalog) -> dict[str, list[str]]:
    rows = catalog.read(SILVER_DOCUMENTS).select("path", "acl_groups").toLocalIterator()
    return {row["path"]: row["acl_groups"] for row in rows}


def test_sidecars_are_no_documents_and_are_inherited_downwards(catalog: Catalog, land: Land) -> None:
    files: dict[str, bytes | None] = dict.fromkeys(
        ("a.md", "hr/b.md", "hr/pay/c.md", "hr/pay/d.md", "hrx/e.md"), b"Text"
    )
    land(files | {"hr/_meta.yml": b"acl_groups: hr", "hr/pay/d.md.meta.json": b'{"acl_groups": ["boss"]}'})
    assert run(catalog) == {"upserted": 5, "deleted": 0, "quarantined": 0, "documents": 5, "in_quarantine": 0}
    assert groups(catalog) == {
        "a.md": ["*"],
        "hr/b.md": ["hr"],
        "hr/pay/c.md": ["hr"],
        "hr/pay/d.md": ["boss"],
        "hrx/e.md": ["*"],
    }


def test_a_change_beside_touches_only_what_it_speaks_of(catalog: Catalog, land: Land) -> None:
    land({"a.md": b"Text", "hr/b.md": b"Text", "hr/empty.md": b" ", "hr/_meta.yml": b"acl_groups: hr"})
    run(catalog)
    land({"hr/_meta.yml": b"acl_groups: [hr, law]"})
    assert run(catalog) == {"upserted": 1, "deleted": 0, "quarantined": 1, "documents": 2, "in_quarantine": 1}
    assert groups(catalog) == {"a.md": ["*"], "hr/b.md": ["hr", "law"]}
    land({"hr/_meta.yml": None, "_meta.yml": b"acl_groups: [all"})
    run(catalog)
    assert groups(catalog) == {"a.md": [], "hr/b.md": []}
    before = versions(catalog)
    run(catalog)
    assert versions(catalog) == before
