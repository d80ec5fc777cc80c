"""Strengths from votes, against closed forms and a sum over a grid."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from lib.preference import bradley_terry
from lib.preference.bradley_terry import fit_strengths

PRIOR_DEVIATION = 0.8


@pytest.fixture(autouse=True, scope="module")
def _another_prior():
    """One would not show whether it is squared, or divided by."""
    patch = pytest.MonkeyPatch()
    patch.setattr(bradley_terry, "PRIOR_DEVIATION", PRIOR_DEVIATION)
    yield
    patch.undo()


def matrix(items: int, **wins: float) -> np.ndarray:
    """`w01=3` says that item 0 was preferred to item 1 three times."""
    found = np.zeros((items, items))
    for name, count in wins.items():
        found[int(name[1]), int(name[2])] = count
    return found


@pytest.mark.parametrize(("wins", "losses"), [(3, 1), (10, 0), (1, 1), (200, 100)])
def test_two_items_have_the_root_of_their_equation(wins, losses):
    found = fit_strengths(matrix(2, w01=wins, w10=losses))

    def slope(s):  # of the logarithm of the posterior, at strengths s and -s
        return wins - (wins + losses) / (1 + math.exp(-2 * s)) - s / PRIOR_DEVIATION**2

    assert found.mean[0] == pytest.approx(brentq(slope, -10, 10), abs=1e-6)
    assert found.mean.sum() == pytest.approx(0, abs=1e-9)
    # Of two, the better one is the best as surely as a normal difference is positive.
    chance = 1 / (1 + math.exp(-2 * found.mean[0]))
    precision = 2 * (wins + losses) * chance * (1 - chance) + 1 / PRIOR_DEVIATION**2
    z = 2 * found.mean[0] / math.sqrt(2 / precision)
    assert found.probability_best[0] == pytest.approx(
        0.5 * (1 + math.erf(z / math.sqrt(2))), abs=0.01
    )


def test_three_items_are_as_a_sum_over_a_grid_says():
    wins = matrix(3, w01=6, w10=3, w12=5, w21=2.5, w02=4, w20=1.5)
    axis = np.linspace(-4, 4, 81)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"))
    logarithm = -(grid**2).sum(axis=0) / 2 / PRIOR_DEVIATION**2
    for i in range(3):
        for j in range(3):
            logarithm -= wins[i, j] * np.logaddexp(0, grid[j] - grid[i])
    weight = np.exp(logarithm - logarithm.max())
    weight /= weight.sum()
    found = fit_strengths(wins)
    mean = (grid * weight).sum(axis=(1, 2, 3))
    centred = grid - grid.mean(axis=0)
    deviation = np.sqrt((centred**2 * weight).sum(axis=(1, 2, 3)) - mean**2)
    strongest = grid == grid.max(axis=0)
    strongest = strongest / strongest.sum(axis=0)
    best = [(weight * strongest[i]).sum() for i in range(3)]
    assert found.mean == pytest.approx(mean, abs=0.04)
    assert found.deviation == pytest.approx(deviation, abs=0.03)
    assert found.probability_best == pytest.approx(best, abs=0.02)


def test_without_votes_nothing_is_known():
    found = fit_strengths(np.zeros((4, 4)))
    assert found.mean.tolist() == [0, 0, 0, 0]
    assert found.deviation == pytest.approx([PRIOR_DEVIATION * 0.75**0.5] * 4)
    assert found.probability_best == pytest.approx([0.25] * 4, abs=0.02)


counts = st.integers(0, 30).map(float)


@given(st.integers(2, 6).flatmap(lambda n: st.lists(counts, min_size=n * n, max_size=n * n)))
def test_any_votes_give_finite_strengths_that_more_votes_move_the_right_way(cells):
    items = math.isqrt(len(cells))
    wins = np.array(cells).reshape(items, items)
    np.fill_diagonal(wins, 0)
    found = fit_strengths(wins)
    assert np.isfinite(found.mean).all() and (found.deviation > 0).all()
    assert found.probability_best.sum() == pytest.approx(1)
    # At the mode every item's wins are those expected, but for the pull of the prior.
    chance = 1 / (1 + np.exp(found.mean[None, :] - found.mean[:, None]))
    expected = ((wins + wins.T) * chance).sum(axis=1)
    assert wins.sum(axis=1) - expected == pytest.approx(found.mean / PRIOR_DEVIATION**2, abs=1e-5)
    more = wins.copy()
    more[0, 1] += 5
    assert fit_strengths(more).mean[0] > found.mean[0]


@given(st.permutations(range(4)))
def test_the_order_of_the_items_says_nothing(order):
    wins = np.random.default_rng(1).integers(0, 9, (4, 4)).astype(float)
    np.fill_diagonal(wins, 0)
    moved = fit_strengths(wins[np.ix_(order, order)])
    assert moved.mean == pytest.approx(fit_strengths(wins).mean[list(order)], abs=1e-8)
