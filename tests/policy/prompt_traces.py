"""Families of request traces that are made to defeat a rule of marking; each is a function of a random generator."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count, cycle, islice
from random import Random

from breakeven.policy.prompt_cache import Prefix

BLOCK_TOKENS = 512
Path = list[int]
Sending = tuple[float, Path]
Family = Callable[["Maker"], Iterator[Sending]]


class Maker:
    """What a family draws from: new blocks, a gap between requests, a number of blocks, the time to expiry."""

    def __init__(self, rng: Random, ttl_s: float) -> None:
        self.rng = rng
        self.ttl_s = ttl_s
        self.gap_s = rng.choice([0.05, 0.5, 2, 10, 40])
        self.blocks = rng.choice([2, 3, 8, 24, 60])
        self._next = count()

    def new(self, blocks: int | None = None) -> Path:
        """Blocks that were never sent."""
        return list(islice(self._next, self.blocks if blocks is None else blocks))

    def wait(self) -> float:
        """A random gap in seconds."""
        return self.rng.expovariate(1 / self.gap_s)


def requests(family: str, seed: int, size: int, ttl_s: float) -> list[tuple[list[Prefix], int, float]]:
    """The first requests of a family: prefixes, input tokens, time; in order of time."""
    make = Maker(Random(f"{family}/{seed}"), ttl_s)
    sent = sorted(islice(FAMILIES[family](make), size), key=lambda sending: sending[0])
    return [(prefixes(path), len(path) * BLOCK_TOKENS, at_s) for at_s, path in sent]


def prefixes(path: Path) -> list[Prefix]:
    """Every beginning of a path of blocks."""
    return [Prefix(block.to_bytes(8, "big"), (place + 1) * BLOCK_TOKENS) for place, block in enumerate(path)]


def one_shot(make: Maker) -> Iterator[Sending]:
    at_s = 0.0
    while True:
        at_s += make.wait()
        yield at_s, make.new(max(1, int(make.rng.lognormvariate(2, 1))))


def all_shared(make: Maker) -> Iterator[Sending]:
    shared = make.new()
    for number in count():
        yield number * make.gap_s, shared


def shared_system(make: Maker) -> Iterator[Sending]:
    shared, at_s = make.new(), 0.0
    while True:
        at_s += make.wait()
        yield at_s, shared + make.new(make.rng.randint(1, 6))


def many_systems(make: Maker) -> Iterator[Sending]:
    systems, at_s = [make.new(make.rng.randint(2, 12)) for _ in range(40)], 0.0
    while True:
        at_s += make.wait()
        system = systems[min(39, int(make.rng.paretovariate(0.8)) - 1)]
        yield at_s, system + make.new(make.rng.randint(1, 8))


def _repeats(times: int) -> Family:
    def family(make: Maker) -> Iterator[Sending]:
        for number in count():
            if number % times == 0:
                path = make.new()
            yield number * make.gap_s, path

    return family


def twice_with_others_between(make: Maker) -> Iterator[Sending]:
    waiting: list[Path] = []
    for number in count():
        again = number % 40 >= 20
        path = waiting.pop(0) if again else make.new()
        if not again:
            waiting.append(path)
        yield number * make.gap_s, path


def _rounds(period: float) -> Family:
    def family(make: Maker) -> Iterator[Sending]:
        paths = [make.new() for _ in range(make.rng.choice([1, 5, 30]))]
        for number, path in enumerate(cycle(paths)):
            yield number // len(paths) * make.ttl_s * period, path

    return family


def agents(make: Maker) -> Iterator[Sending]:
    shared = make.new(make.rng.choice([0, 12]))
    active: list[list[Path]] = []
    at_s = 0.0
    while True:
        if len(active) < 8:
            active.append([shared + make.new(make.rng.randint(3, 10))])
        agent = make.rng.choice(active)
        at_s += make.wait()
        agent[0] = agent[0] + make.new(make.rng.randint(1, 3))
        yield at_s, agent[0]
        if make.rng.random() < 0.05:
            active.remove(agent)


def one_agent(make: Maker) -> Iterator[Sending]:
    path, at_s = make.new(4), 0.0
    while True:
        at_s += make.wait()
        path = make.new(4) if len(path) > 200 else path + make.new(make.rng.randint(1, 2))
        yield at_s, path


def conversations(make: Maker) -> Iterator[Sending]:
    goes_on = make.rng.choice([0.1, 0.2, 0.3, 0.5])
    coming: list[Sending] = [(0.0, make.new(8))]
    next_start_s = 0.0
    while True:
        if not coming or coming[0][0] >= next_start_s:
            next_start_s += make.wait()
            heapq.heappush(coming, (next_start_s, make.new(make.rng.randint(1, 20))))
        at_s, path = heapq.heappop(coming)
        yield at_s, path
        if make.rng.random() < goes_on:
            turn = path + make.new(make.rng.randint(1, 4))
            heapq.heappush(coming, (at_s + make.rng.expovariate(6 / make.ttl_s), turn))


def bursts(make: Maker) -> Iterator[Sending]:
    at_s = 0.0
    while True:
        shared = make.new()
        for _ in range(make.rng.choice([1, 1, 1, 2, 20])):
            at_s += 0.01
            yield at_s, shared + make.new(make.rng.randint(0, 3))
        at_s += make.rng.expovariate(3 / make.ttl_s)


def _phases(first: int, growth: float, good_first: bool) -> Family:
    def family(make: Maker) -> Iterator[Sending]:
        left, length, good, shared = first, float(first), good_first, make.new()
        for number in count():
            if left == 0:
                length *= growth
                left, good, shared = int(length), not good, make.new()
            left -= 1
            yield number * make.gap_s, (shared + make.new(1)) if good else make.new()

    return family


def mixed_phases(make: Maker) -> Iterator[Sending]:
    at_s = 0.0
    while True:
        family = make.rng.choice([all_shared, one_shot, FAMILIES["twice"], FAMILIES["thrice"]])
        start_s = at_s
        for since_s, path in islice(family(make), make.rng.choice([20, 100, 400])):
            at_s = start_s + since_s
            yield at_s, path


def drifting(make: Maker) -> Iterator[Sending]:
    shared, at_s = [make.new() for _ in range(10)], 0.0
    for number in count():
        if number % 15 == 14:
            shared[make.rng.randrange(10)] = make.new()
        at_s += make.wait()
        yield at_s, make.rng.choice(shared) + make.new(make.rng.randint(0, 2))


def fading(make: Maker) -> Iterator[Sending]:
    sent: list[Path] = []
    at_s = 0.0
    while True:
        at_s += make.wait()
        if not sent or make.rng.random() < 0.4:
            sent.append(make.new())
        yield at_s, sent[-1 - min(len(sent) - 1, int(make.rng.expovariate(0.5)))]


def too_short(make: Maker) -> Iterator[Sending]:
    shared, at_s = make.new(1), 0.0
    while True:
        at_s += make.wait()
        yield at_s, shared


def mixed_sizes(make: Maker) -> Iterator[Sending]:
    shared, long, at_s = make.new(3), make.new(150), 0.0
    while True:
        at_s += make.wait()
        draw = make.rng.random()
        yield at_s, shared + make.new(1) if draw < 0.9 else make.new(150) if draw < 0.97 else long


def long_losers(make: Maker) -> Iterator[Sending]:
    shared, at_s = make.new(3), 0.0
    for number in count():
        at_s += make.wait()
        yield at_s, shared + make.new(1 if number % 10 else 100)


def tree(make: Maker) -> Iterator[Sending]:
    nodes, at_s = [make.new(2)], 0.0
    while True:
        at_s += make.wait()
        path = make.rng.choice(nodes[-50:])
        if len(path) < 80:
            path = path + make.new(make.rng.randint(1, 3))
            nodes.append(path)
        yield at_s, path


def alternating_depth(make: Maker) -> Iterator[Sending]:
    shared = make.new()
    deep = shared + make.new()
    for number in count():
        yield number * make.gap_s, shared + make.new(1) if number % 2 else deep


def at_once(make: Maker) -> Iterator[Sending]:
    for round_number in count():
        path = make.new()
        for _ in range(make.rng.choice([1, 2, 8])):
            yield round_number * make.gap_s, path


def nightly(make: Maker) -> Iterator[Sending]:
    jobs = [make.new() for _ in range(50)]
    for night in count():
        for number, job in enumerate(jobs):
            yield night * make.ttl_s * 3 + number * 0.2, job + make.new(1)


def retries(make: Maker) -> Iterator[Sending]:
    path, at_s = make.new(), 0.0
    while True:
        at_s += make.wait()
        if make.rng.random() > 0.15:
            path = make.new()
        yield at_s, path


def near_break_even(make: Maker) -> Iterator[Sending]:
    again = make.rng.choice([0.18, 0.22, 0.25, 0.5, 0.55])
    recent: list[Path] = []
    at_s = 0.0
    while True:
        at_s += make.wait()
        path = recent.pop(make.rng.randrange(len(recent))) if recent and make.rng.random() < again else make.new()
        recent = [*recent[-30:], path]
        yield at_s, path


FAMILIES: dict[str, Family] = {
    "one-shot": one_shot,
    "all shared": all_shared,
    "shared system prompt": shared_system,
    "many system prompts": many_systems,
    "twice": _repeats(2),
    "thrice": _repeats(3),
    "five times": _repeats(5),
    "twice, others between": twice_with_others_between,
    "just beyond expiry": _rounds(1.01),
    "just before expiry": _rounds(0.98),
    "agents": agents,
    "one agent": one_agent,
    "conversations": conversations,
    "bursts": bursts,
    "good, then bad": _phases(1_500, 1.0, True),
    "bad, then good": _phases(1_500, 1.0, False),
    "growing phases": _phases(10, 1.6, True),
    "mixed phases": mixed_phases,
    "drifting": drifting,
    "fading": fading,
    "too short": too_short,
    "mixed sizes": mixed_sizes,
    "long losers": long_losers,
    "tree": tree,
    "alternating depth": alternating_depth,
    "at once": at_once,
    "nightly": nightly,
    "retries": retries,
    "near break-even": near_break_even,
}
