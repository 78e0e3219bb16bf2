"""The files of an invented export: the data in one of four forms, and the .dic or .sas beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from survlspin.cohort.codebook import Codebook
from survlspin.errors import InputError
from survlspin.synthetic.seer_cells import printed
from survlspin.synthetic.seer_files import (
    DELIMITERS,
    Printed,
    broken_plan,
    dic_text,
    export_options,
    sas_text,
    write_lines,
)
from survlspin.synthetic.seer_layout import FIXED, RECORD, Submission
from survlspin.synthetic.seer_states import Recorded

__all__ = ["MISSING", "Manner", "written"]

MISSING = {"space": " ", "period": "."}
PRIVATE = 0o600
DASH = ("NOS  ", "NOS – ")  # SEER*Stat's labels have dashes beyond ASCII


@dataclass(frozen=True)
class Manner:
    """How an export is written; the parameters of `seer_export`."""

    form: str
    delimiter: str
    header: bool
    gz: bool
    broken: int
    bom: bool
    encoding: str
    missing: str

    @property
    def name(self) -> str:
        """The name of the data file."""
        if self.form == "fixed":
            return "BREAST.TXT"
        return ("export.txt" if self.delimiter == "tab" else "export.csv") + (".gz" if self.gz else "")


def written(
    folder: Path, recorded: Recorded, patients: np.ndarray, book: Codebook, said: Submission, how: Manner, seed: int
) -> tuple[Path, Path | None, Path | None, tuple[int, ...]]:
    """Write the export and what belongs to it.

    Returns
    -------
    path, dic, sas : Path or None
    broken_lines : tuple of int

    Raises
    ------
    InputError
        SL-458 the folder cannot be written to.
    """
    fixed = how.form == "fixed"
    path, dic, sas = folder / how.name, folder / "export.dic", folder / "read.seer.research.nov2018.sas"
    columns = [*_columns(recorded, patients, book, said, how, seed)]
    first = 1 if fixed or not how.header else 2
    broken = broken_plan(np.random.default_rng([seed, 1]), len(patients), how.broken, first)
    try:
        if fixed:
            _write_fixed(path, sas, columns, broken, how)
        else:
            _write_listing(path, dic, columns, broken, said, how)
        for file in (path, sas if fixed else dic):
            file.chmod(PRIVATE)
    except OSError as error:
        found = f"{folder} cannot be written to: {error.strerror}."
        raise InputError("SL-458", found, "Give a folder that exists and is yours.") from error
    return path, None if fixed else dic, sas if fixed else None, tuple(sorted(broken))


def _columns(
    recorded: Recorded, patients: np.ndarray, book: Codebook, said: Submission, how: Manner, seed: int
) -> Iterator[Printed]:
    """Each column printed; cells of the same meaning are drawn alike for the forms that have them."""
    for number, name in enumerate(FIXED if how.form == "fixed" else said.fields):
        if name == "patient_id":
            yield Printed(book[name].title, np.arange(len(patients)), list(patients), {})
        else:
            rng = np.random.default_rng([seed, 2, number])
            yield printed(name, book[name], recorded, how.form, said, rng)


def _write_listing(
    path: Path, dic: Path, columns: list[Printed], broken: dict[int, str], said: Submission, how: Manner
) -> None:
    mark = DELIMITERS[how.delimiter]
    cells = [
        Printed(column.name, column.codes, [_cell(text, mark, how) for text in column.texts], {}) for column in columns
    ]
    header = [_cell(column.name, mark, how) for column in columns] if how.header else None
    write_lines(path, cells, mark, header, broken, gz=how.gz, bom=how.bom, encoding=how.encoding)
    options = export_options(how.form, how.delimiter, how.header, how.gz, how.missing)
    cutoff, codes = f"12/{said.last}", how.form == "unformatted"
    text = dic_text(columns, output=how.name, database=said.database, cutoff=cutoff, options=options, unformatted=codes)
    dic.write_bytes(text.replace(*DASH).encode(how.encoding))


def _write_fixed(path: Path, sas: Path, columns: list[Printed], broken: dict[int, str], how: Manner) -> None:
    """The columns of the layout with blanks between them."""
    cells, end = [], 1
    for column, (_, start, width) in zip(columns, FIXED.values(), strict=True):
        texts = [" " * (start - end) + text.ljust(width) for text in column.texts]
        cells.append(Printed(column.name, column.codes, texts, {}))
        end = start + width
    rest = np.zeros(len(columns[0].codes), np.int8)
    cells.append(Printed("", rest, [" " * (RECORD - end + 1)], {}))
    write_lines(path, cells, "", None, broken, gz=how.gz, encoding=how.encoding)
    titles = (column.name for column in columns)
    places = [(start, width, name, title) for (name, start, width), title in zip(FIXED.values(), titles, strict=True)]
    sas.write_bytes(sas_text(places, RECORD, f"./yr1975_2016.seer9/{how.name}").encode(how.encoding))


def _cell(text: str, mark: str, how: Manner) -> str:
    text = text.replace(*DASH) or MISSING[how.missing]
    quoted = how.form == "quoted" or mark in text
    return f'"{text}"' if quoted else text
