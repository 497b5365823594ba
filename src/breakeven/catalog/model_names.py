"""One name per model: what a maker calls it, read out of what sellers, clouds and hubs call it.

The same weights are "Meta-Llama-3.1-70B-Instruct-Turbo" at one seller and "llama-v3p1-70b-instruct" at another. Joining
prices with quality needs one name for both, and must never join two different models: a fine-tune, a distillation, a
guard, an embedding or a speech model keeps every word that makes it different. So only known wrappings are taken off,
each by a rule below; whatever no rule knows stays in the name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from types import MappingProxyType

from breakeven.catalog.tables import read_table

_CLOUD = re.compile(r"^(?:global|regional|us|eu|apac|jp|au|us-gov)\.(?=[a-z])")
_MAKER = re.compile(
    r"^(?:anthropic|meta|amazon|mistral|qwen|openai|google|nvidia|moonshotai?|zai|deepseek|cohere|ai21|minimax|writer)"
    r"[.](?=[a-z])"
)
_SELLER = re.compile(r"^(?:databricks-|nvidia-(?=nemotron|llama)|meta-(?=llama)|zai-(?=glm)|amazon-(?=nova)|c4ai-)")
# How a request is served, not what answers it.
_SERVING = re.compile(r":(?:free|batch|extended|beta|nitro|floor|exacto)$")
_CLOUD_VERSION = re.compile(r"(?:-v[1-9]\d*|-1(?=:0))?:\d+$")
_SIZE_TAG = re.compile(r":(?=\d+(?:\.\d+)?b(?:-|$))")
_MISTRAL_VERSION = re.compile(r"-v0:(\d)$")
_DATE = re.compile(r"[-@](?:20\d\d-\d\d-\d\d|20\d{6})$")
# Stored at 8 or 16 bits a weight: the maker's model. Fewer bits lose quality, so "-awq" and "-int4" stay in the name.
_STORAGE = re.compile(r"-(?:bf16|fp16|fp8(?:-fast)?|instruct-turbo|maas|hf)$")
# "-chat" is a word of its own in "gpt-5-chat" and "deepseek-chat", and the plain model after a size.
_CHAT = re.compile(r"(?<!turbo)-(?:instruct|it)(?=-|$)|(?<=\db)-chat(?=-|$)")
_FULL_STOP = re.compile(r"(?<=\d)[p_](?=\d(?:-|$))")
_DASHED_VERSION = re.compile(r"(?<![\d.])(\d)-(\d)(?=-|$)")

_Rule = tuple[re.Pattern[str], str]


def _rules(*rules: tuple[str, str]) -> tuple[_Rule, ...]:
    return tuple((re.compile(pattern), replacement) for pattern, replacement in rules)


# The same model on faster machines or in one country, under a name of its own.
_FASTER = (r"^([\w.-]+)-(?:fast|ultrafast|highspeed|us)$", r"\1")
_FAMILY_RULES: Mapping[str, tuple[_Rule, ...]] = {
    "claude": _rules(
        (r"^claude-(\d(?:\.\d)?)-(opus|sonnet|haiku)(?=-|$)", r"claude-\2-\1"),
        (r"^claude-(opus|sonnet|haiku|fable|mythos)-(\d)\.0(?=-|$)", r"claude-\1-\2"),
        (r"^claude-(opus|sonnet|haiku)-(3(?:\.\d)?)(?=-|$)", r"claude-\2-\1"),
    ),
    "deepseek": _rules((r"^deepseek-?v(?=\d)", "deepseek-v"), _FASTER),
    "gemini": _rules(
        (r"^gemini-(flash|pro)-(\d\.\d)(?=-|$)", r"gemini-\2-\1"),
        (r"^(gemini-[\d.]+-[a-z-]*?(?:pro|flash|flash-lite|flash-8b))-(?:00\d|latest)$", r"\1"),
        (r"^(gemini-[\d.]+-(?:pro|flash|flash-lite))-preview(?:-\d\d-(?:\d\d|20\d\d))?$", r"\1"),
    ),
    "gemma": _rules((r"^gemma(?=\d)", "gemma-")),
    "glm": _rules(_FASTER),
    "grok": _rules((r"^(grok-4)-0709$", r"\1")),
    "kimi": _rules(_FASTER),
    "llama": _rules(
        (r"^llama-?v?(?=\d)", "llama-"),
        (r"^(llama-4-(?:maverick|scout))(?:-17b(?:-\d+e)?)?(?:-basic)?$", r"\1"),
        (r"^(llama-[\d.]+-\d+b)-(?:versatile|instant|specdec|preview|text-preview|reasoning)$", r"\1"),
        (r"^(llama-[\d.]+-\d+b-vision)-preview$", r"\1"),
        (r"^(llama-3-\d+b)-8192$", r"\1"),
    ),
    "minimax": _rules(_FASTER),
    "mistral": _rules((r"^(mistral-nemo)-(?:2407|12b|12b-2407)$", r"\1")),
    "mixtral": _rules((r"^(mixtral-8x\d+b)-(?:v0\.1|32768)$", r"\1")),
    "nova": _rules((r"^(nova-[a-z]+)-v?1\.0$", r"\1")),
    "qwen": _rules((r"^qwen-(?=\d(?:\.\d)?-)", "qwen")),
}
_FAMILY = re.compile(r"[a-z]+")


@lru_cache(maxsize=16_384)
def canonical_model_name(name: str) -> str:
    """The maker's name of a model in lower case, without what sellers wrap around it.

    Taken off: the path and the maker's prefix, cloud regions and version marks, dates of eight digits, how the request
    is served (":free", ":batch"), storage at 8 bits or more, and "instruct", "it" or "chat". "p" and "-" between two
    digits are the version's full stop. A dated snapshot joins its model; short dates (2507, 0905) are different models.
    "-latest" goes only where a version stays, because "mistral-large-latest" says nothing that can be looked up.

    >>> canonical_model_name("anthropic.claude-3-5-haiku-20241022-v1:0")
    'claude-3.5-haiku'
    >>> canonical_model_name("meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo")
    'llama-3.1-70b'
    >>> canonical_model_name("deepseek-ai/DeepSeek-R1-Distill-Llama-70B")
    'deepseek-r1-distill-llama-70b'
    """
    bare = _unwrapped(name.strip().casefold())
    bare = _CHAT.sub("", _STORAGE.sub("", bare))
    bare = _DASHED_VERSION.sub(r"\1.\2", _FULL_STOP.sub(".", bare).replace("_", "-"))
    family = _FAMILY.match(bare)
    for pattern, replacement in _FAMILY_RULES.get(family[0], ()) if family else ():
        bare = pattern.sub(replacement, bare)
    if bare.endswith("-latest") and any(letter.isdigit() for letter in bare):
        bare = bare.removesuffix("-latest")
    return _aliases().get(bare, bare)


def _unwrapped(name: str) -> str:
    """Without path, cloud, maker, seller, serving suffix, cloud version and date; fine-tunes ("ft:") stay whole."""
    if name.startswith(("ft:", "~")):
        return name
    bare = _SERVING.sub("", name.rpartition("/")[2])
    bare = _SIZE_TAG.sub("-", _MISTRAL_VERSION.sub(r"-v0.\1", bare))
    for prefix in (_CLOUD, _MAKER, _SELLER, _SELLER):
        bare = prefix.sub("", bare)
    return _DATE.sub("", _CLOUD_VERSION.sub("", bare))


@cache
def _aliases() -> Mapping[str, str]:
    table = read_table("model_name_aliases.csv", lambda row: (row.text("alias"), row.text("model")))
    return MappingProxyType(dict(table))
