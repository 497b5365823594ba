"""Questions that look alike: templates of a question, another wording of it, and a near miss of another answer.

Written before the rules of the guard. A template belongs to the half that its text hashes to: rules were written with
the `seen` half in view, and figures are stated for the `held` half, whose results no rule was made from.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

PLACES = ("Oslo", "Nairobi", "Quito", "Hanoi", "Porto")
FEATURES = ("email alerts", "guest access", "spell check", "file sharing")
DRUGS = ("paracetamol", "amoxicillin", "loratadine")
TOOLS = ("Kafka", "MongoDB", "Terraform", "Excel")
NUMBERS = (7, 15, 48, 130)


class Template(NamedTuple):
    category: str
    base: str
    paraphrase: str
    near_miss: str


class Triple(NamedTuple):
    category: str
    base: str
    paraphrase: str
    near_miss: str


_LINES = Path(__file__).with_suffix(".txt").read_text("utf-8").splitlines()[1:]
TEMPLATES = tuple(Template(*line.split(" | ")) for line in _LINES)


def half(template: Template) -> str:
    """``seen`` or ``held``, by the text of the template alone."""
    return "held" if crc32(template.base.encode()) % 2 else "seen"


def fillings() -> Iterator[dict[str, object]]:
    """Values for the slots; those of one filling differ from each other where a near miss needs them to."""
    for number in range(3):
        yield {
            "n": NUMBERS[number],
            "m": NUMBERS[number + 1],
            "k": NUMBERS[(number + 2) % 4],
            "P": PLACES[number],
            "Q": PLACES[number + 1],
            "T": TOOLS[number],
            "U": TOOLS[number + 1],
            "f": FEATURES[number],
            "d": DRUGS[number],
            "v": ("2.1", "11", "3.10")[number],
            "w": ("2.10", "12", "3.1")[number],
            "L": ("Go", "Rust", "Kotlin")[number],
            "M": ("Rust", "Kotlin", "Scala")[number],
        }


def triples(which: str) -> list[Triple]:
    """All triples of one half, without repeats."""
    found = itertools.product((each for each in TEMPLATES if half(each) == which), list(fillings()))
    made = (Triple(each.category, *(text.format(**values) for text in each[1:])) for each, values in found)
    return list(dict.fromkeys(made))
