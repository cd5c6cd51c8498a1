"""A bucket as the landing folder, on an S3 server of the test's own."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from pyarrow.fs import FileSystem

from lakerag.bronze.ingest import ingest
from lakerag.bronze.objects import list_objects
from lakerag.catalog import Catalog
from lakerag.config import Source
from lakerag.errors import SourceError
from lakerag.tables import BRONZE_FILES

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URI of an empty folder of a bucket; who asks stands in the environment, which Spark's workers inherit."""
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    reached = f"endpoint_override=127.0.0.1:{server.get_host_and_port()[1]}&scheme=http&allow_bucket_creation=true"
    FileSystem.from_uri(f"s3://docs?{reached}")[0].create_dir("docs")
    yield f"s3://docs/landing?{reached}"
    server.stop()


def put(uri: str, **files: bytes) -> None:
    system, base = FileSystem.from_uri(uri)
    for name, content in files.items():
        with system.open_output_stream(f"{base}/{name}") as stream:
            stream.write(content)


def remove_folder_marks(uri: str) -> None:
    """Removes the empty objects that pyarrow leaves for folders, as if nothing had ever stood there."""
    endpoint = "http://" + uri.partition("endpoint_override=")[2].partition("&")[0]
    store = boto3.client("s3", endpoint_url=endpoint)
    for found in store.list_objects_v2(Bucket="docs").get("Contents", ()):
        store.delete_object(Bucket="docs", Key=found["Key"])


def test_objects_are_followed_and_what_is_not_there_deletes_nothing(catalog: Catalog, bucket: str) -> None:
    source, runs = Source(name="docs", path=bucket, ignore=("*.tmp",), max_file_bytes=10), iter(range(9))

    def run() -> dict[str, int]:
        n = next(runs)
        return ingest(catalog, source, run_id=f"run-{n}", now=NOW + timedelta(minutes=n))

    put(
        bucket,
        **{"a.md": b"one", "sub/_meta.yml": b"groups: []", "sub/ü b.txt": b"two", "x.tmp": b"no", "big": b"." * 11},
    )
    assert run() == {"added": 4, "modified": 0, "deleted": 0, "unchanged": 0}
    assert run() == {"added": 0, "modified": 0, "deleted": 0, "unchanged": 4}
    system, base = FileSystem.from_uri(bucket)
    put(bucket, **{"a.md": b"ONE"})
    system.delete_file(f"{base}/sub/ü b.txt")
    assert run() == {"added": 0, "modified": 1, "deleted": 1, "unchanged": 2}
    rows = catalog.read(BRONZE_FILES).orderBy("arrived_at", "path").toLocalIterator()
    assert [(row["path"], row["op"], row["content"] and bytes(row["content"])) for row in rows] == [
        ("a.md", "added", b"one"),
        ("big", "added", None),
        ("sub/_meta.yml", "added", b"groups: []"),
        ("sub/ü b.txt", "added", b"two"),
        ("a.md", "modified", b"ONE"),
        ("sub/ü b.txt", "deleted", None),
    ]
    system.delete_dir(base)
    remove_folder_marks(bucket)
    with pytest.raises(SourceError, match="nothing that can be listed"):
        run()
    assert catalog.read(BRONZE_FILES).count() == 6
    system.create_dir(base)
    assert run() == {"added": 0, "modified": 0, "deleted": 3, "unchanged": 0}


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("s3://AKIA:secret@docs/landing", "user name or a key"),
        ("gopher://docs/landing", "gopher"),
        ("file:///not/there", "nothing that can be listed"),
    ],
)
def test_uris_that_lead_nowhere_or_hold_a_secret_are_refused(uri: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as refused:
        list_objects(Source(path=uri))
    assert "secret@" not in str(refused.value)


def test_a_local_uri_lists_what_the_folder_holds_in_the_order_of_the_paths(tmp_path: Path) -> None:
    for name in ("b.md", "a/z.md", "a.md", ".git/config"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    listed = list_objects(Source(path=tmp_path.as_uri(), ignore=(".git",)))
    assert [(one.path, one.size_bytes) for one in listed] == [("a.md", 1), ("a/z.md", 1), ("b.md", 1)]
