"""What all candidate tables say about the rows they refuse."""

from __future__ import annotations

from abc import ABC, abstractmethod

from breakeven.options.admission import Refusals
from breakeven.options.curve import Ints


class RefusingTable(ABC):
    """A candidate table whose refusals are collected once."""

    @property
    @abstractmethod
    def refusals(self) -> Refusals:
        """The refusals of the table's rows."""

    @property
    def refusal(self) -> Ints:
        """Why a row may not be recommended: 0, or 1 + an index into ``refusal_reasons``."""
        return self.refusals.codes

    @property
    def refusal_reasons(self) -> tuple[str, ...]:
        """What the codes in ``refusal`` mean."""
        return tuple(self.refusals.reasons)

    def has_cost(self, code: int) -> bool:
        """Whether rows refused with this code could serve the workload, so that their cost means something."""
        return self.refusals.priced[code - 1]
