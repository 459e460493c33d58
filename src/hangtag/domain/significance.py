"""The sign test, which is McNemar's exact test: whether two classifiers differ by more than chance."""

import math
from typing import Final

SIGNIFICANT: Final = 0.05
"""A difference is significant if chance explains it with a lower probability than this."""

_EXACT_UP_TO: Final = 10_000


def sign_test(more: int, fewer: int) -> float:
    """Return the one-sided probability (0 to 1) of a split at least this uneven if both sides were equally likely.

    For two classifiers, the counts are the photos for which exactly one of them is right: `more` has those of the one
    that seems better. It need not be the larger count. The test is exact for up to 10,000 photos, and uses the normal
    approximation with a continuity correction beyond.

    Source: Q. McNemar, Note on the sampling error of the difference between correlated proportions or percentages,
    Psychometrika 12, 1947; the exact form is the sign test of W. J. Dixon and A. M. Mood, JASA 41, 1946.
    """
    total = more + fewer
    if total > _EXACT_UP_TO:
        return math.erfc((more - fewer - 1) / math.sqrt(2 * total)) / 2
    ways = term = 1
    for k in range(fewer):
        term = term * (total - k) // (k + 1)
        ways += term
    return ways / (1 << total)


def two_sided_sign_test(wins: int, losses: int) -> float:
    """Return the probability (0 to 1) of a split at least this uneven in either direction. See `sign_test`."""
    return min(1.0, 2 * sign_test(max(wins, losses), min(wins, losses)))
