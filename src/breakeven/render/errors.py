"""An error as people read it: what went wrong, why, and a line to run or change."""

from __future__ import annotations

from breakeven.render.text import printable

LONGEST_PART = 1_000
"""Characters of a message, cause or hint that are printed; what was typed may be any length."""


def error_text(message: str, *, cause: str | None = None, hint: str | None = None) -> str:
    """``error:`` / ``cause:`` / ``hint:``, one line each and cut short, without control characters; ends in a newline.

    >>> print(error_text("no model 'gpt-5o'", hint="breakeven catalog show gpt-5"), end="")
    error: no model 'gpt-5o'
    hint: breakeven catalog show gpt-5
    """
    parts = (("error", message), ("cause", cause), ("hint", hint))
    return "".join(f"{name}: {_one_line(text)}\n" for name, text in parts if text)


def _one_line(text: str) -> str:
    line = printable(" ".join(text.split()))
    return line if len(line) <= LONGEST_PART else f"{line[: LONGEST_PART - 4]} ..."
