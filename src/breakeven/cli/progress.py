"""A progress line on stderr for long work; only on a terminal, and only once the work proves long."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

import click

QUIET_S: Final = 0.5
"""Work that ends within this many seconds shows nothing."""

REDRAW_S: Final = 0.1
"""Seconds between two drawings of the line."""


@contextmanager
def counting(
    label: str, unit: str, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int], None]]:
    """Give a function to tell how many more ``unit`` are done; the line is wiped at the end.

    Work without a known length is counted, not shown as a share: ``reading trace.csv: 640,000 rows, 2.1 s``.
    """
    target = sys.stderr if stream is None else stream
    if target is None or not target.isatty():  # None: the caller closed it
        yield _silent
        return
    line = _Line(label, unit, target, clock)
    try:
        yield line.add
    finally:
        line.wipe()


def say_if_compiling() -> None:
    """Say on a terminal that a replay compiles first, which takes ten seconds, once."""
    from breakeven.serving.compiled import compiles_first

    if sys.stderr is not None and sys.stderr.isatty() and compiles_first():
        click.echo("compiling the replay, once; the result is kept", err=True)


def _silent(_done: int) -> None:
    """Count for nobody."""


class _Line:
    """The one line that is drawn over itself."""

    def __init__(self, label: str, unit: str, stream: TextIO, clock: Callable[[], float]) -> None:
        self.label = label
        self.unit = unit
        self.stream = stream
        self.clock = clock
        self.started_s = clock()
        self.drawn_s = self.started_s + QUIET_S - REDRAW_S
        self.done = 0
        self.width = 0

    def add(self, done: int) -> None:
        """Count, and draw where the last drawing is old enough."""
        self.done += done
        now_s = self.clock()
        if now_s - self.drawn_s >= REDRAW_S:
            self.drawn_s = now_s
            self._draw(f"{self.label}: {self.done:,} {self.unit}, {now_s - self.started_s:.1f} s")

    def wipe(self) -> None:
        """Leave an empty line, where anything was drawn."""
        if self.width:
            self.stream.write(f"\r{' ' * self.width}\r")
            self.stream.flush()

    def _draw(self, text: str) -> None:
        self.stream.write(f"\r{text.ljust(self.width)}")
        self.stream.flush()
        self.width = max(self.width, len(text))
