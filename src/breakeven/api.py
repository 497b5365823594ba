"""The functions of the command line for Python: the same values, before they are rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from breakeven.catalog.evidence import Assumption
from breakeven.catalog.hosted import find_card, find_cards, hosted_cards, require_priced_day
from breakeven.catalog.negotiated import PriceConfig, read_price_config
from breakeven.catalog.open_models import open_model
from breakeven.catalog.price_card import PriceCard, Processing
from breakeven.catalog.pricing import PricedUsage
from breakeven.catalog.pricing import price as price_usage
from breakeven.catalog.usage import Usage
from breakeven.errors import ConfigError
from breakeven.options.edge import EdgeDevices
from breakeven.options.gpu_fleet import GpuFleets
from breakeven.options.gpu_grid import gpu_grid
from breakeven.options.hosted_api import HostedApis
from breakeven.options.option import Candidates
from breakeven.options.provisioned import ProvisionedApis
from breakeven.options.replay_sizing import fleet_sizer
from breakeven.options.selection import Selection, select
from breakeven.options.traffic import sizing_assumptions
from breakeven.plan.compare import compare
from breakeven.plan.curve_report import CurveReport, curve_report
from breakeven.plan.fleet_advice import NO_LIMITS, FleetAdvice, FleetLimits, FleetQuestion, advise_fleet
from breakeven.plan.fleet_replay import no_fleet, replay_leading_fleet
from breakeven.plan.fleet_report import FleetReport, fleet_report
from breakeven.plan.lever_price import billed_card
from breakeven.plan.lever_replay import LeverQuestion, replay_levers
from breakeven.plan.lever_report import LeverReport, Lives, lever_named
from breakeven.plan.plan import Plan
from breakeven.review.audit import LogPrices, PromptAudit, audit_prompts
from breakeven.review.prompt_rules import prompt_rules
from breakeven.review.request_log import read_requests
from breakeven.serving.correction_store import read_corrections
from breakeven.serving.corrections import Corrections
from breakeven.serving.fleet_file import FleetFile, read_fleet
from breakeven.workload.loading import load_workload
from breakeven.workload.request_loading import MADE_UP, load_requests, made_up_day
from breakeven.workload.synthetic_arrivals import ArrivalKind
from breakeven.workload.trace import Trace
from breakeven.workload.workload import Workload

__all__ = [
    "Plan",
    "Usage",
    "Workload",
    "audit",
    "curve",
    "fleet",
    "load_workload",
    "plan",
    "price",
    "replay",
    "replayed",
    "simulate",
]


def plan(
    workload: Workload | Path | str,
    *,
    candidates: Sequence[str] = (),
    reference: str | None = None,
    show: Sequence[str] = (),
    top: int = 10,
    at: date | None = None,
    config: Mapping[str, Any] | None = None,
) -> Plan:
    """What each way of serving a workload costs a month, which one to take, and where that changes.

    Args:
        workload: a workload, or the path of a workload file or trace.
        candidates: models or kinds (``api``, ``gpu``, ``edge``) to compare; empty for the whole catalogue.
        reference: a hosted model to show whatever its rank, as the bill to compare with.
        show: labels of further options to show.
        top: how many models to show, each by its cheapest way of being served.
        at: the date of the prices; today (UTC) if None.
        config: what ``breakeven.toml`` holds beside the commands' options: negotiated prices, provisioned throughput,
            and as ``calibration`` the file of corrections that ``breakeven calibrate`` stored.

    Raises:
        InputError: the workload or a name is wrong.
        NothingFits: nothing meets the requirements.
    """
    corrections, calibrated = _corrections(config or {})
    asked = load_workload(Path(workload)) if isinstance(workload, str | Path) else workload
    day = at or datetime.now(UTC).date()
    require_priced_day(day)
    prices = read_price_config(config or {})
    compared_with = find_cards(reference, at=day, config=prices) if reference else ()
    wanted = [*show, *{card.name for card in compared_with}]
    return compare(
        asked,
        _tables(asked, select(candidates, day, prices), day, prices, compared_with, corrections),
        priced_on=day,
        reference=wanted[-1] if reference else None,
        show=wanted,
        top=top,
        assumptions=(*sizing_assumptions(), *calibrated),
    )


def replayed(
    answer: Plan,
    requests: Trace | Path | str | None = None,
    *,
    candidates: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan with its leading always-on fleet of GPUs replayed: as planned, autoscaled, and scaled to zero.

    Args:
        answer: what ``plan`` gave.
        requests: the requests, or the path of their trace or workload file; a made-up day of the workload where None,
            or where the file has no trace.
        candidates: as they were given to ``plan``.
        config: as it was given to ``plan``.

    Raises:
        InputError: the requests or a name is wrong, or all of them arrive at once.
        NothingFits: no fleet meets the requirements.
    """
    corrections, _ = _corrections(config or {})
    loaded = load_requests(Path(requests)) if isinstance(requests, str | Path) else requests
    if loaded is None or loaded.format_name == MADE_UP:
        loaded = made_up_day(answer.workload)  # the plan's workload, which flags may have changed
    selection = select(candidates, answer.priced_on, read_price_config(config or {}))
    if "gpu" not in selection.kinds or selection.open_models == ():
        raise no_fleet("no fleet of GPUs is among the candidates")
    grid = gpu_grid(answer.workload, billing="hour", models=selection.open_models, corrections=corrections)
    found = replay_leading_fleet(
        answer.workload,
        grid,
        loaded,
        named=selection.named,
        corrections=corrections,
        sizes=answer.fleet_sizes,
    )
    return replace(answer, replay=found, assumptions=(*answer.assumptions, *found.assumptions))


def curve(
    workload: Workload | Path | str,
    *,
    labels: Sequence[str] = (),
    candidates: Sequence[str] = (),
    top: int = 6,
    at: date | None = None,
    config: Mapping[str, Any] | None = None,
) -> CurveReport:
    """Cost against volume for the plan's leading options, or for the options with these labels."""
    answer = plan(workload, candidates=candidates, show=labels, top=top, at=at, config=config)
    options = [answer.option(label) for label in labels] if labels else answer.options
    return curve_report(answer.workload, options)


def fleet(
    workload: Workload | Path | str,
    model: str,
    *,
    spill_to: str | None = None,
    limits: FleetLimits = NO_LIMITS,
    replay: bool = False,
    at: date | None = None,
    config: Mapping[str, Any] | None = None,
) -> FleetAdvice:
    """What of an open model's fleet to reserve, run on demand, hold on spot or spill to an API, and which GPUs to mix.

    Args:
        workload: a workload, or the path of a workload file or trace.
        model: the open model that the fleet serves.
        spill_to: the hosted model that takes what is spilled; the same model where None.
        limits: the demand, providers, instances and zones to look at.
        replay: replay a day of the own instances that have an API for the peak.
        at: the date of the prices; today (UTC) if None.
        config: tables of ``breakeven.toml``: negotiated prices, and as ``calibration`` the file of corrections.

    Raises:
        InputError: the workload or a name is wrong.
        NothingFits: no instance on offer serves the model within the requirements.
        Unavailable: HiGHS, which mixes GPU types, is not installed.
    """
    corrections, calibrated = _corrections(config or {})
    asked = load_workload(Path(workload)) if isinstance(workload, str | Path) else workload
    served = open_model(model)
    day, prices = at or datetime.now(UTC).date(), read_price_config(config or {})
    cards = select([spill_to or served.name], day, prices).hosted or ()
    advice = advise_fleet(
        FleetQuestion(workload=asked, model=served, cards=cards, limits=limits, corrections=corrections, replays=replay)
    )
    return replace(advice, assumptions=(*advice.assumptions, *calibrated))


def simulate(
    trace: Trace | Path | str,
    fleet: FleetFile | Path | str,
    *,
    arrivals: ArrivalKind = "trace",
    replicas: int | None = None,
    at: date | None = None,
    config: Mapping[str, Any] | None = None,
) -> FleetReport:
    """A trace replayed through a fleet: latencies, utilization, dollars, and other ways to scale the same fleet.

    Args:
        trace: a trace, or the path of one, or of a workload file: its trace, or one made-up day of it.
        fleet: a fleet, or the path of a fleet file.
        arrivals: the trace's own times, or made-up ones in their place.
        replicas: a fixed fleet of so many, in place of what the file states.
        at: the date of the API's price; today (UTC) if None.
        config: tables of ``breakeven.toml``: negotiated prices, and as ``calibration`` the file of corrections.

    Raises:
        InputError: the trace, the fleet or the corrections are wrong, or do not go together.
        UnknownName: no such model to spill to.
        NothingFits: the deployment cannot run.
    """
    requests = load_requests(Path(trace)) if isinstance(trace, str | Path) else trace
    file = read_fleet(Path(fleet)) if isinstance(fleet, str | Path) else fleet
    stated = file if replicas is None else file.with_replicas(replicas)
    corrections, _ = _corrections(config or {})
    prices = read_price_config(config or {})
    card = find_card(file.spill_model, at=at or datetime.now(UTC).date(), config=prices) if file.spill_model else None
    return fleet_report(requests, stated, arrivals, corrections, card)


def replay(
    trace: Trace | Path | str,
    *,
    lever: str | None = None,
    model: str | None = None,
    provider: str | None = None,
    ttl_s: float | Lives | None = None,
    at: date | datetime | None = None,
    config: Mapping[str, Any] | None = None,
) -> LeverReport:
    """What each lever would save on a trace, before it is switched on, and how much of the trace repeats.

    Args:
        trace: a trace read with ``keep_blocks``, or the path of one, or of a workload file that names one.
        lever: ``response-cache``, ``single-flight`` or ``prompt-cache``; all of them where None.
        model: the hosted model whose prices bill the trace; the provider's default where None.
        provider: who sells it.
        ttl_s: how long an answer, or a prefix at the provider, is kept; where None, an hour and what is cheapest.
        at: the date of the prices, with an hour where they depend on it (UTC); today if None.
        config: tables of ``breakeven.toml``: negotiated prices.

    Raises:
        InputError: the trace, a lever or a name is wrong, or the trace does not tell what repeats.
        Unpriced: the model's price does not cover a request.
    """
    asked = None if lever is None else lever_named(lever)
    requests = load_requests(Path(trace), keep_blocks=True) if isinstance(trace, str | Path) else trace
    moment = at or datetime.now(UTC).date()
    card, billed = billed_card(model, provider, moment, read_price_config(config or {}))
    lives = ttl_s if isinstance(ttl_s, Lives) else Lives(answer_s=ttl_s, prefix_s=ttl_s)
    question = LeverQuestion(trace=requests, card=card, lives=lives, asked=asked, assumptions=(billed,))
    return replay_levers(question)


def price(
    model: str,
    usage: Usage,
    *,
    provider: str | None = None,
    processing: Processing = "standard",
    at: date | datetime | None = None,
    requests: int = 1,
    config: Mapping[str, Any] | None = None,
) -> PricedUsage:
    """What a request with this usage costs on a hosted model, exact to the nano-dollar.

    Raises:
        UnknownName: no such model, or no such processing tier for it.
        AmbiguousName: several providers sell a model under this name.
    """
    prices = read_price_config(config or {})
    card = find_card(model, provider=provider, processing=processing, at=at, config=prices)
    return price_usage(card, usage, requests=requests)


def audit(
    log: Path | str,
    *,
    model: str | None = None,
    days: float | None = None,
    at: date | None = None,
    config: Mapping[str, Any] | None = None,
) -> PromptAudit:
    """What in the prompts of a log costs money and need not.

    Args:
        log: a file of logged requests, a JSON object a line.
        model: price every request as this model; as the one that it names if None.
        days: what the log covers; from its first timestamp to its last if None.
        at: the date of the prices; today (UTC) if None.
        config: tables of ``breakeven.toml``: negotiated prices.

    Raises:
        TraceError: a line is no request; names it.
        InputError: the log is empty, a model has no price, or nothing says what stretch of time it covers.
    """
    day = at or datetime.now(UTC).date()
    prices = LogPrices(day, read_price_config(config or {}), model)
    return audit_prompts(lambda: read_requests(Path(log)), prompt_rules(), prices, day, days)


def _corrections(config: Mapping[str, Any]) -> tuple[Corrections, tuple[Assumption, ...]]:
    """The corrections that the configuration names, and the assumption that says so.

    Raises:
        ConfigError: ``calibration`` is not the name of a file.
        InputError: the file is not what ``breakeven calibrate`` writes.
    """
    path = config.get("calibration")
    if path is None:
        return Corrections(), ()
    if not isinstance(path, str | Path):
        raise ConfigError("calibration must be the name of a file", hint='write calibration = "calibration.toml"')
    found = read_corrections(Path(path))
    count = len(found.servers) + len(found.devices)
    return found, (Assumption(name="calibrated_deployments", value=count, unit="", basis="measured", source=str(path)),)


def _tables(
    workload: Workload,
    selection: Selection,
    day: date,
    prices: PriceConfig,
    compared_with: Sequence[PriceCard],
    corrections: Corrections,
) -> list[Candidates]:
    """The candidate tables of the selected kinds, in the order in which equal costs are decided."""
    tables: list[Candidates] = []
    if "api" in selection.kinds or compared_with:
        asked = selection.among(prices.applied(hosted_cards(day), day)) if "api" in selection.kinds else []
        further = [card for card in compared_with if card not in asked]
        tables.append(HostedApis(workload, [*asked, *further], named=selection.named))
    contracts = [c for c in prices.provisioned if not selection.named or c.label in selection.contracts]
    if "api" in selection.kinds and contracts:
        tables.append(ProvisionedApis(workload, contracts, named=selection.named))
    if "gpu" in selection.kinds and selection.open_models != ():
        sizer = fleet_sizer(workload, corrections)
        tables += [
            GpuFleets.of(
                workload,
                billing=billing,
                models=selection.open_models,
                named=selection.named,
                corrections=corrections,
                sizer=sizer,
            )
            for billing in ("hour", "second")
        ]
    if "edge" in selection.kinds and selection.open_models != ():
        tables.append(
            EdgeDevices(workload, models=selection.open_models, named=selection.named, corrections=corrections)
        )
    return tables
