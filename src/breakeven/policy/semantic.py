"""What is never answered by another wording's answer, and when a question may be."""

from __future__ import annotations

import re
from typing import Final

from breakeven.policy.lexical_guard import Form
from breakeven.policy.semantic_rule import SemanticRule

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
