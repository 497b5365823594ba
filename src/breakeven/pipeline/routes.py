"""Which route a model's name means: those of the configuration, and those found when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from breakeven.errors import BreakevenError
from breakeven.pipeline.refusal import Refusal
from breakeven.pipeline.target import Route, Target

Resolve = Callable[[str], Route]
"""Make the route of a model that no configuration names.

Raises:
    BreakevenError: no upstream serves it, or it has no price.
"""

_MOST_RESOLVED: Final = 4_096
"""Models found by their names; clients can send any name, so what is remembered is bounded."""


class Routes:
    """Routes by the model's name. A value: a new configuration makes new routes, and requests under way keep theirs."""

    def __init__(self, configured: Iterable[Route], resolve: Resolve | None = None) -> None:
        self._configured: Mapping[str, Route] = {route.model: route for route in configured}
        self._resolve = resolve
        self._resolved: dict[str, Route] = {}

    @property
    def models(self) -> tuple[str, ...]:
        """Names that the configuration gives, and those that were asked for and found."""
        return tuple(dict.fromkeys((*self._configured, *self._resolved)))

    @property
    def deployments(self) -> frozenset[tuple[str, str]]:
        """Every deployment that a route has, by the names of its upstream and model."""
        return frozenset((target.name, target.model) for target in self.targets)

    @property
    def targets(self) -> Iterator[Target]:
        """The targets and fallbacks of every route."""
        for route in (*self._configured.values(), *self._resolved.values()):
            yield from route.targets
            yield from route.fallbacks

    @property
    def is_empty(self) -> bool:
        """Whether there is no model at all that could be asked for."""
        return not self._configured and self._resolve is None

    def find(self, model: str) -> Route:
        """The route of a model.

        Raises:
            Refusal: there is none (404), or what serves it has no price (400).
        """
        found = self._configured.get(model) or self._resolved.get(model)
        if found is not None:
            return found
        if self._resolve is None:
            raise self._unknown(model)
        try:
            route = self._resolve(model)
        except BreakevenError as error:
            cause = f" ({error.cause})" if error.cause else ""
            raise Refusal(404, "model_not_found", f"{error.message}{cause}") from error
        if len(self._resolved) >= _MOST_RESOLVED:
            self._resolved.clear()
        self._resolved[model] = route
        return route

    def _unknown(self, model: str) -> Refusal:
        near = get_close_matches(model, self._configured, n=3)
        known = f"; did you mean {' or '.join(near)}?" if near else ""
        return Refusal(404, "model_not_found", f"no model {model!r} is served here{known}")
