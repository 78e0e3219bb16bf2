import pytest

from survlspin.report.sample_size import needed


def test_the_numbers_are_those_of_the_published_example():
    """The survival example in the help of pmsampsize: 30 parameters, R2 .051, .065 events a year, 2.07 years."""
    found = needed(30, 0.065, 2.07, 2, r2=0.051)
    assert (found.shrinkage, found.optimism, found.n) == (5143, 1039, 5143)
    assert round(found.largest_r2, 3) == 0.555


def test_without_a_guess_the_model_explains_15_percent_of_what_could_be():
    found = needed(10, 0.065, 2.07, 2)
    assert found.r2 == pytest.approx(0.15 * found.largest_r2)


def test_the_overall_risk_is_known_within_the_margin():
    rate, follow_up, horizon = 0.065, 2.07, 2
    n = needed(10, rate, follow_up, horizon).margin

    def half(n):
        reach = 1.96 * (rate / (n * follow_up)) ** 0.5
        from math import exp

        return (exp(-max(0, rate - reach) * horizon) - exp(-(rate + reach) * horizon)) / 2

    assert half(n) <= 0.05 < half(n - 1)


def test_more_parameters_need_more_patients():
    sizes = [needed(p, 0.1, 3, 5).n for p in (5, 20, 80)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2]
