"""The OpenAPI document is valid, complete and speaks of every error."""

import pytest
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator
from openapi_spec_validator import validate


@pytest.fixture(scope="module")
def document():
    return SchemaGenerator().get_schema(request=None, public=True)


def test_the_schema_is_made_without_a_warning(tmp_path):
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yaml"))


def test_the_schema_is_openapi_3_1(document):
    validate(document)
    assert document["openapi"] == "3.1.0"


def test_every_operation_describes_itself_and_its_refusals(document):
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in ("get", "post", "put", "patch", "delete"):
                assert operation.get("description") or operation.get("summary"), (method, path)
                assert any(status.startswith("4") for status in operation["responses"]), (method, path)
