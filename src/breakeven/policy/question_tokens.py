"""A question as tokens: words in base form, numbers as values, quantities with their units, moments, quoted text."""

from __future__ import annotations

from breakeven.policy.question_moments import with_moments
from breakeven.policy.question_numbers import with_numbers, with_quantities
from breakeven.policy.question_pieces import Token, pieces


def tokens(text: str) -> list[Token]:
    """All that a question says, in order.

    >>> [token.text for token in tokens("Is 1,250 mg on the 29th of June too much?")]
    ['be', 'mg:1250', 'on', 'the', '06-29', 'too', 'much']
    """
    return with_moments(with_quantities(with_numbers(pieces(text))))
