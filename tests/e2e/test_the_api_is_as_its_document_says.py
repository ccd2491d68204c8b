"""Every operation of the OpenAPI document, with its example and with each thing that may be wrong with it.

The cases come from the document that the server serves, so an endpoint is tested when it is described; that every route is described
and the other way round is a unit test.
"""

import json
import pathlib

import jsonschema
import pytest

from harness.openapi import Document

pytestmark = pytest.mark.jingu_only(reason="the reference has no such document")

SOURCE = pathlib.Path(__file__).parents[2] / "src/edge/openapi.json"
DOCUMENT = Document(json.loads(SOURCE.read_text()))
OPERATIONS = DOCUMENT.operations()
POSTS = [one for one in OPERATIONS if one.body]

# What each type of a schema is not; the first of them is also not what a list holds.
WRONG = {
    "string": [17, True, [], {}],
    "integer": ["1", 1.5, True, [], {}],
    "array": ["x", 1, {}],
    "object": ["x", 1, []],
}
# Their text is fixed (HTTP API 3.2).
FIXED = {"/channel/info", "/messages", "/message", "/route/batch", "/conversation/syncMessages"}
WRAPPED = {"/channel", "/channel/delete", "/channel/subscriber_add", "/channel/subscriber_remove", "/channel/subscriber_remove_all",
           "/tmpchannel/subscriber_set"}


def title(value) -> str:
    return f"{value.method} {value.path}" if hasattr(value, "path") else str(value)[:40]


def expect_fault(operation, reply):
    """Refused in the envelope, in the words of the endpoint."""
    reply.refused(*(["数据格式有误！"] if operation.path in FIXED else []))
    if operation.path in WRAPPED:
        assert reply.body["msg"].startswith("数据格式有误！: ")


def wrong_values():
    for operation in POSTS:
        for name, schema in operation.fields.items():
            whole = DOCUMENT.follow(schema)
            for value in WRONG.get(whole.get("type"), []):
                yield operation, name, value
            if "minimum" in whole and whole["minimum"] <= 0:
                yield operation, name, whole["minimum"] - 1
            if "maximum" in whole:
                yield operation, name, whole["maximum"] + 1
            items = DOCUMENT.follow(whole.get("items", {})).get("type")
            for value in WRONG.get(items, [])[:1]:
                yield operation, name, [value]


def long_names():
    for operation in POSTS:
        for name, schema in operation.fields.items():
            limit = DOCUMENT.follow(schema).get("maxLength")
            if limit:
                yield operation, name, limit


def query_names():
    for operation in OPERATIONS:
        for parameter in operation.data.get("parameters", []):
            if parameter["in"] == "query" and not operation.path.startswith("/debug/"):  # those take as long as they are told to
                yield operation, parameter["name"], DOCUMENT.follow(parameter["schema"])


def test_the_document_is_the_one_in_the_tree(api):
    assert api.get("/docs/openapi.json").body == DOCUMENT.data


def test_its_schemas_are_schemas():
    for name, schema in DOCUMENT.data["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert DOCUMENT.data["openapi"] == "3.1.0"


@pytest.mark.parametrize("operation", OPERATIONS, ids=title)
def test_the_example_is_answered_as_promised(api, operation):
    operation.check(operation.ask(api))


@pytest.mark.parametrize("operation", POSTS, ids=title)
def test_the_example_is_what_its_schema_says(operation):
    DOCUMENT.validate(operation.body["schema"], operation.body["example"])


@pytest.mark.parametrize("operation, name, value", list(wrong_values()), ids=title)
def test_a_field_of_the_wrong_type_is_refused(api, operation, name, value):
    expect_fault(operation, operation.ask(api, operation.body["example"] | {name: value}))


@pytest.mark.parametrize("operation", [one for one in POSTS if one.fields], ids=title)
def test_without_a_field_or_with_null_the_answer_is_a_promised_one(api, operation):
    for name in operation.body["example"]:
        rest = {key: value for key, value in operation.body["example"].items() if key != name}
        without, null = operation.ask(api, rest), operation.ask(api, rest | {name: None})
        operation.check(without)
        assert null.status == without.status
        if without.status == 400:
            assert null.body == without.body
        if name in operation.body["schema"].get("required", []):
            assert without.status == 400, (operation.path, name, without)


@pytest.mark.parametrize("operation, name, limit", list(long_names()), ids=title)
def test_a_name_that_is_too_long_is_refused(api, operation, name, limit):
    operation.ask(api, operation.body["example"] | {name: "x" * (limit + 1)}).refused()


@pytest.mark.parametrize("operation, name, schema", list(query_names()), ids=title)
def test_a_query_that_is_missing_of_another_type_or_too_long_is_answered_as_promised(api, operation, name, schema):
    rest = {key: value for key, value in operation.query.items() if key != name}
    others = ["", " ", "x", "-1", "1.5", "99999999999999999999", "\U0001f600", "x" * (schema.get("maxLength", 512) + 1)]
    for query in (rest, *(rest | {name: value} for value in others)):
        operation.check(api.call(operation.method.upper(), operation.url, params=query))


@pytest.mark.parametrize("operation", POSTS, ids=title)
@pytest.mark.parametrize("text", ["", "{", "nonsense", "{'uid': 1}", '{"uid":', "\x00", '"text"', "17", "true"])
def test_what_is_not_the_right_json_is_refused(api, operation, text):
    expect_fault(operation, api.post_text(operation.url, text))


@pytest.mark.parametrize("operation", [one for one in POSTS if one.fields], ids=title)
def test_names_of_fields_ignore_case(api, operation):
    reply = operation.ask(api, {key.upper(): value for key, value in operation.body["example"].items()})
    operation.check(reply)


@pytest.mark.parametrize("operation", OPERATIONS, ids=title)
def test_the_other_method_is_404(api, operation):
    other = "POST" if operation.method == "get" else "GET"
    if {"get", "post"} <= DOCUMENT.data["paths"][operation.path].keys():
        other = "PUT"
    if operation.path.startswith("/plugins/"):
        pytest.skip("forwarded whatever the method is")
    if operation.path.endswith("/"):
        pytest.skip("a path that ends with a slash is another one without it")
    reply = api.call(other, operation.url)
    assert (reply.status, reply.text.strip()) == (404, "404 page not found")


@pytest.mark.parametrize("operation", POSTS, ids=title)
def test_a_body_beyond_the_limit_is_refused(api, operation):
    head = json.dumps(operation.body["example"])[:-1].encode()
    reply = api.post_text(operation.url, head + b" " * (5 << 20))
    reply.refused("the request body is too large")


def test_the_page_needs_no_network(api):
    page = api.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "/docs/openapi.json" in page.text and "https://" not in page.text and "http://" not in page.text
    assert api.get("/docs/health").body["status"] == "ok"
