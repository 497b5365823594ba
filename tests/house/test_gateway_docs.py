"""What the gateway's pages list is what the gateway has: configuration, errors, metrics, endpoints."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator

import msgspec
import pytest

from breakeven.gateway.cache_config import CacheSettings, ModelCacheConfig
from breakeven.gateway.config import GatewaySettings, ModelConfig, TargetConfig, UpstreamConfig
from breakeven.gateway.discovery import HOSTED
from breakeven.gateway.gateway import PATHS
from breakeven.gateway.model_calls import COUNT_PATH
from breakeven.pipeline.answers import _FAILURES
from conftest import REPOSITORY

DOCS = REPOSITORY / "docs"
SERVE = (DOCS / "how-to/serve.md").read_text("utf-8")
CACHE = (DOCS / "how-to/response-cache.md").read_text("utf-8")
HTTP = (DOCS / "reference/gateway-http.md").read_text("utf-8")
CODE = re.compile(r"[a-z]+(_[a-z]+)+|overloaded|expectation")


def table_after(page: str, words: str) -> dict[str, str]:
    """The first table after some words: its first column's names, each with its second column."""
    lines = page.partition(words)[2].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|---"))
    found = {}
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        names, second, *_ = (cell.strip() for cell in line[1:-1].split("|"))
        found |= dict.fromkeys(re.findall(r"`(\w+)`", names), second.strip("`"))
    return found


def as_toml(value: object) -> str:
    return "none" if value is None else json.dumps(value)


def default_of(field: msgspec.structs.FieldInfo) -> object:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (UpstreamConfig, "### `[[upstreams]]`"),
        (ModelConfig, "### `[[models]]`"),
        (TargetConfig, "A target or fallback:"),
        (GatewaySettings, "### `[gateway]`"),
        (CacheSettings, "### `[cache]`"),
        (ModelCacheConfig, "### `cache` of a model"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_every_key_of_the_configuration_is_documented_with_its_default(kind: type[msgspec.Struct], words: str) -> None:
    expected = {
        field.name: "" if field.required else as_toml(default_of(field)) for field in msgspec.structs.fields(kind)
    }
    if kind is UpstreamConfig:
        expected["url"] = ""  # needed, but for the echo
    told = table_after(CACHE if words in CACHE else SERVE, words)
    assert told == expected


def refusals() -> Iterator[tuple[int, str]]:
    """Every pair of a status and a code that stands together in the code of the gateway and the pipeline."""
    for room in ("gateway", "pipeline"):
        for path in (REPOSITORY / "src/breakeven" / room).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                first = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else ()
                match first[:2]:
                    case [ast.Constant(value=int(status)), ast.Constant(value=str(code))] if CODE.fullmatch(code):
                        yield status, code
    yield from _FAILURES.values()
    yield 405, "method_not_allowed"


def test_every_error_is_documented_with_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (.*?) \|", HTTP, re.MULTILINE)
    told = {(int(status), code) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    assert {pair for pair in refusals() if 400 <= pair[0] < 600} == told


def test_every_endpoint_of_models_and_every_provider_that_is_found_is_documented() -> None:
    assert set(re.findall(r"`POST (/v1/\S+)`", HTTP)) == {*PATHS.values(), COUNT_PATH}
    assert {each.variable for each in HOSTED} <= set(re.findall(r"`(\w+_API_KEY)`", SERVE))
