"""The options of the `survlspin` command; those that its parts share are here once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class ZeroTime(StrEnum):
    """What to do with times of 0."""

    keep = "keep"
    half = "half"
    drop = "drop"
    refuse = "refuse"


class Protocol(StrEnum):
    """Who is trained on and who is tested."""

    auto = "auto"
    one_nine = "one-nine"
    nine_one = "nine-one"
    external = "external"


class Preset(StrEnum):
    """Where tuning looks for settings."""

    default = "default"
    lspin2022 = "lspin2022"


def _option(name: str, help: str, kind: Any = str | None, panel: str | None = None, **more: Any) -> Any:
    return Annotated[kind, typer.Option(name, help=help, rich_help_panel=panel, **more)]


FILE, COLUMNS, HOW = "Your file", "Columns of your file (all others are predictors)", "How to compare"
MODEL, STUDY = "The model", "A study"
Names = list[str]
Data = _option(
    "--data", "CSV (also .gz), Parquet, or a cohort, whose roles are known; without it GBSG2.", Path | None, FILE
)
Sep = _option("--sep", "What separates the columns of a CSV; 'tab' for tabs.", str, FILE)
Decimal = _option("--decimal", "Decimal mark of a CSV.", str, FILE)
Encoding = _option("--encoding", "Encoding of a CSV.", str, FILE)
Time = _option("--time", "Time to event or censoring.", panel=COLUMNS)
Event = _option("--event", "1 = event, 0 = censored; other codes with --event-code.", panel=COLUMNS)
EventCode = _option("--event-code", "The value of --event that is the event; all others are censored.", panel=COLUMNS)
Entry = _option("--entry", "Delayed entry.", panel=COLUMNS)
Weight = _option("--weight", "Case weights.", panel=COLUMNS)
Stratum = _option("--stratum", "Strata.", panel=COLUMNS)
Group = _option("--group", "The patient, where one has several rows.", panel=COLUMNS)
Id = _option("--id", "What rows are called in the results; kept as text.", panel=COLUMNS)
Drop = _option("--drop", "A column to leave out; may be repeated.", Names, COLUMNS)
Category = _option("--category", "A column of numbers that are codes; may be repeated.", Names, COLUMNS)
Number = _option("--number", "A column of numbers with leading zeros; may be repeated.", Names, COLUMNS)
Zero = _option("--zero-time", "Times of 0: keep, set to half a unit, drop the row, or refuse.", ZeroTime, COLUMNS)
External = _option(
    "--external", "1 in rows of another data set, which are tested on alone; 0 elsewhere.", panel=COLUMNS
)
ProtocolAsked = _option(
    "--protocol",
    "auto: 5-fold cross-validation, from 10,000 rows one-nine. one-nine: trained on one fold, tested on all others. "
    "nine-one: the reverse. external: tested on the rows that --external marks.",
    Protocol,
    HOW,
)
Folds = _option("--folds", "Folds; by default 10, of cross-validation by auto 5.", int | None, HOW, min=2)
Repeats = _option("--repeats", "Repetitions of the folds; by default 1.", int | None, HOW, min=1)
Seeds = _option("--seeds", "Fits of every model on every fold, each with a seed of its own.", int, HOW, min=1)
Points = _option("--points", "Points of every penalty path; by default the model's own number.", int | None, HOW, min=2)
Probed = _option("--probes", "Columns of uniform noise to add: whatever selects them selects falsely.", int, HOW, min=0)
Shadows = _option("--shadow-probes", "Columns to add that are shuffled copies of your own.", int, HOW, min=0)
Rate = _option(
    "--probe-rate",
    "Choose the smallest penalty that selects at most this share of the probes, instead of by validation rows.",
    float | None,
    HOW,
    min=0.0,
    max=1.0,
)
Horizon = _option(
    "--horizon",
    "A time, in the unit of the data, by which each patient's probability of the event is wanted; may be repeated.",
    list[float],
    HOW,
)
Members = _option("--members", "Nets in each ensemble.", int, HOW, min=1)
Context = _option("--context", "A column that the gates may see; may be repeated. None: all.", Names, HOW)
Skip = _option("--skip", "A model to leave out: lspin, deepsurv, cox, lasso, forest; may be repeated.", Names, HOW)
Seed = _option("--seed", "Decides every random number.", int, HOW, min=0)
Jobs = _option("--jobs", "Processes; by default one per core. The numbers do not depend on it.", int | None, HOW, min=1)
Force = _option("--force", "Accept fewer than 10 events and suspect values.", bool, HOW)
Store = _option(
    "--store", "Folder that keeps what is done, so that it is done once: survlspin resume goes on.", Path | None, STUDY
)
Tune = _option(
    "--tune", "Trials per model to find its settings; test rows have no part in it.", int | None, STUDY, min=1
)
Where = _option(
    "--preset",
    "Where tuning looks: by default this package's spaces; lspin2022: Table B.4 of the paper.",
    Preset | None,
    STUDY,
)
Storage = _option("--storage", "Database of the trials, as a URL of Optuna; by default a file in --store.", panel=STUDY)
Out = _option("--out", "Folder for the results; files of the same names are replaced.", Path)
Json = _option("--json", "Print one JSON object instead of text.", bool)
Verbose = _option("--verbose", "Show the warnings of other libraries, too.", bool)

Model = _option("--model", "Its public name, as CoxLSPIN, DeepSurv, LLSPINClassifier.", str, MODEL)
Target = _option("--target", "What a model of classes or numbers predicts.", panel=COLUMNS)
Lam = _option("--lam", "Weight of the penalty: auto (chosen on validation rows) or a number.", panel=MODEL)
ENSEMBLE = "Nets in the ensemble; by default 10 for the models that survlspin run compares, 1 for others."
OwnMembers = _option("--members", ENSEMBLE, int | None, MODEL, min=1)
OwnContext = _option("--context", "A column that the gates may see; may be repeated. None: all.", Names, MODEL)
Setting = _option("--set", "Another setting of the model, NAME=VALUE; may be repeated.", Names, MODEL)
OwnSeed = _option("--seed", "Decides every random number.", int, MODEL, min=0)
OwnForce = _option("--force", "Accept fewer than 10 events and suspect values.", bool, MODEL)
Test = _option("--test", "Share of the rows to set apart and judge the model on.", float, MODEL, min=0.0, max=0.9)
OwnOut = _option("--out", "Folder for the model and its tables; files of the same names are replaced.", Path)

RECIPE = "The recipe"


class Delimiter(StrEnum):
    """What separates the cells of an export."""

    tab = "tab"
    comma = "comma"
    semicolon = "semicolon"


class Engine(StrEnum):
    """What parses an export; the answer is the same."""

    pandas = "pandas"
    polars = "polars"


Export = Annotated[
    Path | None, typer.Argument(metavar="EXPORT", help="The export of a registry, or a table.", show_default=False)
]
Checked = Annotated[Path, typer.Argument(metavar="FILE", help="An export, a table, or a cohort.", show_default=False)]
Dic = _option("--dic", "The .dic of an export; by default the one beside it.", Path | None, FILE)
Sas = _option("--sas", "The .sas of a fixed-width file; by default the one beside it.", Path | None, FILE)
FileEncoding = _option("--encoding", "Of the file; by default found, or as the recipe says.", panel=FILE)
Separated = _option(
    "--delimiter", "Between cells; by default found, or as the .dic or recipe says.", Delimiter | None, FILE
)
ParsedBy = _option("--engine", "What parses an export; the cohort is the same.", Engine, FILE)
Cache = _option(
    "--cache", "A folder for a copy of the export that is read faster. It holds patients.", Path | None, FILE
)
Quarantine = _option("--max-quarantine", "Largest share of lines that cannot be read.", float, FILE, min=0.0, max=1.0)
Recipe = _option("--recipe", "A name that --recipes lists, or the path of a .toml file.", panel=RECIPE)
Recipes = _option("--recipes", "List the recipes, their outcomes and switches.", bool, RECIPE)
Outcome = _option("--outcome", "One of the recipe's outcomes; by default its first.", panel=RECIPE)
Switch = _option("--set", "A switch of the recipe, NAME=VALUE; may be repeated.", Names, RECIPE)
Alias = _option("--alias", "What a column is called here, FIELD=HEADER; may be repeated.", Names, RECIPE)
NoiseSeed = _option("--seed", "Of the noise columns that a recipe may have.", int, RECIPE, min=0)
MinCell = _option("--min-cell", "The flow shows no number from 1 to this less 1; 1 hides nothing.", int, None, min=1)
CohortOut = Annotated[Path, typer.Option("-o", "--out", help="The cohort, .parquet; the flow and manifest beside it.")]

Reported = Annotated[
    Path,
    typer.Argument(
        metavar="STORE|MODEL",
        help="The folder that --store of survlspin run named, or --out of survlspin fit.",
        show_default=False,
    ),
]
JudgedOn = _option(
    "--data",
    "Of a model, the patients to judge it on; by default those it was made from. Of a study, where its file is now.",
    Path | None,
    FILE,
)
REPORT = "What is shown"
Unit = _option("--unit", "Of time, as months, where the data do not say it.", panel=REPORT)
Reached = _option("--horizon", "Time by which the event is predicted; may be repeated.", list[float], REPORT)
Thresholds = _option(
    "--thresholds",
    "Probabilities from which one would act, as .1,.2,.4: decision curves are drawn at these, and not without.",
    panel=REPORT,
)
Subgroup = _option("--subgroup", "A column of few groups, to be judged by; may be repeated.", Names, REPORT)
LeastShown = _option(
    "--min-cell",
    "Counts from 1 to this less 1 are hidden; by default 11 of a cohort whose licence forbids release, else none.",
    int | None,
    REPORT,
    min=1,
)
ReportOut = _option("--out", "Folder for the report; files of the same names are replaced.", Path)
Verified = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="A saved model, or the store of a study.", show_default=False)
]
Kept = Annotated[Path, typer.Argument(metavar="STORE", help="The folder that --store named.", show_default=False)]
Moved = _option("--data", "Where the file is now, if it has been moved; its content must be the same.", Path | None)
StorageAgain = _option("--storage", "Database of the trials, if its URL has a password: that is not kept.")
Elsewhere = _option("--out", "Folder for the results; by default that of the first call.", Path | None)

OneModel = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help="A saved model, or the folder of survlspin fit or run --store.", show_default=False
    ),
]
LocalFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="A file of survlspin factors export.", show_default=False)
]
Explained = _option("--data", "The patients; by default those that the model was made from.", Path | None, FILE)
Foreseen = _option(
    "--horizon", "Time by which each patient's probability of the event is wanted; may be repeated.", list[float]
)
LeastPublished = _option("--min-cell", "The smallest count that may be known; usual are 5, 11 and 16.", int)
PublicOut = _option("--out", "Folder for the tables; files of the same names are replaced.", Path)
LocalOut = _option("--out", "Folder for the files, for you alone.", Path)
Seen = _option(
    "--patient", "What a patient is called in the column of --id, or the number of the row; may be repeated.", Names
)
