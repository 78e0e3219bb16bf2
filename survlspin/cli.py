"""The `survlspin` command."""

import json
from pathlib import Path

import typer

from survlspin import _calls as calls
from survlspin import _options as o
from survlspin._commands import EXITS, USER_ERROR, exits, finish
from survlspin.cli_factors import factors

__all__ = ["app", "main"]

app = typer.Typer(
    name="survlspin",
    help="Interpretable deep survival models: compared honestly, with each patient's risk factors.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(factors)


@app.callback()
def _survlspin() -> None:
    pass


@app.command(
    help="Compare Cox-LLSPIN and Cox-LSPIN with DeepSurv, Cox regression, Cox-LASSO and a random survival forest: "
    "without --data on 686 patients with breast cancer (GBSG2). Prints C with intervals, paired differences and C at "
    "small numbers of risk factors; writes these, the curve of C against the number of factors, and each patient's "
    "risk factors.",
    epilog=EXITS,
)
@exits
def run(
    ctx: typer.Context,
    data: o.Data = None, sep: o.Sep = ",", decimal: o.Decimal = ".", encoding: o.Encoding = "utf-8",
    time: o.Time = None, event: o.Event = None, event_code: o.EventCode = None, entry: o.Entry = None,
    weight: o.Weight = None, stratum: o.Stratum = None, group: o.Group = None, id: o.Id = None,
    external: o.External = None, drop: o.Drop = (), category: o.Category = (), number: o.Number = (),
    zero_time: o.Zero = o.ZeroTime.keep, protocol: o.ProtocolAsked = o.Protocol.auto, folds: o.Folds = None,
    repeats: o.Repeats = None, seeds: o.Seeds = 1, members: o.Members = 10, context: o.Context = (), skip: o.Skip = (),
    points: o.Points = None, horizon: o.Horizon = (), probes: o.Probed = 0, shadow_probes: o.Shadows = 0,
    probe_rate: o.Rate = None, seed: o.Seed = 0, jobs: o.Jobs = None, force: o.Force = False, store: o.Store = None,
    tune: o.Tune = None, preset: o.Where = None, storage: o.Storage = None, out: o.Out = Path("survlspin-results"),
    as_json: o.Json = False, verbose: o.Verbose = False,
) -> None:  # fmt: skip
    finish(ctx.params, calls.main_job, "summary.closing")


@app.command(
    help="Go on with a study that `survlspin run --store` began, and print and write what that would: the call is in "
    "the store, finished fits are not repeated, and those that were cut off go on from where they were.",
    epilog=EXITS,
)
@exits
def resume(
    ctx: typer.Context, store: o.Kept, data: o.Moved = None, storage: o.StorageAgain = None, jobs: o.Jobs = None,
    out: o.Elsewhere = None, as_json: o.Json = False, verbose: o.Verbose = False,
) -> None:  # fmt: skip
    finish(ctx.params, calls.resume_job, "summary.closing")


@app.command(
    help="Say how far a study is: fits done of each model, trials of tuning, time left, who works on it. Reads alone, "
    "also while it runs, and shows no patient.",
    epilog="Exit codes: 0 done; 2 something to mend in the call or the store; 130 interrupted.",
)
@exits
def status(ctx: typer.Context, store: o.Kept, as_json: o.Json = False, verbose: o.Verbose = False) -> None:
    finish(ctx.params, calls.status_job, "studies.said")


@app.command(
    help="Fit one model: to your file, or without --data to the 686 patients with breast cancer (GBSG2). Writes the "
    "fitted model (for survlspin.load), its coefficients or what it selects, and each patient's risk factors; prints "
    "how well it predicts rows that were not trained on, and what else these rows served.",
    epilog=EXITS,
)
@exits
def fit(
    ctx: typer.Context,
    data: o.Data = None, sep: o.Sep = ",", decimal: o.Decimal = ".", encoding: o.Encoding = "utf-8",
    time: o.Time = None, event: o.Event = None, target: o.Target = None, event_code: o.EventCode = None,
    entry: o.Entry = None, weight: o.Weight = None, stratum: o.Stratum = None, group: o.Group = None, id: o.Id = None,
    drop: o.Drop = (), category: o.Category = (), number: o.Number = (), zero_time: o.Zero = o.ZeroTime.keep,
    model: o.Model = "CoxLLSPIN", lam: o.Lam = None, members: o.OwnMembers = None, context: o.OwnContext = (),
    setting: o.Setting = (), test: o.Test = 0.0, seed: o.OwnSeed = 0, force: o.OwnForce = False,
    out: o.OwnOut = Path("survlspin-model"), as_json: o.Json = False, verbose: o.Verbose = False,
) -> None:  # fmt: skip
    finish(ctx.params, calls.fit_job, "summary.fit_closing")


@app.command(
    help="Report on a study or on a fitted model as a reviewer asks for it: one page that loads nothing, every table "
    "as CSV, every figure as SVG. Flow of patients, Table 1, follow-up, split, discrimination, calibration, decision "
    "curves, comparisons, the model in full with a prediction worked by hand, what the study cannot say, and the "
    "sheets of the reporting guidelines.",
    epilog=EXITS,
)
@exits
def report(
    ctx: typer.Context,
    path: o.Reported, horizon: o.Reached = (), thresholds: o.Thresholds = None, subgroup: o.Subgroup = (),
    unit: o.Unit = None, min_cell: o.LeastShown = None, data: o.JudgedOn = None, sep: o.Sep = ",",
    decimal: o.Decimal = ".", encoding: o.Encoding = "utf-8", time: o.Time = None, event: o.Event = None,
    event_code: o.EventCode = None, entry: o.Entry = None, weight: o.Weight = None, stratum: o.Stratum = None,
    group: o.Group = None, id: o.Id = None, drop: o.Drop = (), category: o.Category = (), number: o.Number = (),
    zero_time: o.Zero = o.ZeroTime.keep, force: o.Force = False, out: o.ReportOut = Path("survlspin-report"),
    as_json: o.Json = False, verbose: o.Verbose = False,
) -> None:  # fmt: skip
    finish(ctx.params, calls.report_job, "summary.report_closing")


@app.command(
    help="Make a cohort of a registry's export, or of a table, by a recipe: prints how many rows, patients and events "
    "each rule excludes, and writes the cohort (Parquet), the flow (table, JSON, chart) and the manifest. The flow "
    "hides small numbers; the cohort holds patients.",
    epilog=EXITS,
)
@exits
def cohort(
    ctx: typer.Context,
    data: o.Export = None, recipe: o.Recipe = None, recipes: o.Recipes = False, outcome: o.Outcome = None,
    switch: o.Switch = (), alias: o.Alias = (), seed: o.NoiseSeed = 0, dic: o.Dic = None, sas: o.Sas = None,
    encoding: o.FileEncoding = None, delimiter: o.Separated = None, engine: o.ParsedBy = o.Engine.pandas,
    cache: o.Cache = None, max_quarantine: o.Quarantine = 0.01, min_cell: o.MinCell = 5,
    out: o.CohortOut = Path("cohort.parquet"), as_json: o.Json = False, verbose: o.Verbose = False,
) -> None:  # fmt: skip
    if recipes:
        from survlspin import preparing

        found = preparing.recipe_list()
        typer.echo(json.dumps(found) if as_json else preparing.recipe_text(found))
    else:
        finish(ctx.params, calls.cohort_job, "preparing.closing")


@app.command(
    help="Say what is wrong with a file before anything runs: its form, lines that cannot be read, columns, labels "
    "that are not known, the years covered, duplicates, and what a recipe would miss. Shows no patient's values.",
    epilog="Exit codes: 0 fine; 2 something to mend in the file or the call; 130 interrupted.",
)
@exits
def check(
    ctx: typer.Context,
    data: o.Checked, recipe: o.Recipe = None, outcome: o.Outcome = None, switch: o.Switch = (), alias: o.Alias = (),
    dic: o.Dic = None, sas: o.Sas = None, encoding: o.FileEncoding = None, delimiter: o.Separated = None,
    engine: o.ParsedBy = o.Engine.pandas, as_json: o.Json = False, verbose: o.Verbose = False,
) -> None:  # fmt: skip
    if not finish(ctx.params, calls.check_job, "checking.closing")["fine"]:
        raise typer.Exit(USER_ERROR)


@app.command(
    help="Say whether the files of a saved model, or of a study's store, are as they were written: counts those that "
    "are whole, names those that are damaged. Changes nothing.",
    epilog="Exit codes: 0 all whole; 2 something is damaged, or is neither a model nor a store; 130 interrupted.",
)
@exits
def verify(ctx: typer.Context, folder: o.Verified, as_json: o.Json = False, verbose: o.Verbose = False) -> None:
    if not finish(ctx.params, calls.verify_job, "verifying.closing")["fine"]:
        raise typer.Exit(USER_ERROR)


def main() -> None:
    """Run the command."""
    app()
