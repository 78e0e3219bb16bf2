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
    help="Say whether a file is what `survlspin factors export` writes: columns, kinds, limits, sums. Names row and "
    "column, shows no patient's values.",
    epilog="Exit codes: 0 fine; 2 something is wrong; 130 interrupted.",
)
@exits
def check(ctx: typer.Context, file: o.LocalFile, as_json: o.Json = False, verbose: o.Verbose = False) -> None:
    finish(ctx.params, calls.check_job, "publish.words.checked")
