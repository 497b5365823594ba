"""``breakeven catalog``: show, check and update the prices."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import click

from breakeven.cli.options import output_options, text_style, write_output

DAY = click.DateTime(["%Y-%m-%d"])


@click.group(short_help="Show, check and update the prices and specifications.")
def catalog() -> None:
    """Show, check and update the prices and specifications."""


@catalog.command(short_help="Hosted prices, by provider, model or processing.")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("--provider", metavar="NAME", help="Only this provider's prices.")
@click.option("--processing", metavar="TIER", help="Only standard, batch, flex or priority prices.")
@click.option("--at", "moment", type=DAY, metavar="DATE", help="Prices of this day.  [default: today]")
@click.option("--limit", type=click.IntRange(min=0), default=40, show_default=True, help="Prices to show; 0 for all.")
@output_options("text", "json", "csv")
@click.pass_context
def show(
    context: click.Context,
    /,
    words: tuple[str, ...],
    moment: datetime | None,
    limit: int,
    output_format: str,
    out: Path | None,
    **only: str | None,
) -> None:
    """Hosted prices whose label has every WORD in it, such as `show gpt-5 batch`."""
    from breakeven.catalog.hosted import matching_cards
    from breakeven.catalog.negotiated import read_price_config
    from breakeven.render.price_lists import CardList, render_cards

    day = _day(moment)
    config = read_price_config(context.obj.tables if context.obj else {})
    cards = matching_cards(words, day, provider=only["provider"], processing=only["processing"], config=config)
    found = CardList(at=day, cards=cards[:limit] if limit else cards, total=len(cards))
    write_output(render_cards(found, output_format, text_style(out)), out)


@catalog.command(short_help="Where price sources disagree, and which rows are stale.")
@click.option("--at", "moment", type=DAY, metavar="DATE", help="Compare the prices of this day.  [default: today]")
@click.option("--strict", is_flag=True, help="Exit with 1 where sources disagree or a row is stale.")
@output_options("text", "json", "csv")
@click.pass_context
def check(
    context: click.Context, /, moment: datetime | None, strict: bool, output_format: str, out: Path | None
) -> None:
    """Hold the price sources against each other, and list the rows checked more than 180 days ago."""
    from breakeven.catalog import price_check
    from breakeven.render.price_checks import render_check

    report = price_check.check(_day(moment))
    write_output(render_check(report, output_format, text_style(out)), out)
    if strict and (report.disagreements or report.stale):
        context.exit(1)


@catalog.command(short_help="Fetch current prices, where there is a network.")
@output_options("text", "json", "csv")
def update(output_format: str, out: Path | None) -> None:
    """Fetch the current price list from its publisher and keep it; exit with 3 where there is no network."""
    from breakeven.catalog import price_update
    from breakeven.render.price_checks import render_update

    write_output(render_update(price_update.update(), output_format, text_style(out)), out)


def _day(moment: datetime | None) -> date:
    return datetime.now(UTC).date() if moment is None else moment.date()
