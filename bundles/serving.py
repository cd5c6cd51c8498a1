"""The serving endpoint, once `var.model_version` names a version of the registered model."""

from pathlib import Path

import yaml
from databricks.bundles.core import Bundle, Resources
from databricks.bundles.model_serving_endpoints import ModelServingEndpoint

ENDPOINT = Path(__file__).parent / "resources" / "serving" / "endpoint.yml"


def load_resources(bundle: Bundle) -> Resources:
    resources = Resources()
    if bundle.variables["model_version"]:
        declared = yaml.safe_load(ENDPOINT.read_text(encoding="utf-8"))["resources"]["model_serving_endpoints"]
        for name, endpoint in declared.items():
            resources.add_model_serving_endpoint(name, ModelServingEndpoint.from_dict(endpoint))
    return resources
