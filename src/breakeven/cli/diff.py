"""``breakeven diff``: two saved plans, what changed, and an exit code for a pipeline."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Final

import click

from breakeven.cli.options import NUMBER, output_options, text_style, write_output
from breakeven.errors import InputError

MAXIMUM_BYTES: Final = 64 * 1024 * 1024
"""A larger plan file is refused rather than read."""


@click.command(short_help="What changed between two saved plans.")
@click.argument("before", type=click.Path(path_type=Path), metavar="A.json")
@click.argument("after", type=click.Path(path_type=Path), metavar="B.json")
@click.option("--max-increase-usd", type=NUMBER, metavar="X", help="Fail (1) where the chosen cost rises by more USD.")
@click.option("--max-increase-frac", type=NUMBER, metavar="F", help="Fail (1) where it rises by more; 0.1 is 10%.")
@output_options("text", "json", "markdown")
@click.pass_context
def diff(
    context: click.Context,
    /,
    before: Path,
    after: Path,
    max_increase_usd: Decimal | None,
    max_increase_frac: Decimal | None,
    output_format: str,
    out: Path | None,
) -> None:
    """Compare the plans saved in A.json and B.json (breakeven plan --format json); + added, - removed, ~ changed."""
    from breakeven.render.diff import render_diff
    from breakeven.render.plan_diff import Threshold, diff_plans
    from breakeven.render.saved_plan import read_plan

    threshold = Threshold(max_increase_usd=max_increase_usd, max_increase_frac=max_increase_frac)
    found = diff_plans(read_plan(read_text(before), before.name), read_plan(read_text(after), after.name), threshold)
    write_output(render_diff(found, output_format, text_style(out)), out)
    context.exit(1 if found.exceeded else 0)


def read_text(path: Path) -> str:
    """The file's text, in UTF-8.

    Raises:
        InputError: it cannot be read, is larger than `MAXIMUM_BYTES`, or is not UTF-8.
    """
    hint = "write a plan with: breakeven plan WORKLOAD --format json --out FILE"
    try:
        with path.open("rb") as stream:
            content = stream.read(MAXIMUM_BYTES + 1)
        if len(content) > MAXIMUM_BYTES:
            raise InputError(f"{path} is larger than {MAXIMUM_BYTES:,} bytes", hint=hint)
        return content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}", cause=error.strerror, hint=hint) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text", cause=str(error), hint=hint) from error
