"""What metrics count: seeded from the ledger's own totals, then fed with every entry as it is settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from breakeven.gateway.histogram import DURATION_BUCKETS_S, TTFT_BUCKETS_S, Histogram
from breakeven.ledger.entry import LedgerEntry
from breakeven.ledger.ledger_file import opened
from breakeven.ledger.sqlite_ledger import SqliteLedger
from breakeven.ledger.totals import Total, TotalsQuery, totals

GROUPED_BY: Final = ("tenant", "model", "deployment", "outcome", "served_from")
MOST_GROUPS: Final = 10_000
"""Groups that are counted apart. A client can name models without end, and each would be a time series for ever."""

OTHER: Final = "(other)"
"""The model of everything beyond that: sums stay whole."""

SUMS: Final = (
    *("requests", "attempts", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens"),
    *("cache_write_1h_tokens", "reasoning_tokens", "input_audio_tokens", "cache_read_audio_tokens"),
    *("output_audio_tokens", "removed_input_tokens", "nano_usd", "list_nano_usd", "baseline_nano_usd"),
    *("response_cache_saved_nano_usd", "prompt_cache_caused_nano_usd", "prompt_cache_anyway_nano_usd"),
    "removed_nano_usd",
)
"""What is added up of each group, by the names of `Total`."""


class Group(NamedTuple):
    """Names that a sum is for; a key, a user or a tag would make too many of them."""

    tenant: str
    model: str
    deployment: str
    outcome: str
    served_from: str


class Timed(NamedTuple):
    """Names that durations are for."""

    model: str
    deployment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A moment's numbers: a row of `SUMS` for each group, and the durations since this process began."""

    sums: dict[Group, list[int]]
    durations: dict[Timed, Histogram]
    ttfts: dict[Timed, Histogram]


class LedgerCounters:
    """An observer of a ledger. Make it before the first request of the process."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._sums: dict[tuple[str, str, str, str, str], list[int]] = {}
        self._times: dict[tuple[str, str], tuple[Histogram, Histogram]] = {}
        with opened(ledger.path) as connection:
            for total in totals(connection, TotalsQuery(by=GROUPED_BY)):
                self._seed(total)
        ledger.observers.append(self.observe)

    def observe(self, entry: LedgerEntry) -> None:
        """Count one entry: a few additions, since a request waits for it."""
        names = entry.tenant, entry.served_model, entry.deployment, entry.outcome, entry.served_from
        sums = self._sums.get(names)
        if sums is None:
            sums = self._group(*names)
        usage = entry.usage
        sums[0] += entry.attempt == 1
        sums[1] += 1
        sums[2] += usage.input_tokens
        sums[3] += usage.output_tokens
        sums[4] += usage.cache_read_tokens
        sums[5] += usage.cache_write_5m_tokens
        sums[6] += usage.cache_write_1h_tokens
        sums[7] += usage.reasoning_tokens
        sums[8] += usage.input_audio_tokens
        sums[9] += usage.cache_read_audio_tokens
        sums[10] += usage.output_audio_tokens
        sums[11] += entry.removed_input_tokens
        sums[12] += entry.effective_nano_usd
        sums[13] += entry.list_nano_usd
        sums[14] += entry.baseline_nano_usd
        sums[17 if entry.marked_by != "gateway" else 16] += entry.prompt_cache_saved_nano_usd
        sums[18] += entry.removed_nano_usd
        if entry.served_from != "upstream":  # no deployment took this time
            sums[15] += entry.baseline_nano_usd - entry.effective_nano_usd
            return
        times = self._times.get((entry.served_model, entry.deployment))
        if times is None:
            times = self._timed(entry.served_model, entry.deployment)
        times[0].observe(entry.duration_s)
        if entry.ttft_s is not None:
            times[1].observe(entry.ttft_s)

    def counted(self) -> Counted:
        """A copy of all numbers, which may be read while others are counted."""
        return Counted(
            sums={Group(*names): sums[:] for names, sums in self._sums.items()},
            durations={Timed(*names): times[0].copy() for names, times in self._times.items()},
            ttfts={Timed(*names): times[1].copy() for names, times in self._times.items()},
        )

    def _seed(self, total: Total) -> None:
        sums = self._group(*total.group)
        for place, name in enumerate(SUMS):
            sums[place] += getattr(total, name)

    def _group(self, tenant: str, model: str, deployment: str, outcome: str, served_from: str) -> list[int]:
        """The sums of a group that is new, or of all that are one too many."""
        if len(self._sums) >= MOST_GROUPS:
            model = OTHER
        return self._sums.setdefault((tenant, model, deployment, outcome, served_from), [0] * len(SUMS))

    def _timed(self, model: str, deployment: str) -> tuple[Histogram, Histogram]:
        if len(self._times) >= MOST_GROUPS:
            model = OTHER
        fresh = Histogram(DURATION_BUCKETS_S), Histogram(TTFT_BUCKETS_S)
        return self._times.setdefault((model, deployment), fresh)
