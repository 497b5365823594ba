"""What a configuration says of answers to other wordings, and that what cannot be meant is refused before it counts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from breakeven.cache import embedding
from breakeven.errors import ConfigError, Unavailable
from breakeven.gateway.answer_store import open_semantic
from breakeven.gateway.config import GatewayConfig, read_config
from breakeven.policy.semantic_rule import SemanticRule

CACHE = "[cache]\nenabled = true\n"


def config(semantic: str, cache: str = CACHE, more: str = "") -> GatewayConfig:
    text = f"""
{cache}
[[upstreams]]
name = "first"
url = "http://127.0.0.1:9"
[[models]]
name = "m"
targets = [{{ upstream = "first" }}]
{f"semantic = {semantic}" if semantic else ""}
{more}
"""
    return read_config(tomllib.loads(text))


def test_it_is_off_unless_it_is_switched_on() -> None:
    assert config("").models[0].semantic is None
    told = config("{}").models[0].semantic
    assert told is not None
    assert told.rule() == SemanticRule(mode="off", max_wrong_frac=0.01, similarity=0.5, audit_frac=0.05)


def test_every_key_is_taken() -> None:
    told = config('{ mode = "serve", max_wrong_frac = 0.02, similarity = 0.8, audit_frac = 0.1 }').models[0].semantic
    assert told is not None
    assert told.rule() == SemanticRule(mode="serve", max_wrong_frac=0.02, similarity=0.8, audit_frac=0.1)


@pytest.mark.parametrize(
    ("semantic", "said"),
    [
        ("{ max_wrong_frac = 0.0 }", "max_wrong_frac"),
        ("{ max_wrong_frac = 1.0 }", "max_wrong_frac"),
        ("{ similarity = 1.5 }", "similarity"),
        ("{ audit_frac = 0.0 }", "audit_frac"),
        ("{ audit_frac = 2.0 }", "audit_frac"),
        ('{ mode = "on" }', ""),
        ("{ modes = 1 }", ""),
    ],
)
def test_what_cannot_be_meant_is_refused(semantic: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(semantic)
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(("cache", "more"), [("", ""), (CACHE, 'cache = { mode = "off" }')])
@pytest.mark.parametrize("mode", ["shadow", "serve"])
def test_without_a_cache_there_are_no_answers_to_serve(cache: str, more: str, mode: str) -> None:
    with pytest.raises(ConfigError, match="no cache"):
        config(f'{{ mode = "{mode}" }}', cache, more)
    assert config('{ mode = "off" }', cache, more)


def test_only_where_a_model_has_it_the_embedding_model_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedding.load_embedder.cache_clear()
    monkeypatch.setattr(embedding, "find_spec", lambda _name: None)
    store = cast("Any", SimpleNamespace())
    for off in ("", "{}", '{ mode = "off" }'):
        assert open_semantic(config(off), tmp_path / "ledger.db", store) is None
    with pytest.raises(Unavailable) as caught:
        open_semantic(config('{ mode = "shadow" }'), tmp_path / "ledger.db", store)
    assert caught.value.hint == "pip install 'breakeven[semantic]'"
