"""The whole catalogue on a real trace: seconds from a read workload to a plan, stage by stage.

Each run is a fresh process, so that nothing is compiled or cached before; imports and the reading of the trace are
counted apart. The floor is one pass of arithmetic over the cost columns: less than that cannot rank them.
"""

from __future__ import annotations

import json
import sys
import time

from measure import BREAKEVEN, Figure, command, fresh, median_s, median_wall_s, milliseconds, peak_mib, report, stage
from traces import trace_path

REPEATS = 5
STAGES = ("cards", "tables", "ranking", "break-even", "statements")


def whole() -> dict[str, float]:
    """One plan in this process, as a Python user asks for it."""
    stages: dict[str, float] = {}
    with stage(stages, "imports"):
        from breakeven import api
    with stage(stages, "trace"):
        workload = api.load_workload(trace_path())
    start = time.perf_counter()
    with stage(stages, "plan"):
        plan = api.plan(workload)
    return {**stages, "wall": time.perf_counter() - start, "considered": plan.considered}


def staged() -> dict[str, float]:
    """The same plan in its stages."""
    from datetime import UTC, datetime

    from breakeven.api import load_workload
    from breakeven.catalog.hosted import hosted_cards
    from breakeven.options.edge import EdgeDevices
    from breakeven.options.gpu_fleet import GpuFleets
    from breakeven.options.hosted_api import HostedApis
    from breakeven.plan.breakeven import cheapest_pieces
    from breakeven.plan.compare import compare
    from breakeven.plan.market import Contenders, Market
    from breakeven.plan.zones import zones

    workload, day = load_workload(trace_path()), datetime.now(UTC).date()
    stages: dict[str, float] = {}
    with stage(stages, "cards"):
        cards = hosted_cards(day)
    with stage(stages, "tables"):
        fleets = [GpuFleets.of(workload, billing=billing) for billing in ("hour", "second")]
        tables = [HostedApis(workload, cards), *fleets, EdgeDevices(workload)]
        columns = [(table.columns, table.refusal, table.group) for table in tables]
    with stage(stages, "ranking"):
        market = Market(tables, workload.requests_per_day)
        market.cheapest_of_each_group(market.admissible)
    with stage(stages, "break-even"):
        contenders = Contenders(market)
        found = zones(cheapest_pieces(contenders), lambda winner: market.label(int(contenders.rows[winner])))
    with stage(stages, "statements"):
        compare(workload, tables, priced_on=day)
    stages["statements"] -= stages["ranking"] + stages["break-even"]  # compare ranks and solves once more
    with stage(stages, "floor"):
        for table in tables:
            table.columns.line_at(workload.requests_per_day, 1)
    rows = {f"{kind} rows": sum(len(t.columns) for t in tables if t.kind == kind) for kind in ("api", "gpu", "edge")}
    sizes = {"admissible": len(market.admissible), "contenders": len(contenders.columns), "zones": len(found)}
    return {**stages, **rows, **sizes, "tables": stages["tables"] if columns else 0.0}


def main() -> None:
    """Print the figures."""
    runs = sorted((fresh(__file__, "whole") for _ in range(REPEATS)), key=lambda run: run["plan"])
    parts = [fresh(__file__, "staged") for _ in range(REPEATS)]
    calls = [command([BREAKEVEN, "plan", trace_path(), "--format", "json"]) for _ in range(3)]
    middle, part = runs[REPEATS // 2], {name: min(run[name] for run in parts) for name in parts[0]}
    rows = ", ".join(f"{part[f'{kind} rows']:,.0f} {kind}" for kind in ("api", "gpu", "edge"))
    figures = [
        Figure(
            what="plan, after imports",
            figure=f"{milliseconds(middle['plan'])} CPU",
            target="2 s",
            beside=f"least {milliseconds(runs[0]['plan'])}, wall {milliseconds(middle['wall'])}; "
            f"{middle['considered']:,.0f} options: {rows}",
        ),
        *(
            Figure(what=f"- {name}", figure=f"{milliseconds(part[name])} CPU", beside=_size(name, part))
            for name in STAGES
        ),
        Figure(
            what="- floor: one pass",
            figure=f"{milliseconds(part['floor'])} CPU",
            beside=f"the cost of every option at one volume; the plan takes {runs[0]['plan'] / part['floor']:,.0f} x",
        ),
        Figure(what="imports", figure=f"{milliseconds(middle['imports'])} CPU", beside="breakeven.api, once a process"),
        Figure(what="reading the trace", figure=f"{milliseconds(middle['trace'])} CPU", beside=trace_path().name),
        Figure(
            what="breakeven plan --format json",
            figure=f"{milliseconds(median_s(calls))} CPU",
            beside=f"the whole command; wall {milliseconds(median_wall_s(calls))}, peak {peak_mib(calls):.0f} MiB",
        ),
    ]
    report("The whole catalogue", figures)


def _size(name: str, part: dict[str, float]) -> str:
    sizes = {
        "cards": "published prices compiled to cards",
        "tables": "capacity of every replica, cost columns, refusals",
        "ranking": f"{part['admissible']:,.0f} options may be recommended",
        "break-even": f"{part['contenders']:,.0f} could be cheapest at some volume; {part['zones']:,.0f} zones",
        "statements": "lines of what is shown, reasons of the rest",
    }
    return sizes[name]


if __name__ == "__main__":
    modes = {"whole": whole, "staged": staged}
    if len(sys.argv) > 1:
        print(json.dumps(modes[sys.argv[1]]()))
    else:
        main()
