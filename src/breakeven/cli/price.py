"""``breakeven price``: the exact price of one request on a hosted model, or of many alike."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from breakeven.cli.options import output_options, text_style, write_output


class Moment(click.ParamType[date | datetime]):
    """A UTC day, or a moment; a moment without a time zone is UTC."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date | datetime:
        """The day or moment, from a flag, a variable or the configuration file."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value) if len(value) <= 10 else datetime.fromisoformat(value)
        except (TypeError, ValueError):
            self.fail(f"{value!r} is no date such as 2026-11-24 or 2026-11-24T02:00", param, ctx)


@click.command(short_help="The exact price of one request, or of many alike.")
@click.argument("model")
@click.option("--input", "input_tokens", type=int, required=True, metavar="N", help="Input tokens, cached included.")
@click.option("--output", "output_tokens", type=int, required=True, metavar="N", help="Output tokens.")
@click.option("--cache-read", type=int, default=0, metavar="N", help="Input tokens read from the prompt cache.")
@click.option("--cache-write-5m", type=int, default=0, metavar="N", help="Input tokens written to it for 5 minutes.")
@click.option("--cache-write-1h", type=int, default=0, metavar="N", help="Input tokens written to it for an hour.")
@click.option("--reasoning", type=int, default=0, metavar="N", help="Output tokens spent on reasoning.")
@click.option("--input-audio", type=int, default=0, metavar="N", help="Input tokens of audio.")
@click.option("--cache-read-audio", type=int, default=0, metavar="N", help="Those of them read from the prompt cache.")
@click.option("--output-audio", type=int, default=0, metavar="N", help="Output tokens of audio.")
@click.option("--provider", metavar="NAME", help="Who serves the model.  [default: as in MODEL, else its maker]")
@click.option(
    "--processing",
    default="standard",
    show_default=True,
    metavar="TIER",
    help="standard, batch, flex or priority.",
)
@click.option("--at", type=Moment(), help="Price at this UTC day or moment.  [default: now]")
@click.option("--requests", type=int, default=1, show_default=True, metavar="N", help="How many such requests.")
@output_options("text", "json", "csv")
@click.pass_context
def price(
    context: click.Context,
    /,
    model: str,
    at: date | datetime | None,
    output_format: str,
    out: Path | None,
    **flags: Any,
) -> None:
    """The exact price of one request on MODEL, an id or PROVIDER/ID, from its published or negotiated prices.

    Each request is rounded once, half to even, to a nano-dollar; N requests cost N times that.
    """
    from breakeven.catalog import pricing
    from breakeven.catalog.hosted import find_card
    from breakeven.catalog.negotiated import read_price_config
    from breakeven.catalog.usage import Usage
    from breakeven.render.prices import render_price

    moment = at or datetime.now(UTC).replace(microsecond=0)
    usage = Usage(
        input_tokens=flags["input_tokens"],
        output_tokens=flags["output_tokens"],
        cache_read_tokens=flags["cache_read"],
        cache_write_5m_tokens=flags["cache_write_5m"],
        cache_write_1h_tokens=flags["cache_write_1h"],
        reasoning_tokens=flags["reasoning"],
        input_audio_tokens=flags["input_audio"],
        cache_read_audio_tokens=flags["cache_read_audio"],
        output_audio_tokens=flags["output_audio"],
    )
    card = find_card(
        model,
        provider=flags["provider"],
        processing=flags["processing"],
        at=moment,
        config=read_price_config(context.obj.tables if context.obj else {}),
    )
    priced = pricing.price(card, usage, requests=flags["requests"])
    write_output(render_price(priced, moment, output_format, text_style(out)), out)
