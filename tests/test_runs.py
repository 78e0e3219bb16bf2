"""Tables: means over folds, intervals, paired differences, C at a number of factors."""

import numpy as np
import pandas as pd
import pytest

from survlspin.errors import InputError
from survlspin.folds import Fold
from survlspin.metrics.estimate import logit_interval
from survlspin.runs import Fit, Runs, densest

N, FOLDS, POINTS = 30, 4, 3


def fits(model, fold, k, rng, path):
    points = POINTS if path else 1
    frame = pd.DataFrame(
        {
            "median": [6.0, 3.0, 1.0][:points],
            "mean": [6.5, 3.4 + k / 4, 1.2][:points],
            "union": [8.0, 6.0, 4.0][:points],
            "C": rng.uniform(0.6, 0.7, points),
            "lam": np.arange(points) / 10.0,
            "validation_nll": rng.normal(size=points),
        }
    )
    influence = rng.normal(scale=0.004, size=(points, len(fold.test))).astype(np.float32)
    return Fit(model, fold.name, 0, frame, points // 2, pd.DataFrame(), influence, influence, "C(Harrell)", 1.5)


@pytest.fixture
def runs():
    rng = np.random.default_rng(0)
    part = np.arange(N) % FOLDS
    rows = [np.flatnonzero(mask) for k in range(FOLDS) for mask in (part == k, part != k)]
    folds = [Fold(str(k), rows[2 * k], rows[2 * k][:1], rows[2 * k + 1]) for k in range(FOLDS)]
    models = {"path": True, "other": True, "plain": False}
    made = [fits(model, fold, k, rng, path) for model, path in models.items() for k, fold in enumerate(folds)]
    return Runs(
        made, {f.name: f for f in folds}, dict.fromkeys(models, "held out"), ("path", "other"), np.arange(N), "4"
    )


def by_hand(runs, model, point):
    """Mean over folds, and the averaged influence of every patient."""
    mine = [fit for fit in runs.fits if fit.model == model]
    influence = np.zeros((FOLDS, N))
    for row, fit in zip(influence, mine, strict=True):
        row[runs.folds[fit.fold].test] = fit.influence[point]
    return np.array([fit.points["C"].iloc[point] for fit in mine]), influence.mean(axis=0)


def test_standard_error_adds_patients_and_models(runs):
    values, influence = by_hand(runs, "path", 1)
    row = runs.table().loc["path"]
    assert row["C"] == pytest.approx(values.mean(), abs=1e-12)
    assert row["se"] ** 2 == pytest.approx((influence**2).sum() + values.var(ddof=1) / FOLDS, rel=1e-6)
    assert (row["low"], row["high"]) == pytest.approx(logit_interval(row["C"], row["se"]))


def test_differences_are_paired(runs):
    values, influence = by_hand(runs, "plain", 0)
    base, base_influence = by_hand(runs, "path", 1)
    row = runs.table().loc["plain"]
    se = np.sqrt(((influence - base_influence) ** 2).sum() + (values - base).var(ddof=1) / FOLDS)
    assert row["difference"] == pytest.approx((values - base).mean(), abs=1e-12)
    assert row["difference_se"] == pytest.approx(se, rel=1e-6)
    assert row["difference_low"] == pytest.approx(row["difference"] - 1.959964 * se, rel=1e-6)
    assert row["difference_high"] == pytest.approx(row["difference"] + 1.959964 * se, rel=1e-6)


def test_the_reference_differs_from_itself_by_nothing_and_can_be_chosen(runs):
    first, other = runs.table(), runs.table("plain")
    assert (first.filter(like="difference").loc["path"] == 0).all()
    assert other.loc["path", "difference"] == pytest.approx(-first.loc["plain", "difference"])
    assert other.loc["path", "difference_se"] == pytest.approx(first.loc["plain", "difference_se"])
    assert other["C"].equals(first["C"])


def test_table_says_what_its_numbers_are(runs):
    table = runs.table()
    assert list(table.columns) == [
        *("C", "se", "low", "high", "factors"),
        *("difference", "difference_se", "difference_low", "difference_high"),
        *("seconds", "folds", "validation"),
    ]
    assert table["factors"].to_dict() == {"path": 3, "other": 3, "plain": 6}
    assert table["folds"].tolist() == [4] * 3
    assert table["seconds"].tolist() == [1.5] * 3
    assert table.attrs == runs.at_counts().attrs == runs.curve().attrs
    assert table.attrs["C"] == "C(Harrell)"
    assert "infinitesimal jackknife" in table.attrs["interval"]


def test_rows_of_one_patient_count_as_one(runs):
    alone, pairs = runs.table(), Runs(**{**vars(runs), "patient": np.arange(N) // 2}).table()
    values, influence = by_hand(runs, "path", 1)
    together = influence.reshape(-1, 2).sum(axis=1)
    assert pairs.loc["path", "se"] ** 2 == pytest.approx((together**2).sum() + values.var(ddof=1) / FOLDS, rel=1e-6)
    assert alone["C"].equals(pairs["C"])


def test_seeds_are_averaged_within_folds(runs):
    twice = Runs(**{**vars(runs), "fits": [*runs.fits, *runs.fits]})
    pd.testing.assert_frame_equal(twice.table(), runs.table())


@pytest.mark.parametrize(
    ("counts", "k", "point"),
    [
        ([6, 4, 2], 4, 1),
        ([6, 4, 2], 5, 1),
        ([6, 4, 4, 2], 4, 1),
        ([8, 5, 6, 4], 6, 2),
        ([8, 5, 6, 4], 5, 1),
        ([6, 4], 100, 0),
        ([6, 4], 3, None),
    ],
)
def test_the_densest_point_with_at_most_k_factors(counts, k, point):
    assert densest(np.array(counts), k) == point


def test_c_at_counts_takes_the_densest_point_of_each_fold(runs):
    table = runs.at_counts([1, 3, 5])
    for k, point in ((1, 2), (3, 1), (5, 1)):
        base = by_hand(runs, "path", point)
        assert table.loc[("path", k), "C"] == pytest.approx(base[0].mean(), abs=1e-12)
        other = by_hand(runs, "other", point)
        se = np.sqrt(((other[1] - base[1]) ** 2).sum() + (other[0] - base[0]).var(ddof=1) / FOLDS)
        assert table.loc[("other", k), "difference_se"] == pytest.approx(se, rel=1e-6)
    assert "plain" not in table.index.get_level_values("model")


def test_c_at_counts_by_another_count(runs):
    by_mean = runs.at_counts([4], by="mean").loc[("path", 4), "C"]
    mine = [fit.points["C"] for fit in runs.fits if fit.model == "path"]
    assert by_mean == pytest.approx(np.mean([C.iloc[1 if k < 3 else 2] for k, C in enumerate(mine)]))
    assert runs.at_counts([4]).loc[("path", 4), "C"] != by_mean
    assert np.isnan(runs.at_counts([3], by="union").loc[("path", 3), "C"])


def test_points_lists_every_point_of_every_fit(runs):
    points = runs.points()
    assert len(points) == FOLDS * (2 * POINTS + 1)
    assert points.query("chosen").groupby("model").size().to_dict() == {"path": 4, "other": 4, "plain": 4}
    assert points.query("model == 'path' and fold == '2'")["median"].tolist() == [6, 3, 1]


def test_save_writes_what_it_says(runs, tmp_path):
    paths = runs.save(tmp_path / "new folder" / "é")
    assert [path.name for path in paths] == ["table.csv", "folds.csv", "curve.csv", "curve.png", "curve.svg"]
    table = pd.read_csv(paths[0], index_col="model")
    np.testing.assert_allclose(table["C"], runs.table()["C"])
    assert len(pd.read_csv(paths[1])) == len(runs.points())
    assert paths[3].read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in paths[4].read_bytes()


@pytest.mark.parametrize("table", ["table", "at_counts"])
def test_an_unknown_reference(runs, table):
    with pytest.raises(InputError, match="SL-349"):
        getattr(runs, table)(reference="nobody")
