"""How improbable an observation may be before it counts against a claim, whatever the seed.

What torch draws is judged by tests whose probability of a false alarm is bounded by theorems that hold for every number
of samples, never by a tolerance: a million tests together raise a false alarm with a probability of at most 1e-6.
"""

from __future__ import annotations

import math

ERROR = 1e-12


def too_many(count: int, trials: int, p: float) -> bool:
    """Whether so many successes are too improbable where each trial succeeds with a probability of at most ``p``,
    whatever the others did."""
    return count > trials * p and _tail(count, trials, p) < math.log(ERROR)


def too_few(count: int, trials: int, p: float) -> bool:
    """Whether so few successes are too improbable where each trial succeeds with a probability of at least ``p``."""
    return count < trials * p and _tail(count, trials, p) < math.log(ERROR)


def _tail(count: int, trials: int, p: float) -> float:
    """Logarithm of a bound of the probability that the number of successes is ``count`` or farther from its mean.

    W. Hoeffding, Probability inequalities for sums of bounded random variables (1963), theorem 1, inequality 2.1: with
    a = count / trials it is (p / a)^count * ((1 - p) / (1 - a))^(trials - count). Its proof multiplies the moment
    generating functions one by one, so a bound of each trial's probability given those before it is enough.
    """
    if p <= 0 or p >= 1:
        return -math.inf  # a success that is impossible, or a failure
    a = count / trials
    tail = count * math.log(p / a) if count else 0.0
    return tail + ((trials - count) * math.log((1 - p) / (1 - a)) if count < trials else 0.0)


def deviation(samples: int) -> float:
    """How far an empirical distribution function may be from the true one, anywhere.

    P(sup |F_n - F| > d) <= 2 exp(-2 n d^2) for every distribution: P. Massart, The tight constant in the
    Dvoretzky-Kiefer-Wolfowitz inequality (1990), corollary 1; solved for a probability of ``ERROR``.
    """
    return math.sqrt(math.log(2 / ERROR) / (2 * samples))


def beyond_all(samples: int) -> float:
    """The share of a distribution that may lie beyond the largest of some samples: if it is more than this, none of
    them fell there with a probability of less than ``ERROR``, (1 - share)^samples."""
    return float(1 - ERROR ** (1 / samples))
