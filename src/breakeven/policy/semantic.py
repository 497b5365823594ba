"""Whether an answer to another wording may be considered: the rule of a route, and what is never served so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from breakeven.policy.lexical_guard import Form

Mode = Literal["off", "shadow", "serve"]
"""``shadow`` only compares: the real call is made each time. ``serve`` serves while the evidence clears."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticRule:
    """What a route says of answers to other wordings.

    ``max_wrong_frac`` is the promise: the share of wrong answers among those served. ``similarity`` is the least cosine
    of two questions' embeddings, ``audit_frac`` the share of hits that are bought anyway, to be compared.
    """

    mode: Mode = "off"
    max_wrong_frac: float = 0.01
    similarity: float = 0.6
    audit_frac: float = 0.05


_STEMS: Final = (
    r"suicid|self[ -]?harm|kill(ing)? (my|him|her|your|them)sel|hang(ing)? myself|end(ing)? (my|it) (life|all)"
    r"|(want|wish|going|ready) to die|don'?t want to live|better off dead|cut(ting)? myself|hurt(ing)? (my|your)self"
    r"|overdos|poison|swallowed|unconscious|unresponsive|not breathing|(can'?t|can ?not|cannot) breathe|chok(e|ing)"
    r"|heart attack|cardiac arrest|chest pain|stroke|seizure|anaphyla|allergic reaction|bleeding|haemorrhag|hemorrhag"
    r"|emergenc|ambulance|first aid|\bcpr\b|miscarr|abus(e|ed|ive|ing)|rape|raping|assault|violen(t|ce)|traffick"
    r"|eating disorder|anorexi|bulimi|withdrawal symptom|relapse|gas leak|carbon monoxide|bomb|shooter|weapon"
)
_SAFETY: Final = re.compile(rf"\b(?:{_STEMS})", re.IGNORECASE)


def is_safety_relevant(text: str) -> bool:
    """Whether a question may be about harm to somebody: self-harm, violence, poisoning, a medical emergency.

    Its answer is always made for it. The rule is a list of words, so it refuses too much ("how do I kill a process"
    passes, "first aid kit price" does not), and what says none of them is not recognised.
    """
    return bool(_SAFETY.search(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")))


def may_share(first: Form, second: Form, cosine: float, rule: SemanticRule) -> bool:
    """Whether one question's answer may be served to the other: close enough, and the same as far as words tell."""
    return cosine >= rule.similarity and first == second
