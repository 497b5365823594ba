"""The admin API as an OpenAPI 3.1 document: inputs from the types that read them, answers from published schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

import msgspec

from breakeven.gateway.admin_endpoint import Endpoint
from breakeven.gateway.admin_upstreams import Reloaded, Upstreams
from breakeven.render.json import published_schema

_REFERENCE: Final = "#/components/schemas/{name}"
_TOLD: Final[Mapping[int, str]] = {
    400: "The request is not what this endpoint takes",
    401: "The admin key is missing or wrong",
    403: "A virtual key may not do this",
    404: "There is no such thing",
    405: "The page has no such method",
    413: "The body is too large",
    414: "The path or query is too long",
    422: "The request is well formed, and cannot be done",
    429: "Too many wrong keys from this address",
    431: "The headers are too large",
    503: "The ledger or the gateway cannot do it now",
}
_ALWAYS: Final = (400, 401, 403, 413, 414, 429, 431, 503)

_ERROR: Final = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"message": {"type": "string"}, "type": {"type": "string"}, "code": {"type": "string"}},
            "required": ["message", "type", "code"],
            "additionalProperties": False,
        }
    },
    "required": ["error"],
    "additionalProperties": False,
}
_REQUEST: Final = {
    "type": "object",
    "properties": {
        "request_id": {"type": "string"},
        "cost_nano_usd": {"type": "integer", "minimum": 0, "description": "The sum of the attempts."},
        "cost_usd": {"$ref": "#/$defs/usd"},
        "outcome": {"type": "string"},
        "decision": {"type": "string"},
        "attempts": {"type": "array", "minItems": 1, "items": {"$ref": _REFERENCE.format(name="Entry")}},
    },
    "required": ["request_id", "cost_nano_usd", "cost_usd", "outcome", "decision", "attempts"],
    "additionalProperties": False,
}


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The OpenAPI document of these endpoints."""
    components = {**_input_schemas(endpoints), **_answer_schemas()}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Breakeven admin API", "version": version("breakeven"), "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}],
    }


def _operation(endpoint: Endpoint, components: Mapping[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.method.lower()}{endpoint.path.removeprefix('/admin').replace('/', '_')}".translate(
            str.maketrans("", "", "{}.")
        ),
        "summary": endpoint.summary,
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint, components)],
        "responses": {
            str(endpoint.status): _response("Done", endpoint.schema),
            **{str(status): _response(_TOLD[status], "Error") for status in sorted({*_ALWAYS, *endpoint.refusals})},
        },
    }
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(endpoint.body.__name__)}
    return operation


def _path_parameters(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    for name in endpoint.parameters:
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _query_parameters(endpoint: Endpoint, components: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if endpoint.query is None:
        return
    fields = components[endpoint.query.__name__]
    for name, schema in fields["properties"].items():
        yield {"name": name, "in": "query", "required": name in fields.get("required", ()), "schema": _given(schema)}


def _given(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A query's field: it may be left out, so null, which a query cannot say, is no value of it."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return dict(kinds[0]) if len(kinds) == 1 else {name: value for name, value in schema.items() if name != "default"}


def _response(told: str, schema: str) -> dict[str, Any]:
    return {"description": told, "content": _content(schema)}


def _content(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(name=schema)}}}


def _input_schemas(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    types = [kind for endpoint in endpoints for kind in (endpoint.body, endpoint.query) if kind is not None]
    return msgspec.json.schema_components([*types, Upstreams, Reloaded], ref_template=_REFERENCE)[1]


def _answer_schemas() -> dict[str, Any]:
    """The published schemas of the same values that commands print, with their definitions beside them."""
    names = {"NewKey": "key", "Keys": "keys", "Budgets": "budgets", "Totals": "totals", "Entries": "entries"}
    documents = {name: published_schema(published) for name, published in names.items()}
    definitions = {name: value for each in documents.values() for name, value in each["$defs"].items()}
    found = {
        **documents,
        "Key": documents["Keys"]["properties"]["keys"]["items"],
        "Budget": documents["Budgets"]["properties"]["budgets"]["items"],
        "RemovedBudget": definitions["budget"],
        "Entry": documents["Entries"]["properties"]["entries"]["items"],
        "Request": _REQUEST,
        "Error": _ERROR,
        "Document": {"type": "object"},
        **definitions,
    }
    return {name: _hoisted(schema) for name, schema in found.items()}


def _hoisted(schema: Any) -> Any:
    """A schema whose references point to the document's components instead of its own definitions."""
    if isinstance(schema, list):
        return [_hoisted(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: value.replace("#/$defs/", "#/components/schemas/") if name == "$ref" else _hoisted(value)
        for name, value in schema.items()
        if name not in {"$schema", "$id", "$defs"}
    }
