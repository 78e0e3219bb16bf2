"""Sections on performance: their numbers are those of the metrics on test rows, averaged over folds."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from survlspin import CoxLLSPIN, CoxPH, RepeatedKFold, run
from survlspin.baselines import CoxLasso
from survlspin.errors import InputError
from survlspin.faithfulness import card
from survlspin.fold_mean import FoldMean
from survlspin.metrics import (
    calibration_in_the_large,
    calibration_slope,
    concordance,
    d_calibration,
    net_benefit,
    observed_expected,
    poisson_slope,
    uno,
)
from survlspin.metrics.auc import auc
from survlspin.metrics.brier import brier, integrated_brier, scaled_brier
from survlspin.probes import Probes
from survlspin.report import performance_means, performance_stability, performance_tested
from survlspin.report.drawing import svg
from survlspin.report.parts import Figure, Table, Text
from survlspin.report.performance import performance_sections
from survlspin.report.performance_comparators import comparators
from survlspin.report.performance_diagnostics import diagnostics
from survlspin.report.performance_discrimination import discrimination
from survlspin.report.performance_faithful import card_of, faithful
from survlspin.report.performance_means import Evaluation, evaluate, limits
from survlspin.report.performance_measures import measures
from survlspin.report.performance_overall import utility
from survlspin.report.performance_sets import redundancy, selects, sets
from survlspin.report.performance_stability import probes, stability
from survlspin.report.performance_subgroups import subgroups
from survlspin.report.performance_tested import grid_of
from survlspin.report.source import judged_by, subject_of
from survlspin.study import gbsg2

HORIZON, THRESHOLDS = 1825.0, (0.3, 0.5)


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    data, folder = gbsg2(), tmp_path_factory.mktemp("study") / "store"
    rows = np.arange(0, 686, 2)
    data = replace(data, X=data.X.iloc[rows], y=data.y[rows])
    models = {"LASSO": CoxLasso(n_alphas=6), "Cox": CoxPH()}
    made = {"cv": RepeatedKFold(2, 2), "over": {"LASSO": {"lam": "path"}}, "probes": Probes(n=2)}
    run(models, data.X, data.y, **made, store=folder, progress=False)
    return subject_of(folder, data, horizons=[HORIZON], thresholds=THRESHOLDS, subgroups=["tgrade"])


@pytest.fixture(scope="module")
def sections(subject):
    return {section.key: section for section in performance_sections(subject)}


@pytest.fixture(scope="module")
def facts(sections):
    return {name: value for section in sections.values() for name, value in section.facts.items()}


def tables(section):
    return {part.name: part.frame for part in section.parts if isinstance(part, Table)}


def words(section):
    return " ".join(text for part in section.parts if isinstance(part, Text) for text in part.paragraphs)


def by_hand(subject, model, of):
    """The mean over folds of a measure, fold by fold from the record of the fits."""
    m, estimates = len(subject.outcome), []
    fits = [fit for fit in subject.runs.fits if fit.model == model]
    influence, trained = np.zeros((len(fits), m)), np.zeros((len(fits), m), bool)
    for k, fit in enumerate(fits):
        fold = subject.runs.folds[fit.fold]
        outcome = subject.outcome.take(fold.test)
        estimates.append(of(outcome.time, outcome.event, fit.risk[fit.chosen], fit))
        influence[k, fold.test], trained[k, fold.train] = estimates[-1].influence, True
    return FoldMean(np.array([e.value for e in estimates]), influence, trained)


def own_hazard(time, risk, fit, until=HORIZON):
    steps = np.concatenate([[0.0], fit.hazard[fit.chosen]])
    return steps[np.searchsorted(fit.times, np.minimum(time, until), "right")] * np.exp(np.float64(risk))


def asked(*keys):
    """Some of the measures; Harrell's C unless named."""
    return [m for m in measures([HORIZON], np.empty(0), "days") if m.key in (keys or ("c.harrell",))]


BY_HAND = {
    "c.harrell": lambda t, e, r, fit: concordance(t, e, r),
    "c.uno": lambda t, e, r, fit: uno(t, e, r, HORIZON),
    "auc.1825": lambda t, e, r, fit: auc(t, e, r, HORIZON),
    "brier.1825": lambda t, e, r, fit: brier(t, e, fit.event_probability(HORIZON)[:, 0], HORIZON),
    "ipa.1825": lambda t, e, r, fit: scaled_brier(t, e, fit.event_probability(HORIZON)[:, 0], HORIZON),
    "oe.1825": lambda t, e, r, fit: observed_expected(t, e, fit.event_probability(HORIZON)[:, 0], HORIZON),
    "citl.1825": lambda t, e, r, fit: calibration_in_the_large(t, e, own_hazard(t, r, fit), HORIZON),
    "poisson.1825": lambda t, e, r, fit: poisson_slope(t, e, own_hazard(t, r, fit), r, HORIZON),
    "slope": lambda t, e, r, fit: calibration_slope(t, e, r),
    "decision.1825.0.3": lambda t, e, r, fit: net_benefit(t, e, fit.event_probability(HORIZON)[:, 0], HORIZON, 0.3),
}


@pytest.mark.parametrize("key", BY_HAND)
def test_every_number_is_the_mean_over_folds_of_the_metric(subject, facts, key):
    ours, theirs = (by_hand(subject, model, BY_HAND[key]) for model in ("Cox", "LASSO"))
    if key.startswith("decision"):
        assert facts["decision.1825.Cox"][0] == pytest.approx(ours.value, rel=1e-12)
        return
    assert (facts[f"{key}.Cox"], facts[f"{key}.Cox.se"]) == pytest.approx((ours.value, ours.se), rel=1e-6)
    difference = ours - theirs
    assert facts[f"difference.{key}.Cox"] == pytest.approx(difference.value, rel=1e-9, abs=1e-12)
    assert facts[f"difference.{key}.Cox.low"] == pytest.approx(difference.value - 1.959964 * difference.se, rel=1e-5)


def test_c_is_that_of_the_comparison_itself(subject, facts):
    table = subject.runs.table()
    for model, row in table.iterrows():
        for part in ("se", "low", "high"):
            assert facts[f"c.harrell.{model}.{part}"] == pytest.approx(row[part], rel=1e-6)
    assert facts["difference.c.harrell.Cox.high"] == pytest.approx(table.loc["Cox", "difference_high"], rel=1e-5)


def test_the_brier_score_is_integrated_over_the_range_that_is_said(subject, facts):
    low, high = facts["ibs.range"]
    died = np.unique(subject.outcome.time[subject.outcome.event == 1])
    assert low >= np.quantile(died, 0.02)
    assert high <= died[-1]
    grid = grid_of(subject.outcome)
    mean = by_hand(subject, "Cox", lambda t, e, r, fit: integrated_brier(t, e, fit.event_probability(grid), grid))
    assert (facts["ibs.Cox"], facts["ibs.Cox.se"]) == pytest.approx((mean.value, mean.se), rel=1e-6)


def test_tables_hold_what_facts_say(sections, facts):
    for key in ("discrimination", "calibration", "overall"):
        frame = tables(sections[key])[f"{key}-numbers"]
        assert not frame.isna().any(axis=None)
        summary = tables(sections[key])[key].set_index("Model")
        for _, row in frame.iterrows():
            assert summary.loc[row["Model"], row["Measure"]].startswith(f"{row['Estimate']:.3f} (")
    frame = tables(sections["discrimination"])["discrimination-numbers"]
    assert frame["Estimate"].tolist()[:2] == [facts["c.harrell.LASSO"], facts["c.harrell.Cox"]]


def test_definitions_name_tau_and_the_source_of_g(sections, facts):
    note = next(part for part in sections["discrimination"].parts if isinstance(part, Table)).note
    assert "tau=1825" in note
    assert "these rows" in note
    assert facts["c.uno.tau"] == HORIZON
    assert "test rows themselves" in facts["censoring.source"]
    panel = tables(sections["discrimination"])["c-definitions"]
    assert panel["Definition"].nunique() == len(panel) == 5
    assert list(panel)[1:] == ["LASSO", "Cox"]


def test_the_curve_of_c_is_that_of_the_comparison(subject, sections):
    frame, curve = tables(sections["discrimination"])["c-curve"], subject.runs.curve().frame
    own = curve.query("kind == 'path' and by == 'union' and count == 4").iloc[0]
    row = frame[(frame["Counted"].str.startswith("factors used for at least one")) & (frame["At most"] == 4)].iloc[0]
    assert (row["C"], row["SE"]) == (own["C"], own["se"])


def test_net_benefit_of_treating_all_is_shown_beside(subject, sections):
    values = []
    for fit in (fit for fit in subject.runs.fits if fit.model == "Cox"):
        outcome = subject.outcome.take(subject.runs.folds[fit.fold].test)
        values.append(net_benefit(outcome.time, outcome.event, np.ones(len(outcome)), HORIZON, 0.5).value)
    frame = tables(sections["utility"])["decision-curve-1825"]
    assert frame.loc[1, "treat all"] == pytest.approx(np.mean(values), rel=1e-12)


def test_without_thresholds_a_sentence_says_how_to_ask(subject):
    section = utility(replace(subject, thresholds=()), Evaluation(["Cox"], [], {}), np.empty(0))
    assert "--thresholds" in words(section)
    assert section.facts["decision.thresholds"] == []
    assert not [name for name in tables(section) if name.startswith("decision")]


def test_instability_probes_and_frequencies_are_those_of_the_comparison(subject, sections, facts):
    runs = subject.runs
    assert facts["instability.1825.Cox"] == runs.instability("Cox", HORIZON).mape
    assert facts["instability.fits"] == 2
    assert facts["probes.offered"] == 2
    assert facts["probes.Cox.selected"] == runs.probe_table().loc["Cox", "selected"]
    assert facts["stability.LASSO.nogueira"] == runs.stability().loc["LASSO", "nogueira"]
    frame = tables(sections["stability"])["factor-frequency"].set_index(["Model", "Factor"])
    assert frame.loc[("LASSO", "pnodes"), "Share of patients"] == runs.frequency().loc[("LASSO", "pnodes"), "share"]


def test_bands_of_instability_lie_around_each_patients_own_mean(subject):
    same = [
        replace(judged, probabilities=lambda times, j=judged: j.rows[:, None] / 700) for judged in subject.models["Cox"]
    ]
    patients = pd.DataFrame({"models": 2, "mean": np.arange(len(subject.outcome)) / 700})
    rows = performance_stability._bands(replace(subject, models={"Cox": same}), "Cox", HORIZON, patients)
    assert rows.shape == (15, 6)
    assert rows[:, 1:] == pytest.approx(np.repeat(rows[:, :1], 5, axis=1), abs=1e-6)


def test_d_calibration_is_that_of_the_metric(subject, facts):
    p = []
    for fit in (fit for fit in subject.runs.fits if fit.model == "Cox"):
        outcome = subject.outcome.take(subject.runs.folds[fit.fold].test)
        hazard = own_hazard(outcome.time, fit.risk[fit.chosen], fit, until=np.inf)
        p.append(d_calibration(outcome.time, outcome.event, -np.expm1(-hazard)).p)
    assert facts["d_calibration.Cox.p"] == pytest.approx(np.median(p), rel=1e-6)


def test_sets_of_factors_are_counted_over_fits(subject, sections, facts):
    fits = [fit for fit in subject.runs.fits if fit.model == "LASSO"]
    every = pd.concat([pd.DataFrame(f.used_at(f.chosen), columns=f.share.columns) for f in fits])
    counted = every.value_counts()
    assert facts["sets.LASSO.distinct"] == len(counted)
    assert facts["sets.LASSO.top"] == pytest.approx(counted.iloc[0] / counted.sum())
    top = sorted(every.columns[list(counted.index[0])])
    frame = tables(sections["sets"])["factor-sets"]
    assert frame["Set"].iloc[0] == " + ".join(top)
    assert frame["Share"].sum() == pytest.approx(1)
    sizes = tables(sections["sets"])["factor-counts"]
    middle = every.sum(axis=1).sort_values().iloc[(len(every) - 1) // 2]
    assert facts["sets.LASSO.median"] == middle
    assert sizes["Share"].sum() == pytest.approx(1)
    assert "Cox" not in frame["Model"].tolist()  # it selects nothing


def test_rare_sets_are_pooled(subject):
    frame = tables(sets(replace(subject, min_cell=60)))["factor-sets"]
    known = frame[~frame["Set"].str.endswith("other sets")]
    assert (known["Rows per fit"] >= 60).all()


def test_a_better_baseline_is_said_so_as_readily_as_a_worse_one(subject):
    rng = np.random.default_rng(0)
    noise = [replace(judged, risk=rng.normal(size=len(judged.rows))) for judged in subject.models["Cox"]]
    for order, word in ((("Noise", "Cox"), "better"), (("Cox", "Noise"), "worse")):
        models = {"Noise": noise, "Cox": subject.models["Cox"]}
        other = replace(subject, models={name: models[name] for name in order}, runs=None, subgroups=())
        section = comparators(other, evaluate(other, asked(), np.empty(0)))
        assert section.facts[f"comparators.{word}"] == [order[1]]
        assert f"{order[1]}: {word} than" in section.lead
        assert f"{order[1]} is {word}" in words(section)
        frame = tables(section)["comparators"]
        assert frame.loc[frame["Measure"] == "Harrell's C", "In favour of"].tolist() == ["Cox"]


def test_few_events_are_not_drawn_in_tenths(subject):
    def drawn(least):
        found = evaluate(subject, asked(), grid_of(subject.outcome))
        section = diagnostics(replace(subject, min_cell=least), found, grid_of(subject.outcome))
        return {part.name for part in section.parts if isinstance(part, Figure)}

    assert drawn(0) == {"index-over-time", "oe-by-tenth"}
    assert drawn(60) == set()


def test_where_weights_are_from_is_said(sections):
    assert "scikit-survival" in words(sections["overall"])


def test_a_lone_fit_keeps_the_error_of_the_metric(subject):
    alone = replace(subject, models={"Cox": subject.models["Cox"][:1]}, subgroups=())
    found = {name: value for s in performance_sections(alone) for name, value in s.facts.items()}
    judged = alone.models["Cox"][0]
    outcome = subject.outcome.take(judged.rows)
    own = concordance(outcome.time, outcome.event, judged.risk)
    assert (found["c.harrell.Cox"], found["c.harrell.Cox.se"]) == pytest.approx((own.value, own.se), rel=1e-6)
    assert "instability.fits" not in found or found["performance.fits"] == 1


def test_a_missing_fit_leaves_the_difference_to_those_that_both_have(subject):
    models = {"LASSO": subject.models["LASSO"][1:], "Cox": subject.models["Cox"]}
    grid = grid_of(subject.outcome)
    found = evaluate(replace(subject, models=models), asked(), grid).averages
    both = replace(subject, models={**models, "Cox": subject.models["Cox"][1:]})
    assert found["c.harrell", "Cox"].difference == evaluate(both, asked(), grid).averages["c.harrell", "Cox"].difference


def test_a_model_without_probabilities_is_judged_by_its_order_alone(subject):
    def silent(times):
        return np.full((len(judged.rows), len(times)), np.nan)

    judged = subject.models["Cox"][0]
    silenced = replace(judged, probabilities=silent)
    alone = replace(subject, models={"Silent": [silenced]}, runs=None, subgroups=())
    by_key = {s.key: s for s in performance_sections(alone)}
    assert by_key["calibration"].facts["calibration.missing"] == ["Silent"]
    assert "Silent" in words(by_key["calibration"])
    assert by_key["overall"].facts["brier.1825.Silent"] is None
    assert tables(by_key["overall"])["overall-numbers"]["Estimate"].tolist() == ["undefined"] * 3
    assert by_key["discrimination"].facts["c.harrell.Silent"] is not None


def test_a_subgroup_without_events_is_undefined_and_a_small_one_hidden(subject):
    y = subject.data.y.copy()
    y["event"] &= (subject.data.X["tgrade"] != "I").to_numpy()
    bare = replace(subject, data=replace(subject.data, y=y), models={"Cox": subject.models["Cox"]})
    grid = grid_of(subject.outcome)
    frame = tables(subgroups(bare, asked("c.harrell", "slope"), grid))["subgroup-tgrade"].set_index("Group")
    assert frame.loc["I", "Events"] == 0
    assert frame.loc["I", "Harrell's C"] == "undefined"
    assert frame.loc["II", "Harrell's C"].startswith("0.")
    hidden = subgroups(replace(subject, min_cell=30), asked(), grid)
    part = next(part for part in hidden.parts if isinstance(part, Table))
    first = part.masked(30).set_index("Group").loc["I"].iloc[0]
    assert first["Events"] == "<30"
    assert first["Harrell's C"] == ""


def test_names_that_differ_in_punctuation_alone_have_files_of_their_own(subject):
    X = subject.data.X.assign(**{"t grade": subject.data.X["tgrade"], "T-grade": subject.data.X["tgrade"]})
    both = replace(subject, data=replace(subject.data, X=X), subgroups=("t grade", "T-grade"))
    assert set(tables(subgroups(both, asked(), np.empty(0)))) == {"subgroup-t-grade", "subgroup-t-grade-2"}


def test_a_small_group_cannot_be_had_from_the_labels_of_the_others(subject):
    labels = pd.Series(["small"] * 30 + ["next"] * 100 + ["rest"] * 213, index=subject.data.X.index)
    data = replace(subject.data, X=subject.data.X.assign(group=labels))
    section = subgroups(replace(subject, data=data, subgroups=("group",), min_cell=25), asked(), np.empty(0))
    figure = next(part for part in section.parts if isinstance(part, Figure))
    assert re.findall(r"(\w+)(?: \(\d+ events\))?: 0", figure.alt) == ["next", "rest"]
    assert len(re.findall(r"\(\d+ events\)", figure.alt)) == 1


def test_shares_of_few_patients_are_left_out(subject):
    def shares(least):
        return tables(stability(replace(subject, min_cell=least)))["factor-frequency"]["Share of patients"]

    known = shares(0)
    assert known.between(0, 0.5, inclusive="neither").any()
    hidden = shares(100)  # of some 140
    assert not hidden.between(0, 0.5, inclusive="neither").any()
    assert hidden.notna().any()


def test_what_is_absent_is_said(subject):
    bare = replace(subject, runs=replace(subject.runs, probes=()), subgroups=(), models={"Cox": subject.models["Cox"]})
    assert "no columns of noise" in words(probes(bare))
    assert "No subgroups" in words(subgroups(bare, asked(), np.empty(0)))
    assert "one set for all" in words(sets(bare))
    assert "no selection" in words(stability(bare))


def test_twins_are_found(subject):
    twin = subject.data.X.assign(nodes_again=subject.data.X["pnodes"] * 2 + 1)
    design = type(subject.data.design).fit(twin)
    data = replace(subject.data, X=twin, design=design)
    section = redundancy(replace(subject, data=data), card_of(subject))
    pairs = tables(section)["near-duplicates"]
    assert list(pairs) == ["Factor", "Other", "r"]  # there is no model that lists them
    assert {"pnodes", "nodes_again"} == set(pairs.iloc[0, :2])
    assert section.facts["redundancy.pairs"] == 1


def test_of_twins_it_is_said_how_often_they_are_listed(subject):
    pairs = pd.DataFrame({"factor": ["a"], "other": ["b"], "r": [0.95], "both": [0.25], "one": [0.5]})
    known = replace(card_of(subject), redundant=pairs)

    def shown(least):
        return tables(redundancy(replace(subject, min_cell=least), known))["near-duplicates"]

    assert shown(0).iloc[0].to_dict() == {"Factor": "a", "Other": "b", "r": 0.95, "Both": 0.25, "One of them": 0.5}
    assert list(shown(5)) == ["Factor", "Other", "r"]


def test_factors_that_alternate_are_found_where_they_go_together(subject):
    fits = [fit for fit in subject.runs.fits if fit.model == "LASSO"]
    patterns = {"age": (1, 0, 1, 0), "menostat": (0, 1, 0, 0), "pnodes": (1, 1, 1, 1), "tsize": (0, 0, 0, 1)}
    made = []
    for k, fit in enumerate(fits):
        share = fit.share * 0.0
        for name, uses in patterns.items():
            share[name] = float(uses[k])
        made.append(replace(fit, share=share))
    alternating = replace(subject, runs=replace(subject.runs, fits=made), models={"LASSO": subject.models["LASSO"]})
    frame = tables(redundancy(alternating, card_of(alternating)))[
        "stand-ins"
    ]  # size alternates, too, but says nothing of age
    assert frame[["Factor", "Other", "Folds", "Folds with the other", "Of"]].to_numpy().tolist() == [
        ["age", "menostat", 2, 1, 4]
    ]
    r = np.corrcoef(subject.data.X["age"], subject.data.X["menostat"] == "Pre")[0, 1]
    assert frame["|r|"].tolist() == pytest.approx([abs(r)])


def test_a_column_that_a_fold_lacks_is_no_selection(subject):
    fits = [fit for fit in subject.runs.fits if fit.model == "Cox"]
    less = replace(fits[0], share=fits[0].share.drop(columns="age"))
    runs = replace(subject.runs, fits=[less, *fits[1:]])
    assert not selects(replace(subject, runs=runs), "Cox")
    assert selects(subject, "LASSO")


def test_hazards_between_known_times_are_interpolated(subject):
    fit = next(fit for fit in subject.runs.fits if fit.model == "Cox")
    tested = next(performance_means.tested_of(subject, "Cox", np.linspace(100, 1800, 80)))
    bare = replace(tested, fit=replace(fit, hazard=np.empty((0, 0))), kept={})
    exact, between = tested.own_hazard(HORIZON), bare.own_hazard(HORIZON)
    assert np.abs(between - exact).max() < 0.06 * exact.max()
    assert not np.array_equal(between, exact)
    assert bare.log_risk(HORIZON).shape == (len(tested.risk),)
    assert not bare.proportional
    assert tested.proportional


def test_what_cannot_be_measured_is_coded(subject):
    tested = next(performance_means.tested_of(subject, "Cox", grid_of(subject.outcome)))
    mute = replace(tested.judged, probabilities=lambda times: np.full((len(tested.risk), len(times)), np.nan))
    silent = performance_tested.Tested(mute, tested.outcome, tested.grid)
    for ask in (lambda: silent.probability(HORIZON), lambda: silent.probabilities, lambda: silent.own_hazard(HORIZON)):
        with pytest.raises(InputError, match="SL-636"):
            ask()
    late = replace(tested, outcome=replace(tested.outcome, entry=np.full(len(tested.risk), -1.0)))
    with pytest.raises(InputError, match="SL-637"):
        late.censored_at_random()
    found = {m.key: m(late) for m in measures([HORIZON], tested.grid, "days")}
    assert "enter late" in found["brier.1825"].definition
    assert np.isfinite(found["c.harrell"].value)


def test_rows_that_enter_late_are_ranked_and_the_rest_is_undefined(subject):
    y = np.empty(len(subject.outcome), dtype=[*subject.data.y.dtype.descr, ("entry", float)])
    for name in ("event", "time"):
        y[name] = subject.data.y[name]
    y["entry"] = y["time"] / 3
    data = replace(subject.data, y=y)
    late = replace(subject, data=data, models={"Cox": subject.models["Cox"][:1]}, runs=None, apparent=None)
    by_key = {s.key: s for s in performance_sections(late)}
    judged = late.models["Cox"][0]
    own = concordance(y["time"][judged.rows], y["event"][judged.rows], judged.risk, entry=y["entry"][judged.rows])
    assert by_key["discrimination"].facts["c.harrell.Cox"] == own.value
    assert set(tables(by_key["overall"])["overall-numbers"]["Estimate"]) == {"undefined"}
    assert "enter late" in words(by_key["diagnostics"])
    assert "enter late" in words(by_key["utility"])


def test_nobody_has_the_event(subject):
    y = subject.data.y.copy()
    y["event"] = False
    bare = replace(subject, data=replace(subject.data, y=y), models={"Cox": subject.models["Cox"][:1]}, runs=None)
    by_key = {s.key: s for s in performance_sections(bare)}
    assert by_key["discrimination"].facts["c.harrell.Cox"] is None
    assert "undefined" in by_key["discrimination"].lead
    panel = tables(by_key["discrimination"])["c-definitions"]
    assert set(panel["Cox"]) == {"undefined"}
    assert by_key["calibration"].facts["oe.1825.Cox"] == 0
    for figure in (part for s in by_key.values() for part in s.parts if isinstance(part, Figure)):
        assert svg(figure)


def test_intervals_are_symmetric_on_their_scale():
    low, high = limits("log", 2.0, 0.5)
    assert limits("log", 0.0, 0.0)[0] == 0
    assert low * high == pytest.approx(4)
    assert limits("plain", 2.0, 0.5) == pytest.approx((1.02, 2.98), abs=1e-3)
    assert limits("logit", 0.9, 0.05)[1] < 1 < limits("plain", 0.9, 0.06)[1]


@pytest.fixture(scope="module")
def alone(subject):
    """A fitted model that selects, judged on other rows of its data than it was made from."""
    rows = np.arange(len(subject.outcome))
    made, other = rows[::2], rows[1::4]
    model = CoxLLSPIN(lam=0.1, members=1, epochs=60, random_state=0).fit(
        subject.data.X.iloc[made], subject.data.y[made]
    )
    judged = [judged_by(model, subject.data, part, made) for part in (made, other)]
    same = {"kind": "model", "runs": None, "subgroups": (), "thresholds": ()}
    return replace(subject, models={"LLSPIN": judged[1:]}, model=model, apparent=judged[0], **same)


def test_apparent_performance_stands_beside(alone):
    found = evaluate(alone, asked(), grid_of(alone.outcome))
    frame = tables(discrimination(alone, found, np.empty(0)))["apparent"]
    outcome, own = alone.outcome.take(alone.apparent.rows), alone.apparent
    assert frame["Apparent"].tolist()[0].startswith(f"{concordance(outcome.time, outcome.event, own.risk).value:.3f} (")
    itself = replace(alone, models={"LLSPIN": [own]}, judged_on="the rows it was made from")
    section = discrimination(itself, evaluate(itself, asked(), np.empty(0)), np.empty(0))
    assert "apparent" not in tables(section)
    assert "the rows it was made from" in section.lead


def test_the_card_is_that_of_the_rows_judged_on(alone):
    found, (judged,) = card_of(alone), alone.models["LLSPIN"]
    parts = [(alone.data.X.iloc[each.rows], alone.data.y[each.rows]) for each in (alone.apparent, judged)]
    pd.testing.assert_frame_equal(found.frame, card(alone.model, *parts[0], *parts[1]).frame)
    section, own = faithful(alone, found), found.frame.set_index("measure")["value"]
    assert section.facts["faithfulness.C"] == alone.model.score(*parts[1])
    assert section.facts["faithfulness.C.masked_refit"] == own["C.masked_refit"]
    assert section.facts["faithfulness.stability.folds"] is None
    assert tables(section)["faithfulness"]["Measure"].tolist() == found.frame["measure"].tolist()
    assert section.parts[0].note.startswith(f"Of {len(judged.rows):,} rows. ")
    assert section.facts["faithfulness.leaks"] == f"{100 * own['leakage.share']:.1f} %"
    assert f" For {section.facts['faithfulness.leaks']} of patients" in section.lead
    assert section.facts["interpretability.count.mean"] == alone.model.n_selected(parts[1][0]).mean()
    assert sets(alone).facts["sets.LLSPIN.median"] == alone.model.n_selected(parts[1][0]).median()
    assert not [name for name in section.facts if name.startswith("interpretability.leakage")]  # it is on the card
    other = replace(alone, models={"LLSPIN": [alone.apparent]})  # of the rows that it was made from
    assert "which flatters its C" in card_of(other).note


def test_a_model_of_other_data_is_learnt_anew_on_its_own(alone):
    other = replace(alone, apparent=None, external=True, call={"test": None})
    value = card_of(other).frame.set_index("measure")["value"]
    assert value[["C.mask_only", "C.masked_refit"]].isna().all()
    rows = alone.apparent.rows
    made = replace(alone.data, X=alone.data.X.iloc[rows], y=alone.data.y[rows])
    pd.testing.assert_frame_equal(card_of(replace(other, development=made)).frame, card_of(alone).frame)
    apart = replace(other, development=made, call={"test": 0.5, "seed": 0})
    own = card_of(apart).frame.set_index("measure")["value"]
    assert own["C"] == value["C"]
    assert own["C.masked_refit"] != card_of(alone).frame.set_index("measure")["value"]["C.masked_refit"]


def test_a_study_without_a_model_for_use_has_what_its_folds_say(subject):
    section = faithful(subject, card_of(subject))
    frame = tables(section)["faithfulness"].set_index("Measure")
    assert "when it is finished" in frame.loc["leakage.share", "What it is"]
    own = subject.runs.stability().loc["LASSO"]
    assert frame.loc["stability.folds", "Value"] == own["patient_jaccard"]
    assert frame.loc["stability.folds.jaccard", "Value"] == own["jaccard"]
    assert frame.loc["stability.folds.nogueira", "Value"] == own["nogueira"]
    fits = [fit for fit in subject.runs.fits if fit.model == "LASSO"]
    named = [np.isin(fit.share.columns, subject.runs.probes) for fit in fits]
    listed = [fit.used_at(fit.chosen)[:, own].any(axis=1).mean() for fit, own in zip(fits, named, strict=True)]
    assert frame.loc["probes", "Value"] == np.mean(listed)
    assert section.facts["faithfulness.probes"] == np.mean(listed)


def test_the_final_model_of_a_study_is_looked_at_on_all_rows(subject, alone):
    study = replace(subject, model=alone.model)
    found = card_of(study)
    X, y = subject.data.X, subject.data.y
    own = found.frame.set_index("measure")["value"]
    whole = card(alone.model, X, y, X, y).frame.set_index("measure")["value"].drop(["probes", "stability.folds"])
    pd.testing.assert_series_equal(own[whole.index], whole)
    assert own["stability.folds"] == subject.runs.stability().loc["LASSO", "patient_jaccard"]
    assert "which flatters its C" in found.note


def test_shares_of_a_card_that_stand_for_few_patients_are_hidden(alone):
    found = card_of(alone)
    n = len(alone.models["LLSPIN"][0].rows)
    few = found.frame["value"].mask(found.frame["measure"] == "leakage.share", 3 / n)
    found = replace(found, frame=found.frame.assign(value=few))
    for least, value in ((3, 3 / n), (4, None)):
        section = faithful(replace(alone, model=None, min_cell=least), found)
        assert section.facts["faithfulness.leakage.share"] == value
        said = tables(section)["faithfulness"].set_index("Measure").loc["leakage.share", "What it is"]
        assert ("hidden" in said) == (value is None)
        assert ("% of patients it is not all" in section.lead) == (value is not None)


def test_where_everything_is_listed_it_is_said(alone):
    rows = alone.apparent.rows
    every = CoxPH().fit(alone.data.X.iloc[rows], alone.data.y[rows])
    plain = replace(alone, model=every)
    section = faithful(plain, card_of(plain))
    assert "lists every factor" in words(section)
    assert section.facts["faithfulness.leakage.share"] == 0
    assert "nobody's log-hazard moves" in section.lead


def test_figures_can_be_drawn_and_say_what_is_seen(sections):
    drawn = [part for section in sections.values() for part in section.parts if isinstance(part, Figure)]
    names = [figure.name for figure in drawn]
    assert len(set(names)) == len(names) >= 12
    assert {"c-by-model", "calibration-curve-1825", "decision-curve-1825", "instability-1825"} <= set(names)
    for figure in drawn:
        assert len(figure.alt) > 20
    for figure in {figure.draw.__qualname__: figure for figure in drawn}.values():  # one of each kind
        assert len(svg(figure)) < 120_000
    text = svg(next(figure for figure in drawn if figure.name == "c-by-model"))
    assert ">Cox<" in text
    assert ">LASSO<" in text


def test_no_two_tables_share_a_name(sections):
    names = [part.name for section in sections.values() for part in section.parts if isinstance(part, Table)]
    assert len(set(names)) == len(names)
