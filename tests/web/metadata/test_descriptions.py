"""What the OpenAPI document says of each operation and each field, and that its examples are what they are examples of."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest
from openapi_schema_validator import OAS31Validator

from chalicelib.domain.oauth import claims
from chalicelib.flows.clients import authenticate
from chalicelib.flows.oauth.grants import GRANTS
from chalicelib.web.http.decoding import Form
from chalicelib.web.metadata import apis, fields, openapi, tags

DOCUMENT = apis._document("https://id.example")
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {each["operationId"]: each for path in DOCUMENT["paths"].values() for each in path.values()}
BODIES = dict.fromkeys(each.body for each in apis.operations() if each.body and each.body is not Form)
FORMS = {name: each["requestBody"]["content"] for name, each in OPERATIONS.items() if "requestBody" in each}
FORMS = {name: content[openapi.FORM] for name, content in FORMS.items() if openapi.FORM in content}


def parts() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Every field of a schema, a form, a query, a path or an answer of claims, with what it belongs to."""
    for name, schema in SCHEMAS.items():
        yield from ((name, field, each) for field, each in schema.get("properties", {}).items())
    for name, form in FORMS.items():
        yield from ((name, field, each) for field, each in form["schema"]["properties"].items())
    for name, operation in OPERATIONS.items():
        for each in operation.get("parameters", ()):
            yield name, each["name"], {**each["schema"], "description": each["description"]}
        yield from ((name, field, each) for field, each in claims_in(operation).get("properties", {}).items())


def claims_in(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of an answer in JSON that is no type's."""
    content = operation["responses"].get("200", {}).get("content", {})
    schema: Mapping[str, Any] = content.get("application/json", {}).get("schema", {})
    return schema


def of_others(schema: Mapping[str, Any]) -> bool:
    """Whether it is made of other schemas, whose examples are its own."""
    return "$ref" in schema or "$ref" in schema.get("items", {})


def valid(schema: Mapping[str, Any], value: Any) -> bool:
    return bool(OAS31Validator({**schema, "components": DOCUMENT["components"]}).is_valid(value))


def test_an_answer_of_claims_names_all_that_there_are() -> None:
    about = {*claims.OF_USER, "sub"}
    of_token = {"iss", "sub", "aud", "client_id", "scope", "exp", "iat", "jti", "sid", "auth_time", "amr", "acr", "cnf"}
    of_introspection = of_token | {"active", "token_type", "username"}
    for name, expected in (("read_userinfo", about), ("post_userinfo", about), ("introspect", of_introspection)):
        assert claims_in(OPERATIONS[name])["properties"].keys() == expected


def test_each_operation_is_described_and_has_one_group_that_is_described_too() -> None:
    groups = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}
    assert all(groups.values())
    assert tags.OTHERS.name not in groups
    assert {tag for each in OPERATIONS.values() for tag in each["tags"]} == groups.keys()
    assert [name for name, each in OPERATIONS.items() if len(each["tags"]) != 1] == []
    assert [name for name, each in OPERATIONS.items() if not each["description"] or "\n" in each["summary"]] == []


def test_each_schema_and_each_field_is_described() -> None:
    assert [name for name, schema in SCHEMAS.items() if not schema.get("description")] == []
    assert [f"{owner}.{name}" for owner, name, schema in parts() if not schema["description"]] == []


def test_each_field_has_an_example_that_it_can_be() -> None:
    without = [f"{owner}.{name}" for owner, name, each in parts() if not of_others(each) and not each.get("examples")]
    assert without == []
    wrong = [
        f"{owner}.{name}" for owner, name, each in parts() if not all(valid(each, e) for e in each.get("examples", ()))
    ]
    assert wrong == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_has_an_example_that_it_can_be(name: str) -> None:
    (example,) = SCHEMAS[name]["examples"]
    assert valid({**SCHEMAS[name], "additionalProperties": False}, example), example


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_each_example_of_a_body_is_one_that_its_route_takes(body: type) -> None:
    (example,) = SCHEMAS[body.__name__]["examples"]
    assert msgspec.to_builtins(msgspec.convert(example, body)).items() >= example.items()


@pytest.mark.parametrize("name", FORMS)
def test_each_form_has_examples_of_its_fields_alone(name: str) -> None:
    schema = {**FORMS[name]["schema"], "additionalProperties": False}
    assert FORMS[name]["examples"]
    assert all(valid(schema, each["value"]) for each in FORMS[name]["examples"].values())


def test_each_grant_has_an_example_of_its_parameters() -> None:
    examples = {name: each["value"] for name, each in FORMS["token"]["examples"].items()}
    assert examples.keys() == GRANTS.keys()
    for name, grant in GRANTS.items():
        assert examples[name]["grant_type"] == name
        assert examples[name].keys() <= grant.parameters | authenticate.CREDENTIALS | {"grant_type"}


def test_each_refusal_in_json_has_the_example_of_one_of_its_errors() -> None:
    responses = [r for each in OPERATIONS.values() for status, r in each["responses"].items() if status >= "400"]
    contents = [r["content"]["application/json"] for r in responses if "application/json" in r["content"]]
    described = [r["description"] for r in responses if "application/json" in r["content"]]
    for content, text in zip(contents, described, strict=True):
        assert valid(content["schema"], content["example"])
        assert f"`{content['example']['error']}`" in text


def test_no_line_of_the_file_is_of_a_field_that_nothing_has() -> None:
    names = {name for _, name, _ in parts()} | {f"{owner}.{name}" for owner, name, _ in parts()}
    assert set(fields._file()["fields"]) - names == set()
    assert set(fields._file()["bodies"]) - SCHEMAS.keys() - OPERATIONS.keys() == set()


def test_a_field_s_own_description_comes_before_that_of_its_name() -> None:
    assert fields.described("x", "email", {"description": "Mine."})["description"] == "Mine."
    nullable = {"anyOf": [{"type": "string", "description": "Inside."}, {"type": "null"}]}
    assert fields.described("x", "email", nullable)["description"] == "Inside."
    assert fields.described("x", "email", {})["description"] == "The account's e-mail address."
