"""An error as people read it: what went wrong, why, and a line to run or change."""

from __future__ import annotations

from breakeven.render.text import printable


def error_text(message: str, *, cause: str | None = None, hint: str | None = None) -> str:
    """``error:`` / ``cause:`` / ``hint:``, one line each, without control characters; ends in a newline.

    >>> print(error_text("no model 'gpt-5o'", hint="breakeven catalog show gpt-5"), end="")
    error: no model 'gpt-5o'
    hint: breakeven catalog show gpt-5
    """
    parts = (("error", message), ("cause", cause), ("hint", hint))
    return "".join(f"{name}: {printable(' '.join(text.split()))}\n" for name, text in parts if text)
