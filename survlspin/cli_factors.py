"""`survlspin factors`: what a fitted model says of patients, for their keeper alone or for all to see."""

from pathlib import Path

import typer

from survlspin import _factor_calls as calls
from survlspin import _options as o
from survlspin._commands import EXITS, exits, finish

__all__ = ["factors"]

factors = typer.Typer(
    name="factors",
    help="What a fitted model says of patients: row by row for their keeper (export), as counts for all (publish).",
    no_args_is_help=True,
)


@factors.command(
    help="Write each patient's risk factors, CSV and Parquet. LOCAL: these files hold patients and must not leave "
    "where the data may not; they are readable by you alone and say so in name and head. Rows are numbered from 0; "
    "only --id puts labels in.",
    epilog=EXITS,
)
@exits
def export(
    ctx: typer.Context,
    path: o.OneModel, data: o.Explained = None, sep: o.Sep = ",", decimal: o.Decimal = ".",
    encoding: o.Encoding = "utf-8", id: o.Id = None, category: o.Category = (), number: o.Number = (),
    horizon: o.Foreseen = (), out: o.LocalOut = Path("survlspin-LOCAL-ONLY"), as_json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:  # fmt: skip
    finish(ctx.params, calls.export_job, "publish.words.exported")


@factors.command(
    help="Write what a model says of patients as counts that tell of no single one: sets, factors and their effects, "
    "subgroups, courses over time, baseline hazard, model card. Counts below --min-cell are hidden, and so are those "
    "from which they could be had; an audit solves for them before anything is written. But two publications of the "
    "same patients can be subtracted from each other.",
    epilog=EXITS,
)
@exits
def publish(
    ctx: typer.Context,
    path: o.OneModel, min_cell: o.LeastPublished = 11, subgroup: o.Subgroup = (), data: o.Explained = None,
    sep: o.Sep = ",", decimal: o.Decimal = ".", encoding: o.Encoding = "utf-8", time: o.Time = None,
    event: o.Event = None, event_code: o.EventCode = None, entry: o.Entry = None, weight: o.Weight = None,
    stratum: o.Stratum = None, group: o.Group = None, id: o.Id = None, drop: o.Drop = (), category: o.Category = (),
    number: o.Number = (), zero_time: o.Zero = o.ZeroTime.keep, unit: o.Unit = None, force: o.Force = False,
    out: o.PublicOut = Path("survlspin-public"), as_json: o.Json = False, verbose: o.Verbose = False,
) -> None:  # fmt: skip
    finish(ctx.params, calls.publish_job, "publish.words.published")


@factors.command(
    help="Say whether a file is what `survlspin factors export` writes: columns, kinds, limits; and with the other "
    "table beside it, whether each patient's effects add up. Names row and column, shows no patient's values.",
    epilog="Exit codes: 0 fine; 2 something is wrong; 130 interrupted.",
)
@exits
def check(ctx: typer.Context, file: o.LocalFile, as_json: o.Json = False, verbose: o.Verbose = False) -> None:
    finish(ctx.params, calls.check_job, "publish.words.checked")


@factors.command(
    help="Say on the terminal which risk factors a model lists for single patients: what each did to the hazard, in "
    "how many members, and the probability of no event beside the cohort's. LOCAL: it is of single patients.",
    epilog=EXITS,
)
@exits
def explain(
    ctx: typer.Context,
    path: o.OneModel, patient: o.Seen, data: o.Explained = None, sep: o.Sep = ",", decimal: o.Decimal = ".",
    encoding: o.Encoding = "utf-8", id: o.Id = None, category: o.Category = (), number: o.Number = (),
    unit: o.Unit = None, as_json: o.Json = False, verbose: o.Verbose = False,
) -> None:  # fmt: skip
    finish(ctx.params, calls.explain_job, "patient_page.terminal.explained")


@factors.command(
    help="Write one page of single patients, with a picker: a waterfall of hazard ratios from the reference patient to "
    "this one, the curve beside the cohort's, agreement over members; to look at and to print. LOCAL, as export.",
    epilog=EXITS,
)
@exits
def page(
    ctx: typer.Context,
    path: o.OneModel, data: o.Explained = None, sep: o.Sep = ",", decimal: o.Decimal = ".",
    encoding: o.Encoding = "utf-8", id: o.Id = None, category: o.Category = (), number: o.Number = (),
    patient: o.Seen = (), unit: o.Unit = None, out: o.LocalOut = Path("survlspin-LOCAL-ONLY"),
    as_json: o.Json = False, verbose: o.Verbose = False,
) -> None:  # fmt: skip
    finish(ctx.params, calls.page_job, "patient_page.terminal.written")
