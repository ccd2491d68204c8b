"""The server's own OpenAPI document: its operations, and what their answers must look like."""

from __future__ import annotations

from dataclasses import dataclass

import jsonschema
import referencing
import referencing.jsonschema

from .api import Api, Reply

_ROOT = "urn:api"


@dataclass
class Operation:
    method: str
    path: str
    data: dict
    document: Document

    @property
    def url(self) -> str:
        """The path with its examples in the place of its parameters."""
        url = self.path
        for parameter in self.data.get("parameters", []):
            if parameter["in"] == "path":
                url = url.replace("{%s}" % parameter["name"], parameter["example"])
        return url

    @property
    def query(self) -> dict:
        return {one["name"]: one["example"] for one in self.data.get("parameters", []) if one["in"] == "query" and "example" in one}

    @property
    def body(self) -> dict | None:
        """The request body: its `schema` and its `example`."""
        return self.data.get("requestBody", {}).get("content", {}).get("application/json")

    @property
    def fields(self) -> dict:
        return self.document.follow(self.body["schema"]).get("properties", {}) if self.body else {}

    def ask(self, api: Api, body: object = None, **options) -> Reply:
        if self.body and body is None:
            body = self.body["example"]
        return api.call(self.method.upper(), self.url, params=self.query, json=body, **options)

    def check(self, reply: Reply) -> None:
        """Insists that the answer is one that the document promises."""
        responses = self.data["responses"]
        assert str(reply.status) in responses, (self.method, self.path, reply)
        content = self.document.follow(responses[str(reply.status)]).get("content")
        if content is None:
            assert reply.text == "", (self.path, reply)
            return
        kind, promised = next(iter(content.items()))
        assert reply.headers["Content-Type"].startswith(kind), (self.path, reply)
        if kind == "application/json":
            self.document.validate(promised["schema"], reply.body)


class Document:
    def __init__(self, data: dict):
        self.data = data
        resource = referencing.Resource(contents=data, specification=referencing.jsonschema.DRAFT202012)
        self._registry = referencing.Registry().with_resource(_ROOT, resource)

    def follow(self, value: dict) -> dict:
        while "$ref" in value:
            place = self.data
            for key in value["$ref"].split("/")[1:]:
                place = place[key]
            value = place
        return value

    def validate(self, schema: dict, instance: object) -> None:
        whole = {"$id": _ROOT + ":one", "allOf": [_absolute(schema)]}
        jsonschema.Draft202012Validator(whole, registry=self._registry).validate(instance)

    def operations(self) -> list[Operation]:
        return [Operation(method, path, data, self) for path, methods in self.data["paths"].items() for method, data in methods.items()]


def _absolute(schema):
    """References within the document, made to find it from outside."""
    if isinstance(schema, dict):
        return {key: _ROOT + value if key == "$ref" and value.startswith("#") else _absolute(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_absolute(one) for one in schema]
    return schema
