"""What is wrong with a configuration is said with its place, and with the names that were perhaps meant."""

from __future__ import annotations

import tomllib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.errors import ConfigError
from breakeven.gateway.config import GatewaySettings, ModelConfig, TargetConfig, UpstreamConfig, read_config

GOOD = """
[[upstreams]]
name = "first"
url = "http://127.0.0.1:9"
[[upstreams]]
name = "second"
url = "http://127.0.0.1:9"
"""


def cause_of(content: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_config(tomllib.loads(content))
    assert caught.value.hint == "docs/how-to/serve.md has every key"
    return caught.value.cause or ""


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("[gateway]\nretention_day = 4", "`[gateway]` has no key `retention_day`; did you mean `retention_days`?"),
        (
            f'{GOOD}modles = ["m"]',
            "`[[upstreams]]` number 2 (`second`) has no key `modles`; did you mean `models`?",
        ),
        ('[[upstreams]]\nnmae = "first"', "`[[upstreams]]` number 1 has no key `nmae`; did you mean `name`?"),
        (
            f'{GOOD}[[models]]\nname = "m"\ntargets = [{{upstream = "first"}}]\nfallback = []',
            "`[[models]]` number 1 (`m`) has no key `fallback`; did you mean `fallbacks`?",
        ),
        (
            f'{GOOD}[[models]]\nname = "m"\ntargets = [{{upstream = "first"}}, {{upstream = "second", wieght = 1}}]',
            "`[[models]]` number 1 (`m`), `targets` number 2 (`second`) has no key `wieght`; did you mean `weight`?",
        ),
    ],
)
def test_an_unknown_key_is_named_with_its_place_and_the_nearest(content: str, cause: str) -> None:
    assert cause_of(content) == cause


def test_where_no_name_is_near_all_are_told() -> None:
    cause = cause_of(f'{GOOD}[[models]]\nname = "m"\ntargets = [{{upstream = "first", zzz = 1}}]')
    assert cause.endswith("has no key `zzz`; it has upstream, model, weight, max_output_tokens")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[gateway]\nmax_attempts = 'three'", "$.gateway.max_attempts"),
        ("upstreams = 3", "$.upstreams"),
        ("upstreams = [3]", "$.upstreams[0]"),
        ('[[models]]\nname = "m"\ntargets = "first"', "$.models[0].targets"),
        ("[[models]]\ntargets = []", "missing required field `name`"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_too(content: str, told: str) -> None:
    assert told in cause_of(content)


KEYS = {
    "gateway": (GatewaySettings, "[gateway]\n{} = 1"),
    "upstreams": (UpstreamConfig, '[[upstreams]]\nname = "u"\n{} = 1'),
    "models": (ModelConfig, '[[models]]\nname = "m"\ntargets = []\n{} = 1'),
    "targets": (TargetConfig, '[[models]]\nname = "m"\ntargets = [{{upstream = "u", {} = 1}}]'),
}


@given(st.sampled_from(sorted(KEYS)), st.data())
def test_a_slip_of_one_letter_finds_the_key_that_was_meant(table: str, data: st.DataObject) -> None:
    kind, content = KEYS[table]
    known = [field.name for field in msgspec.structs.fields(kind)]
    meant = data.draw(st.sampled_from([name for name in known if len(name) > 4]))
    typed = meant + data.draw(st.sampled_from("xyz"))
    cause = cause_of(content.format(typed))
    assert f"has no key `{typed}`" in cause
    assert f"`{meant}`" in cause.partition("did you mean")[2]


@pytest.mark.parametrize("ttl_s", ["0", "-1", "nan", "inf", "1e12"])
def test_an_answer_is_kept_for_a_time_that_every_store_can_count(ttl_s: str) -> None:
    with pytest.raises(ConfigError, match="no time up to ten years"):
        read_config(tomllib.loads(f"[cache]\nttl_s = {ttl_s}\n{GOOD}"))
    model = f'[[models]]\nname = "m"\ntargets = [{{upstream = "first"}}]\ncache = {{ ttl_s = {ttl_s} }}'
    with pytest.raises(ConfigError, match="no time up to ten years"):
        read_config(tomllib.loads(GOOD + model))
    longest = "[cache]\nttl_s = 315_360_000"
    assert read_config(tomllib.loads(f"{longest}\n{GOOD}")).cache.ttl_s == 315_360_000


@pytest.mark.parametrize(
    ("cache", "said"),
    [
        ('url = "valkey://user:secret@host"', "has a password"),
        ('url = "http://host"', "no Valkey or Redis"),
        ('url_env = "NO_SUCH_CACHE_URL"', "NO_SUCH_CACHE_URL, which has no"),
        ('url = "valkey://host"\nurl_env = "NO_SUCH_CACHE_URL"', "more than one of"),
    ],
)
def test_a_caches_server_is_named_without_a_secret(cache: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        read_config(tomllib.loads(f"[cache]\n{cache}\n{GOOD}"))
    assert "secret" not in refused.value.message


def test_a_caches_server_with_a_password_is_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CACHE_URL", "valkeys://user:secret@host")
    read = read_config(tomllib.loads(f'[cache]\nurl_env = "CACHE_URL"\n{GOOD}')).cache
    assert read.server == "valkeys://user:secret@host"
