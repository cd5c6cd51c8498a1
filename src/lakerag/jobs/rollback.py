"""`lakerag rollback`: back to the collection that the alias pointed at before the last rebuild."""

from lakerag.jobs.active import with_embedder_of
from lakerag.jobs.job import Job, Result, command
from lakerag.jobs.rebuild import replace_collection, show_switch


@command("rollback", show_switch)
def main(job: Job) -> Result:
    """Go back to the index that served before the last rebuild, brought up to date first."""
    return go_back(job)


def go_back(job: Job) -> Result:
    """Points the alias at the collection before the last rebuild, once that equals gold."""
    from lakerag.sync.rebuild import predecessor

    collection = predecessor(job.catalog, job.store, job.settings.store.alias)
    return replace_collection(job, with_embedder_of(collection, job.settings), collection, max_drop=None)
