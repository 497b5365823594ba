"""``breakeven replay``: what each lever would save on a trace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from breakeven.cli.config import read_tables
from breakeven.cli.options import COMMA_LIST, output_options, text_style, trace_columns, write_output
from breakeven.cli.price import Moment
from breakeven.cli.progress import counting

if TYPE_CHECKING:
    from breakeven.plan.lever_report import Lives

NAMED_TTLS: Final = {"5m": 300.0, "1h": 3_600.0}
"""Lives by name, seconds; what providers sell."""


class TimeToLive(click.ParamType[float]):
    """``5m``, ``1h`` or a number of seconds; gives seconds."""

    name = "ttl"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds, more than 0."""
        text = str(value).strip()
        try:
            seconds = NAMED_TTLS[text] if text in NAMED_TTLS else float(text)
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
    "--policy",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The gateway's configuration, whose lives hold where --ttl is not given.  [default: breakeven.toml]",
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
        ttl_s=flags["ttl"] or _lives(context, flags["policy"], flags["model"]),
        at=flags["at"],
        config=context.obj.tables,
    )
    write_output(render_replay(report, output_format, text_style(out)), out)


def _lives(context: click.Context, policy: Path | None, model: str | None) -> Lives:
    """How long a gateway's configuration keeps answers and prefixes; what it does not say stays open."""
    from breakeven.gateway.config import read_config
    from breakeven.plan.lever_report import Lives

    tables = context.obj.tables if policy is None else read_tables(policy)
    config = read_config(tables)
    own = next((each for each in config.models if each.name == model), None)
    answer_s = own.cache.ttl_s if own is not None and own.cache is not None else None
    if answer_s is None and "cache" in tables:
        answer_s = config.cache.ttl_s
    kept = own.prompt_cache_ttl if own is not None else None
    if kept is None and "prompt_cache_ttl" in tables.get("gateway", {}):
        kept = config.gateway.prompt_cache_ttl
    return Lives(answer_s=answer_s, prefix_s=None if kept is None else NAMED_TTLS[kept])
