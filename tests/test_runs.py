"""Tables: means over folds, intervals, paired differences, C at a number of factors, what is selected how often."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from survlspin.curve import COUNTS
from survlspin.errors import InputError
from survlspin.folds import Fold
from survlspin.metrics.estimate import logit_interval
from survlspin.runs import Fit, Runs, densest

N, FOLDS, POINTS = 30, 4, 3
FACTORS = ["age", "grade", "size", "probe_1", "probe_2"]


def fits(model, fold, k, rng, path):
    points = POINTS if path else 1
    frame = pd.DataFrame(
        {
            "median": [6.0, 3.0, 1.0][:points],
            "mean": [6.5, 3.4 + k / 4, 1.2][:points],
            "union": [8.0, 6.0, 4.0][:points],
            "median_columns": [9.0, 5.0, 2.0][:points],
            "mean_columns": [9.5, 5.4, 2.2][:points],
            "union_columns": [12.0, 9.0, 6.0][:points],
            "C": rng.uniform(0.6, 0.7, points),
            "lam": np.arange(points) / 10.0,
            "validation_nll": rng.normal(size=points),
        }
    )
    influence = rng.normal(scale=0.004, size=(points, len(fold.test))).astype(np.float32)
    used = rng.random((points, len(fold.test), len(FACTORS))) < [0.9, 0.6, 0.4, 0.1, 0.1]
    share = pd.DataFrame(rng.random((points, len(FACTORS))), columns=FACTORS)
    packed = np.packbits(used, axis=-1)
    return Fit(model, fold.name, 0, frame, points // 2, share, influence, influence, "C(Harrell)", 1.5, packed)


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
    """Mean over folds, and every patient's influence in each fold."""
    mine = [fit for fit in runs.fits if fit.model == model]
    influence = np.zeros((len(mine), N))
    for row, fit in zip(influence, mine, strict=True):
        row[runs.folds[fit.fold].test] = fit.influence[point]
    return np.array([fit.points["C"].iloc[point] for fit in mine]), influence


def variance(values, influence, part):
    """The squared standard error where fold k trains on the patients of part k and tests on all others."""
    k, mean = len(values), influence.mean(axis=0)
    own = np.array([k * mean[part == fold].sum() for fold in range(k)])
    models = np.var(values - values.mean() + own * k / (k - 1), ddof=1) - np.var(own, ddof=1)
    return np.sum(mean**2) + max(0, models) / k


PART = np.arange(N) % FOLDS


def test_standard_error_adds_patients_and_models(runs):
    values, influence = by_hand(runs, "path", 1)
    row = runs.table().loc["path"]
    assert row["C"] == pytest.approx(values.mean(), abs=1e-12)
    assert row["se"] ** 2 == pytest.approx(variance(values, influence, PART), rel=1e-6)
    assert row["se"] ** 2 > np.sum(influence.mean(axis=0) ** 2)
    assert (row["low"], row["high"]) == pytest.approx(logit_interval(row["C"], row["se"]))


def test_differences_are_paired(runs):
    values, influence = by_hand(runs, "plain", 0)
    base, base_influence = by_hand(runs, "path", 1)
    row = runs.table().loc["plain"]
    se = np.sqrt(variance(values - base, influence - base_influence, PART))
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
    part = np.repeat(np.arange(N // 2) % FOLDS, 2)
    folds = {str(k): Fold(str(k), *(np.flatnonzero(part == k),) * 2, np.flatnonzero(part != k)) for k in range(FOLDS)}
    made = [fits(f.model, folds[f.fold], 0, np.random.default_rng(i), True) for i, f in enumerate(runs.fits)]
    runs = replace(runs, folds=folds, fits=made)
    alone, pairs = runs.table(), replace(runs, patient=np.arange(N) // 2).table()
    values, influence = by_hand(runs, "path", 1)
    together = influence.reshape(FOLDS, -1, 2).sum(axis=2)
    assert pairs.loc["path", "se"] ** 2 == pytest.approx(variance(values, together, part[::2]), rel=1e-6)
    assert pairs.loc["path", "se"] != pytest.approx(alone.loc["path", "se"], rel=1e-3)
    assert alone["C"].equals(pairs["C"])


def test_seeds_are_averaged_within_folds(runs):
    twice = replace(runs, fits=[*runs.fits, *runs.fits])
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
        se = np.sqrt(variance(other[0] - base[0], other[1] - base[1], PART))
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


def test_c_at_counts_of_columns(runs):
    found = runs.at_counts([5], by="median_columns").loc[("path", 5), "C"]
    assert found == pytest.approx(by_hand(runs, "path", 1)[0].mean(), abs=1e-12)
    assert found != runs.at_counts([5], by="mean_columns").loc[("path", 5), "C"]
    with pytest.raises(InputError, match="SL-466"):
        runs.at_counts([5], by="columns")


def test_the_curve_has_every_axis(runs):
    frame = runs.curve().frame
    assert set(frame["by"]) == set(COUNTS)
    paths = frame[(frame["kind"] == "path") & (frame["model"] == "path")].groupby("by")["count"]
    assert paths.max().to_dict() == {
        **{"median": 6, "mean": 7, "union": 8},
        **{"median_columns": 9, "mean_columns": 10, "union_columns": 12},
    }
    own = frame[(frame["kind"] == "chosen") & (frame["model"] == "path")].set_index("by")["count"]
    assert own["median_columns"] == 5
    three = frame.query("model == 'path' and kind == 'path' and by == 'median' and count == 3").iloc[0]
    pd.testing.assert_series_equal(
        three[["C", "se", "low", "high"]].astype(float),
        runs.at_counts([3]).loc[("path", 3), ["C", "se", "low", "high"]],
        check_names=False,
    )


def test_the_curve_averages_no_points_twice(runs, monkeypatch):
    asked = []
    mean = Runs._mean
    monkeypatch.setattr(Runs, "_mean", lambda self, *asks: asked.append(asks[0]) or mean(self, *asks))
    runs.table()
    of_table = len(asked)
    frame = runs.curve().frame
    of_paths = asked[2 * of_table :]
    assert len(set(of_paths)) == len(of_paths) < (frame["kind"] == "path").sum() / 3


def overlapping(values, influence):
    """The squared standard error where training sets overlap."""
    k, mean = len(values), influence.mean(axis=0)
    explained = sum(np.sum((row - mean) ** 2) for row in influence) / (k - 1)
    return np.sum(mean**2) + max(0, values.var(ddof=1) - explained) / k


def test_overlapping_training_sets_add_what_their_test_patients_do_not_explain(runs):
    turned = {name: replace(fold, train=fold.test, test=fold.train) for name, fold in runs.folds.items()}
    rng = np.random.default_rng(5)
    made = [fits(m, fold, k, rng, True) for m in runs.validation for k, fold in enumerate(turned.values())]
    for factor in (0.1, 3):  # of the influences: small ones explain little of the spread, large ones all of it
        some = replace(runs, folds=turned, fits=[replace(fit, influence=fit.influence * factor) for fit in made])
        values, influence = by_hand(some, "path", 1)
        found = some.table().loc["path", "se"] ** 2
        assert found == pytest.approx(overlapping(values, influence), rel=1e-5)
        assert (found == pytest.approx(np.sum(influence.mean(axis=0) ** 2), rel=1e-5)) == (factor == 3)


def test_dealing_patients_out_twice_does_not_halve_what_models_add(runs):
    again = {f"{r}.{name}": replace(fold, name=f"{r}.{name}") for r in "12" for name, fold in runs.folds.items()}
    made = [replace(fit, fold=f"{r}.{fit.fold}") for r in "12" for fit in runs.fits]
    twice, values = replace(runs, folds=again, fits=made).table(), by_hand(runs, "path", 1)
    own = variance(*values, PART) - np.sum(values[1].mean(axis=0) ** 2)
    added = twice.loc["path", "se"] ** 2 - np.sum(values[1].mean(axis=0) ** 2)
    assert added == pytest.approx(own * (FOLDS - 1) / (FOLDS - 0.5), rel=1e-5)  # the same, of 2 K - 1 for K - 1


def one_fold(runs, seeds):
    """The first fold alone, each model fitted with several seeds."""
    rng = np.random.default_rng(1)
    fold = runs.folds["0"]
    made = [replace(fits(m, fold, s, rng, m != "plain"), seed=s) for m in runs.validation for s in range(seeds)]
    return replace(runs, fits=made, folds={"0": fold})


def test_one_fold_with_several_seeds_takes_these_for_models(runs):
    runs = one_fold(runs, 3)
    mine, plain = ([fit for fit in runs.fits if fit.model == model] for model in ("path", "plain"))
    C = np.array([fit.points["C"].iloc[1] for fit in mine])
    influence = np.array([fit.influence[1] for fit in mine])
    table = runs.table()
    assert table.loc["path", "se"] ** 2 == pytest.approx(overlapping(C, influence), rel=1e-6)
    apart = np.array([fit.points["C"].iloc[0] for fit in plain]) - C
    expected = overlapping(apart, np.array([fit.influence[0] for fit in plain]) - influence)
    assert table.loc["plain", "difference_se"] ** 2 == pytest.approx(expected, rel=1e-6)
    assert "between seeds" in table.attrs["interval"]
    assert "missing: one fold" in table.attrs["interval"]


def test_one_fold_with_one_seed_says_what_is_missing(runs):
    runs = one_fold(runs, 1)
    table = runs.table()
    assert table.loc["path", "se"] ** 2 == pytest.approx(np.sum(runs.fits[0].influence[1] ** 2), rel=1e-6)
    assert table.attrs["interval"].endswith("the variance between models is missing: one fold, one seed")
    assert np.isnan(runs.stability()["nogueira"]).all()
    assert runs.at_counts([3]).loc[("path", 3), "C"] == table.loc["path", "C"]


def test_where_fits_are_missing_it_says_so_and_pairs_what_is_there(runs):
    gone = [fit for fit in runs.fits if fit.model == "plain" and fit.fold in "01"]
    some = replace(runs, fits=[fit for fit in runs.fits if fit not in gone], unfinished=("plain 0", "plain 1"))
    table = some.table()
    pd.testing.assert_frame_equal(table.loc[["path", "other"]], runs.table().loc[["path", "other"]])
    assert table["folds"].to_dict() == {"path": 4, "other": 4, "plain": 2}
    (C, influence), (base, base_influence) = (by_hand_of(some, model, "23") for model in ("plain", "path"))
    assert table.loc["plain", "C"] == pytest.approx(C.mean(), abs=1e-12)
    se = np.sqrt(overlapping(C - base, influence - base_influence))  # two parts are not enough to set apart
    assert table.loc["plain", "difference_se"] == pytest.approx(se, rel=1e-6)
    assert table.attrs["partial"] == "unfinished: 10 of 12 fits; 2 are missing"
    for other in (some.at_counts(), some.stability(), some.frequency(), some.agreement("path")):
        assert other.attrs["partial"] == table.attrs["partial"]
    assert "partial" not in runs.table().attrs
    assert some.curve().attrs["partial"]


def by_hand_of(runs, model, folds):
    """C on some folds, and the influences in each."""
    mine = [fit for fit in runs.fits if fit.model == model and fit.fold in folds]
    influence = np.zeros((len(mine), N))
    for row, fit in zip(influence, mine, strict=True):
        row[runs.folds[fit.fold].test] = fit.influence[fit.chosen]
    return np.array([fit.points["C"].iloc[fit.chosen] for fit in mine]), influence


def test_a_model_with_one_fold_so_far_and_one_with_none(runs):
    kept = [fit for fit in runs.fits if fit.model == "path" or (fit.model == "plain" and fit.fold == "0")]
    some = replace(runs, fits=kept, unfinished=("some",) * 7)
    table = some.table()
    assert set(some.curve().frame["model"]) == {"path", "plain"}
    assert table.loc["plain", "se"] == pytest.approx(np.sqrt(np.sum(by_hand_of(runs, "plain", "0")[1] ** 2)), rel=1e-6)
    assert np.isfinite(table.loc["plain", "difference_se"])
    assert np.isnan(table.loc["other", ["C", "se", "difference", "factors"]].astype(float)).all()
    assert table.loc["other", "folds"] == 0
    assert "path: 95 %" in table.attrs["interval"]
    assert "plain: 95 %" in table.attrs["interval"]


def test_no_fit_at_all(runs):
    with pytest.raises(InputError, match="SL-395"):
        replace(runs, fits=[])


def test_agreement_counts_the_models_that_did_not_train_on_a_row(runs):
    labels = [f"p{i}" for i in range(N)]
    table = replace(runs, labels=labels).agreement("path")
    assert table.index.tolist() == labels
    assert list(table) == ["models", *FACTORS]
    assert (table["models"] == FOLDS - 1).all()
    mine = [fit for fit in runs.fits if fit.model == "path"]
    for row in range(N):
        count = np.zeros(len(FACTORS), dtype=int)
        for fit in mine:
            if row in (test := runs.folds[fit.fold].test.tolist()):
                count += fit.used_at(fit.chosen)[test.index(row)]
        assert table.iloc[row, 1:].tolist() == count.tolist()
    with pytest.raises(InputError, match="SL-396"):
        runs.agreement("nobody")


def test_agreement_lists_rows_aside_and_not_those_that_every_fold_validates_on(runs):
    folds = {name: replace(f, test=f.test[f.test > 0], aside=np.arange(1)) for name, f in runs.folds.items()}
    table = replace(runs, folds={n: replace(f, aside=f.aside[:0] if n == "0" else f.aside) for n, f in folds.items()})
    assert table.agreement("plain")["models"].tolist() == [FOLDS - 1] * N
    one = {n: replace(f, test=f.test[f.test != 5]) for n, f in runs.folds.items()}
    cut = [replace(fit, used=fit.used[:, runs.folds[fit.fold].test != 5]) for fit in runs.fits]
    agreement = replace(runs, folds=one, fits=cut).agreement("plain")
    assert agreement.loc[5].tolist() == [0] * (1 + len(FACTORS))


def test_a_factor_that_a_fold_lacks_is_not_selected_there(runs):
    mine = [fit for fit in runs.fits if fit.model == "path"]
    used = mine[0].used_at(1)[:, [1, 2, 3, 4]]
    short = replace(mine[0], share=mine[0].share[FACTORS[1:]], used=np.packbits(np.stack([used] * 3), axis=-1))
    table = replace(runs, fits=[*mine[1:], short]).agreement("path")
    full = runs.agreement("path")
    assert list(table) == list(full)
    pd.testing.assert_frame_equal(table.drop(columns="age"), full.drop(columns="age"))
    tested = np.zeros(N, dtype=int)
    tested[runs.folds["0"].test] = mine[0].used_at(1)[:, 0]
    assert (full["age"] - table["age"]).tolist() == tested.tolist()
    frequency = replace(runs, fits=[*mine[1:], short]).frequency()
    assert frequency.loc[("path", "age"), "share"] == pytest.approx(
        np.mean([f.share["age"][1] for f in mine[1:]] + [0])
    )


def test_stability_over_folds_and_over_patients(runs):
    mine = [fit for fit in runs.fits if fit.model == "path"]
    sets = [set(fit.share.columns[fit.share.iloc[1] >= 0.5]) for fit in mine]
    table = runs.stability()
    assert table.loc["path", "folds"] == 4
    assert table.loc["path", "jaccard"] == pytest.approx(
        np.mean([len(a & b) / len(a | b) for a, b in combinations(sets, 2)])
    )
    share = np.mean([[name in s for name in FACTORS] for s in sets], axis=0)
    chance = share.mean() * (1 - share.mean())
    assert table.loc["path", "nogueira"] == pytest.approx(1 - 4 / 3 * np.mean(share * (1 - share)) / chance)
    assert table.loc["path", "nogueira_low"] < table.loc["path", "nogueira"] < table.loc["path", "nogueira_high"]
    assert "share no patient" in table.attrs["nogueira"]
    by_row = []
    for row in range(N):
        lists = [f.used_at(1)[runs.folds[f.fold].test == row][0] for f in mine if row in runs.folds[f.fold].test]
        pairs = [(a & b).sum() / (a | b).sum() for a, b in combinations(lists, 2) if (a | b).any()]
        by_row += [np.mean(pairs)] if pairs else []
    assert table.loc["path", "patient_jaccard"] == pytest.approx(np.mean(by_row))


def test_training_sets_that_share_patients_are_named(runs):
    folds = {name: replace(fold, train=np.arange(10)) for name, fold in runs.folds.items()}
    assert "share patients, which" in replace(runs, folds=folds).stability().attrs["nogueira"]


def test_seeds_of_a_fold_make_one_set_and_no_pair(runs):
    same = replace(runs, fits=[*runs.fits, *(replace(fit, seed=1) for fit in runs.fits)])
    pd.testing.assert_frame_equal(same.stability(), runs.stability())
    pd.testing.assert_frame_equal(same.frequency(), runs.frequency())
    assert (same.agreement("path")["models"] == 2 * (FOLDS - 1)).all()


def test_frequency_by_hand(runs):
    shares = pd.DataFrame([fit.share.iloc[1] for fit in runs.fits if fit.model == "other"])
    found = runs.frequency().loc["other"]
    assert found["folds"].tolist() == (shares >= 0.5).sum().tolist()
    assert found["of"].tolist() == [4] * len(FACTORS)
    np.testing.assert_allclose(found["share"], shares.mean())


def with_probes(runs):
    """Paths whose probes are used at the smallest penalty (one of them), or at none."""
    shares = [[0.2, 0.2], [0.0, 0.2], [0.0, 0.0]]
    made = [
        replace(
            fit, share=fit.share.assign(**dict(zip(FACTORS[3:], np.transpose(shares[: len(fit.points)]), strict=True)))
        )
        for fit in runs.fits
    ]
    return replace(runs, fits=made, probes=("probe_1", "probe_2"))


def test_probes_choose_the_penalty_of_paths(runs):
    runs = with_probes(runs)
    for rate, point in ((0, 2), (0.005, 2), (0.5, 1), (1, 0)):
        chosen = runs.choose_by_probes(rate)
        assert {(fit.model, fit.chosen) for fit in chosen.fits} == {("path", point), ("other", point), ("plain", 0)}
        assert chosen.table().loc["path", "C"] == pytest.approx(by_hand(runs, "path", point)[0].mean(), abs=1e-12)
        assert f"at most {100 * rate:g}% of 2 probes" in chosen.attrs["protocol"]
    assert {fit.chosen for fit in runs.fits if fit.model == "path"} == {1}
    with pytest.raises(InputError, match="SL-390"):
        runs.choose_by_probes(2)
    with pytest.raises(InputError, match="SL-390"):
        replace(runs, probes=()).choose_by_probes(0.1)


def test_the_probe_table_says_what_was_selected(runs):
    table = with_probes(runs).probe_table()
    assert table["selected"].to_dict() == {"path": 1, "other": 1, "plain": 2}
    assert table["offered"].tolist() == [2] * 3
    assert table.attrs["C"] == "C(Harrell)"
    assert "upper" in table.attrs


def test_save_writes_what_it_says(runs, tmp_path):
    names = ["table.csv", "folds.csv", "stability.csv", "frequency.csv", "curve.csv", "curve.png", "curve.svg"]
    paths = runs.save(tmp_path / "new folder" / "é")
    assert [path.name for path in paths] == names
    table = pd.read_csv(paths[0], index_col="model")
    np.testing.assert_allclose(table["C"], runs.table()["C"])
    assert len(pd.read_csv(paths[1])) == len(runs.points())
    assert paths[5].read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in paths[6].read_bytes()


def test_save_writes_probes_splits_and_ledger_where_there_are_any(runs, tmp_path):
    class Ledger:
        def to_csv(self, path):
            path.write_text("# test rows used for tuning: 0\n")

    splits = pd.DataFrame({"fold": ["1"], "part": ["train"], "rows": [5]})
    splits.attrs = {"seed": [7, 8]}
    paths = replace(with_probes(runs), splits=splits, ledger=Ledger()).save(tmp_path)
    written = {path.name: path for path in paths}
    assert {"probes.csv", "splits.csv", "ledger.csv"} <= set(written)
    found = pd.read_csv(written["splits.csv"], dtype={"fold": str})
    pd.testing.assert_frame_equal(found, splits.assign(seed="[7, 8]"), check_dtype=False)
    assert written["ledger.csv"].read_text().endswith("tuning: 0\n")
    assert pd.read_csv(written["probes.csv"])["model"].tolist() == ["path", "other", "plain"]


def test_no_count_without_a_path(runs):
    with pytest.raises(InputError, match="SL-397"):
        replace(runs, paths=()).at_counts()
    assert set(replace(runs, paths=()).curve().frame["kind"]) == {"chosen"}


@pytest.mark.parametrize("table", ["table", "at_counts"])
def test_an_unknown_reference(runs, table):
    with pytest.raises(InputError, match="SL-349"):
        getattr(runs, table)(reference="nobody")
