"""``breakeven replay``: what each lever would save on a trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from breakeven.cli.options import COMMA_LIST, output_options, text_style, trace_columns, write_output
from breakeven.cli.price import Moment
from breakeven.cli.progress import counting

_NAMED_TTLS = {"5m": 300.0, "1h": 3_600.0}


class TimeToLive(click.ParamType[float]):
    """``5m``, ``1h`` or a number of seconds; gives seconds."""

    name = "ttl"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds, more than 0."""
        text = str(value).strip()
        try:
            seconds = _NAMED_TTLS[text] if text in _NAMED_TTLS else float(text)
        except ValueError:
            self.fail(f"{value!r} is neither 5m, 1h nor a number of seconds", param, ctx)
        if not seconds > 0:
            self.fail(f"{value!r} keeps nothing", param, ctx)
        return seconds


@click.command(short_help="What caching would save on your own traffic.")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option(
    "--lever", metavar="LEVER", help="response-cache, single-flight or prompt-cache.  [default: all, side by side]"
)
@click.option("--model", metavar="MODEL", help="Hosted model that the trace is billed at.")
@click.option("--provider", metavar="NAME", help="Who sells it.  [default: the model's maker, or anthropic]")
@click.option(
    "--ttl",
    type=TimeToLive(),
    metavar="5m|1h|SECONDS",
    help="How long an answer, or a prefix at the provider, is kept.  [default: 1h, and 5m]",
)
@click.option(
    "--columns",
    type=COMMA_LIST,
    metavar="NAME=COLUMN,...",
    help="Columns of the trace: timestamp=, input_tokens=, output_tokens=, request_hash=, tenant=, model=, duration=.",
)
@click.option("--at", type=Moment(), help="UTC day or moment of the prices.  [default: today]")
@output_options("text", "json", "csv", "markdown", "html")
@click.pass_context
def replay(context: click.Context, /, trace: Path, output_format: str, out: Path | None, **flags: Any) -> None:
    """Replay TRACE through each lever that keeps a request from being bought twice, before it is switched on.

    The trace must tell which requests are the same: hash_ids of prefix blocks, as Mooncake's and Qwen-Bailian's traces
    have, or a column request_hash with a digest of each whole request. Prints the bill with each lever over the bill
    without, how many requests it serves, the dollars with an interval, and how much of the trace repeats. A lever that
    the trace does not tell about is unknown, never 0.
    """
    from breakeven import api
    from breakeven.render.replay import render_replay
    from breakeven.render.text import printable
    from breakeven.workload.request_loading import load_requests

    columns = None if flags["columns"] is None else trace_columns(flags["columns"])
    with counting(f"reading {printable(trace.name)}", "rows") as progress:
        requests = load_requests(trace, columns, progress, keep_blocks=True)
    report = api.replay(
        requests,
        lever=flags["lever"],
        model=flags["model"],
        provider=flags["provider"],
        ttl_s=flags["ttl"],
        at=flags["at"],
        config=context.obj.tables,
    )
    write_output(render_replay(report, output_format, text_style(out)), out)
