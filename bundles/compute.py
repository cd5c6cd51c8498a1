"""Serverless or cluster, by `var.compute`: the YAML of the jobs is serverless, this turns it into a cluster's."""

from dataclasses import replace

from databricks.bundles.core import Bundle, Variable, job_mutator
from databricks.bundles.jobs import ClusterSpec, Job, JobCluster, Library, PythonPyPiLibrary, Task

KEY = "lakerag"
WHEEL = "../dist/*.whl"
"""Relative to databricks.yml, as paths are that Python gives."""


@job_mutator
def on_cluster(bundle: Bundle, job: Job) -> Job:
    compute = bundle.variables["compute"]
    if compute not in ("serverless", "cluster"):
        raise ValueError(
            f"Expected compute to be serverless or cluster, found {compute!r}. Give --var compute=cluster."
        )
    if compute == "serverless" or not job.environments:
        return job
    [environment] = job.environments
    packages = [name for name in environment.spec.dependencies if not name.endswith(".whl")]
    libraries = [Library(whl=WHEEL), *(Library(pypi=PythonPyPiLibrary(package=name)) for name in packages)]
    cluster = JobCluster(job_cluster_key=KEY, new_cluster=Variable(path="var.cluster", type=ClusterSpec))
    tasks = [_moved(task, libraries) for task in job.tasks]
    return replace(job, environments=[], job_clusters=[cluster], tasks=tasks)


def _moved(task: Task, libraries: list[Library]) -> Task:
    if task.environment_key is None:
        return task
    return replace(task, environment_key=None, disable_auto_optimization=None, job_cluster_key=KEY, libraries=libraries)
