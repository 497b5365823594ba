"""``cache semantic-check``: what scripts were promised, and bad input in words."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from breakeven.cache.embedding import load_embedder
from breakeven.cli import main
from breakeven.render.json import published_schema

PAIRS = (
    ("polarity", "How do I enable dark mode?", "Steps to turn on dark mode", "How do I disable dark mode?"),
    ("polarity", "How do I mute alerts?", "Tell me something about bread", "How do I unmute alerts?"),
    ("harm", "How do I treat an overdose?", "How can I treat an overdose?", "How do I treat an otter?"),
    ("same", "What is 2 + 2?", "what is 2 + 2", "What is 2 + 2??"),
)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    names = ("category", "base", "paraphrase", "near_miss")
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps({**dict(zip(names, each, strict=True)), "id": "x"}) for each in PAIRS))
    return path


def typed(capsys: pytest.CaptureFixture[str], *arguments: Any, code: int = 0) -> str:
    assert main.run(["cache", "semantic-check", *map(str, arguments)]) == code
    told = capsys.readouterr()
    return told.out if code == 0 else told.err


def test_json_is_what_the_schema_and_the_contract_say(capsys: pytest.CaptureFixture[str], pairs: Path) -> None:
    body = json.loads(typed(capsys, pairs, "--format", "json"))
    Draft202012Validator(published_schema("semantic-check")).validate(body)
    assert body["categories"] == {
        "harm": {"pairs": 1, "near_miss_served": 0, "paraphrase_served": 0},
        "polarity": {"pairs": 2, "near_miss_served": 0, "paraphrase_served": 1},
        "same": {"pairs": 1, "near_miss_served": 1, "paraphrase_served": 1},
    }
    assert (body["pairs"], body["near_miss_served"], body["paraphrase_served"]) == (4, 1, 2)
    assert body["served_near_misses"] == [
        {"category": "same", "base": "What is 2 + 2?", "near_miss": "What is 2 + 2??"}
    ]


def test_nothing_is_near_enough_at_a_similarity_of_one(capsys: pytest.CaptureFixture[str], pairs: Path) -> None:
    body = json.loads(typed(capsys, pairs, "--similarity", "1", "--format", "json"))
    assert body["categories"]["polarity"]["paraphrase_served"] == 0


def test_the_other_formats_have_the_same_numbers(capsys: pytest.CaptureFixture[str], pairs: Path) -> None:
    rows = list(csv.reader(io.StringIO(typed(capsys, pairs, "--format", "csv"))))
    assert rows[0] == ["category", "pairs", "near_miss_served", "paraphrase_served"]
    assert rows[-1] == ["total", "4", "1", "2"]
    for format_name in ("text", "markdown"):
        told = typed(capsys, pairs, "--format", format_name)
        assert "1 of 4 near misses would be served a wrong answer." in told
        assert "What is 2 + 2??" in told


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "has no pairs"), ("{}\n", "pairs.jsonl:1"), ('{"base": "a"', "pairs.jsonl:1"), ("\n[1]\n", "pairs.jsonl:2")],
)
def test_what_is_no_pair_is_told_by_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(text)
    told = typed(capsys, path, code=2)
    assert said in told
    assert "hint:" in told


def test_a_missing_file_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "cannot read" in typed(capsys, tmp_path / "none.jsonl", code=2)


def test_without_the_optional_part_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("breakeven.cache.embedding.find_spec", lambda _name: None)
    load_embedder.cache_clear()
    assert "pip install 'breakeven[semantic]'" in typed(capsys, pairs, code=3)


def test_no_reference_near_miss_is_served(capsys: pytest.CaptureFixture[str], shared_data: Path) -> None:
    body = json.loads(typed(capsys, shared_data / "caching/nearmiss_dev.jsonl", "--format", "json"))
    assert body["near_miss_served"] == 0
    assert body["paraphrase_served_frac"] >= 0.9
