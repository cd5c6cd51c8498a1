"""Over all workers: nothing is deleted before the last new row is in."""

import time

import pytest
from pyspark.sql import functions as F

from lakerag.errors import MixedSpacesError
from lakerag.stores import connect
from lakerag.sync.apply import write_changes
from lakerag.sync.plan import inserts
from lakerag.tables import GOLD_CHUNKS, INDEX_SPACE
from tests.integration.sync.gold import append, chunk, indexed, syncing

LATE_S = 5.0
"""By then a worker beside this one has long done all that it may."""


def test_no_worker_deletes_while_another_still_has_rows_to_write(catalog, lite_address, tmp_path):
    append(catalog, chunk("old", "text"))
    syncing(catalog, lite_address, tmp_path, alias="order", run_id="1").catch_up()
    changes = inserts(catalog.read(GOLD_CHUNKS).withColumn("_commit_version", F.lit(1).cast("long")))
    held = changes.toPandas()

    def nothing(frames):
        yield from (held.assign(op="same") for _ in frames)

    def delete_or_fail_late(frames):
        """The partition of 0 deletes at once; the other one brings a row late, in a space that nobody may write."""
        for frame in frames:
            for number in frame["id"]:
                if number == 0:
                    yield held.assign(op="delete")
                else:
                    time.sleep(LATE_S)
                    yield held.assign(chunk_id="new", **{INDEX_SPACE: "foreign"})

    def write(made):
        two_writers = catalog.spark.range(0, 2, 1, 2).mapInPandas(made, changes.schema)
        write_changes(two_writers, address=lite_address, collection=connect(lite_address).resolve("order"))

    write(nothing)  # workers that have to start first would delete too late to be seen
    with pytest.raises(MixedSpacesError):
        write(delete_or_fail_late)
    assert indexed(lite_address, "order") == [("old", "text", "")]
