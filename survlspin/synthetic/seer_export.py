"""Invented SEER*Stat exports: what a user would get from the registry, of patients whose truth is known."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from survlspin._messages import nearest
from survlspin.cohort.codebook import Codebook
from survlspin.errors import InputError
from survlspin.synthetic.seer_cells import FORMS
from survlspin.synthetic.seer_expected import expected_events, expected_fails, expected_flow
from survlspin.synthetic.seer_extent import record_extent
from survlspin.synthetic.seer_files import DELIMITERS
from survlspin.synthetic.seer_layout import SUBMISSIONS, Submission
from survlspin.synthetic.seer_patients import check_drawing
from survlspin.synthetic.seer_records import draw_records
from survlspin.synthetic.seer_states import NUMBER, Dirt, Recorded, record_people
from survlspin.synthetic.seer_sweep import sweep
from survlspin.synthetic.seer_writing import MISSING, Manner, written

__all__ = ["SeerExport", "seer_export"]

LEAST = 100  # records
COPIES = 1e-4  # of the records occur twice
ENCODINGS = ("cp1252", "utf-8")


@dataclass(frozen=True, eq=False)
class SeerExport:
    """An invented export and its truth.

    Attributes
    ----------
    path : Path
        The export.
    dic, sas : Path or None
        The files beside it: the .dic of a case listing, the .sas of a fixed-width file.
    truth : DataFrame (n, ...)
        A row per whole line of the export, in its order: ``patient``, ``subgroup``, ``log_hazard``, ``factor_NAME``,
        the true values (``sex``, ``age``, ``year``, ``size_mm``, ...), and ``copy``: an exact copy of an earlier
        line.
    broken_lines : tuple of int
        Numbers of the lines that are broken, from 1.
    recorded : Recorded
        What the registry recorded of each, before it was printed.
    """

    path: Path
    dic: Path | None
    sas: Path | None
    truth: pd.DataFrame = field(repr=False)
    broken_lines: tuple[int, ...]
    recorded: Recorded = field(repr=False)

    def fails(self, recipe: str, outcome: str = "os") -> pd.DataFrame:
        """Return which records must fail which rule of a shipped SEER recipe: bool (n, rules), in the rules' order."""
        return expected_fails(self.recorded, self.truth["copy"].to_numpy(), recipe, outcome)

    def analysed(self, recipe: str, outcome: str = "os") -> pd.DataFrame:
        """Return the truth of the records that the recipe keeps, in the order of its cohort's rows."""
        kept = ~self.fails(recipe, outcome).any(axis=1).to_numpy()
        known = self.recorded.states["sequence"].is_in(NUMBER)
        order = np.where(known, self.recorded.numbers["sequence"], np.inf)  # what is not known comes last
        place = np.lexsort([order, self.truth["year"], self.truth["patient"]])
        return self.truth.iloc[place[kept[place]]].reset_index(drop=True)

    def flow(self, recipe: str, outcome: str = "os") -> pd.DataFrame:
        """Return the counts that the recipe's flow must have: see `expected_flow`."""
        event = expected_events(self.recorded, recipe, outcome)
        return expected_flow(self.fails(recipe, outcome), self.truth["patient"].to_numpy(), event)


def seer_export(
    folder: str | Path,
    n: int = 20_000,
    *,
    mode: str = "hetero",
    form: str = "labels",
    delimiter: str = "tab",
    header: bool = True,
    gz: bool = False,
    submission: str = "nov2018",
    years: tuple[int, int] | None = None,
    dirt: float = 1.0,
    broken: int = 0,
    bom: bool = False,
    encoding: str = "cp1252",
    missing: str = "space",
    random_state: int = 0,
) -> SeerExport:
    """Write an invented SEER*Stat export of breast tumours.

    One `random_state` with the same n, mode, submission, years and dirt gives the same records in every form: whatever
    is made of them is the same. No registry's record was used; shares and rates come from published tables, and are
    guesses where there is none. The hazard of a patient's first tumour holds until the second one, then that one's.

    Parameters
    ----------
    folder : path
        An existing folder. Files of an earlier export there are replaced.
    n : int
        Records, at least 100: of women and men, invasive and in situ, 8 % of them second tumours of a patient. Of
        1,010,000 the recipe seer-breast-lspin2022 keeps about the 538,000 of the paper. From 2,000 on every code of
        the code book occurs that the submission's columns can have.
    mode : {"hetero", "homog", "null", "nonlinear"}
        As in `seer_patients`.
    form : {"labels", "quoted", "unformatted", "fixed"}
        Labels, labels in quotes, SEER*Stat's codes, or the fixed-width file of the submission of November 2018.
    delimiter : {"tab", "comma", "semicolon"}
    header : bool
        Whether the first line has the names; the .dic has them anyway.
    gz : bool
        Pack the export with gzip.
    submission : {"nov2018", "nov2020", "nov2025"}
        Decides columns and headers; follow-up ends in 2016, 2018 or 2023.
    years : (int, int), optional
        First and last year of diagnosis, from 1988; by default 2000 to the end of follow-up.
    dirt : float
        Multiplies the rates of what is unknown, special or copied; 0: every value is known.
    broken : int
        Lines that are cut, too long, or have a stray quote or control character, besides the n; the last one ends
        within the file's last line.
    bom : bool
        Begin with the mark of UTF-8, which `encoding` must be then.
    encoding : {"cp1252", "utf-8"}
    missing : {"space", "period"}
        What stands in an empty cell.
    random_state : int

    Returns
    -------
    SeerExport

    Raises
    ------
    InputError
        SL-453 an unknown mode, SL-454 n or years out of range, SL-455 another unknown setting, SL-456 settings that
        contradict each other, SL-457 dirt or broken out of range, SL-458 the folder cannot be written to, SL-459 a
        random_state that is no whole number.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     export = seer_export(folder, 500, delimiter="comma")
    ...     len(export.truth), export.path.name, export.dic.name
    (501, 'export.csv', 'export.dic')
    """
    chosen = {"form": (form, FORMS), "delimiter": (delimiter, DELIMITERS), "submission": (submission, SUBMISSIONS)}
    _check_choices(chosen | {"encoding": (encoding, ENCODINGS), "missing": (missing, MISSING)})
    said = SUBMISSIONS[submission]
    years = (2000, said.last) if years is None else tuple(years)
    check_drawing(n, mode, years)
    _check_numbers(n, years, said, dirt, broken, random_state)
    how = Manner(form, delimiter, header, gz, int(broken), bom, encoding, missing)
    _check_together(how, submission)
    book = Codebook.load("seer-breast")
    clean, recorded = _records(int(n), mode, years, book, said, dirt, random_state)
    files = written(Path(folder), recorded, clean["patient"].to_numpy(), book, said, how, random_state)
    return SeerExport(*files[:3], clean, files[3], recorded)


def _records(
    n: int, mode: str, years: tuple[int, int], book: Codebook, said: Submission, dirt: float, seed: int
) -> tuple[pd.DataFrame, Recorded]:
    """The true values of every record, copies at the end, and what is recorded of them."""
    rng = np.random.default_rng(seed)
    clean = draw_records(rng, n, mode, years)
    drawn = Dirt(rng, n, dirt)
    recorded = record_people(drawn, clean, said.oldest)
    record_extent(drawn, clean, recorded)
    sweep(rng, recorded, book, said.fields[1:], dirt)
    rows = np.append(np.arange(n), rng.choice(n, math.ceil(COPIES * dirt * n), replace=False))
    copy = np.arange(len(rows)) >= n
    return clean.iloc[rows].reset_index(drop=True).assign(copy=copy), recorded.take(rows)


def _check_choices(chosen: dict[str, tuple]) -> None:
    for name, (given, known) in chosen.items():
        if given not in known:
            found = f"{name} is {given!r}{nearest(str(given), known)}."
            raise InputError("SL-455", found, f"Choose one of {', '.join(known)}.")


def _check_numbers(n: int, years: tuple[int, int], said: Submission, dirt: float, broken: int, seed: int) -> None:
    if n < LEAST or years[1] > said.last:
        found = f"n={n}, years={years}."
        raise InputError("SL-454", found, f"n is at least {LEAST}; years end in {said.last} at the latest.")
    if not 0 <= dirt <= 10 or not 0 <= broken <= n or broken % 1:
        found = f"dirt={dirt}, broken={broken}."
        raise InputError("SL-457", found, "dirt is from 0 to 10, broken a whole number from 0 to n.")
    if not isinstance(seed, int | np.integer) or seed < 0:
        found = f"random_state is {seed!r}."
        raise InputError("SL-459", found, "Give a whole number from 0 on: it makes the export again.")


def _check_together(how: Manner, submission: str) -> None:
    if how.form == "fixed" and submission != "nov2018":
        found = f"form 'fixed' with submission {submission!r}."
        raise InputError("SL-456", found, "Fixed-width files ended with nov2018.")
    if how.bom and (how.encoding != "utf-8" or how.form == "fixed"):
        found = f"bom=True with encoding {how.encoding!r} and form {how.form!r}."
        raise InputError("SL-456", found, "The mark of UTF-8 stands before delimited text in utf-8.")
