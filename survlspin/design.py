"""From a table of patients to the design matrix, coded so that the reference patient is 0, and back to its units."""

import warnings
from collections.abc import Hashable, Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from survlspin._columns import Variable, each, fit_variable
from survlspin._messages import listed, nearest
from survlspin._usual import Odd, Usual, said
from survlspin.errors import InputError, InputTypeError, InputWarning

__all__ = ["Design"]


class Design:
    """A fitted encoder of predictors; made by `Design.fit`.

    Attributes
    ----------
    columns : tuple of str (p,)
        Columns of the matrix: ``"age"``, ``"grade[II]"``.
    factors : tuple of str (G,)
        What gates open and tables list: the variables, or the columns with ``groups="column"``.
    group : int array (p,)
        The factor of each column.
    reference : Series, factor -> value
        The reference patient in the units of the table: mean of numbers, modal value of flags and categories.
        With ``coding="onehot"`` no patient is 0 in a category: its reference is None.
    center, scale : float64 arrays (p,)
        A number x enters as ``(x - center) / scale``; 0 and 1 for the columns of categories.
    dropped : dict
        Input columns left out, and why.
    notes : tuple of str
        Columns that carry the same information.
    n_features_in_ : int
    feature_names_in_ : tuple of str, or None if fitted on an array, whose variables are called x0, x1, ...
    unseen : level or None
        What levels that training had not count as; see `take_unseen_as`.
    """

    unseen: Hashable = None

    def __init__(self, variables, groups, dropped, notes, n_features_in, feature_names_in):
        self.variables: tuple[Variable, ...] = tuple(variables)
        self.groups = groups
        self.dropped: dict[str, str] = dropped
        self.notes: tuple[str, ...] = tuple(notes)
        self.n_features_in_: int = n_features_in
        self.feature_names_in_: tuple[str, ...] | None = feature_names_in
        self.columns = tuple(column for variable in self.variables for column in variable.columns)
        self._owner = np.repeat(np.arange(len(self.variables)), [len(v.columns) for v in self.variables])
        self.center = np.array([self.variables[i].center for i in self._owner])
        self.scale = np.array([self.variables[i].scale for i in self._owner])
        if groups == "factor":
            self.factors = tuple(variable.name for variable in self.variables)
            self.group = self._owner
            reference = [variable.reference for variable in self.variables]
        else:
            self.factors = self.columns
            self.group = np.arange(len(self.columns))
            owners = (self.variables[i] for i in self._owner)
            reference = [owner.reference if owner.levels is None else False for owner in owners]
        self.reference = pd.Series(reference, index=list(self.factors), dtype=object, name="reference")

    @classmethod
    def fit(cls, X, *, weight=None, standardize=True, groups="factor", coding="reference", force=False) -> "Design":
        """Learn the coding of every column.

        Parameters
        ----------
        X : DataFrame or array (n, variables)
            Numbers, flags and categories, of any NumPy, nullable, sparse or Arrow type; text counts as categories.
            ``X.attrs["units"]`` (variable -> unit), which the X of a cohort has, is kept.
        weight : array (n,), optional
            Case weights for means, spreads and modes. Rows of weight 0 are not looked at.
        standardize : bool
            Divide numbers by their standard deviation, and flags by the distance of their two values. False only
            subtracts the reference.
        groups : {"factor", "column"}
            One factor per variable, or one per column of the matrix.
        coding : {"reference", "onehot"}
            Columns for all levels but the modal one, or (as in the paper) for all levels.
        force : bool
            Take values that look like mistakes (a million spreads away from the rest).

        Returns
        -------
        Design

        Raises
        ------
        InputError, InputTypeError
            With a code SL-201 to SL-212 or SL-219.

        Examples
        --------
        >>> import pandas as pd
        >>> X = pd.DataFrame({"age": [40, 50, 60], "grade": ["II", "I", "II"]})
        >>> design = Design.fit(X)
        >>> design.columns
        ('age', 'grade[I]')
        >>> design.transform(X)[:, 1]
        array([0., 1., 0.], dtype=float32)
        """
        for name, value, known in (
            ("groups", groups, ("factor", "column")),
            ("coding", coding, ("reference", "onehot")),
        ):
            if value not in known:
                raise InputError("SL-219", f"{name}={value!r}.", f"It may be {known[0]!r} or {known[1]!r}.")
        table, named = _table(X)
        n_features = table.shape[1]
        names = tuple(table.columns) if named else None
        if weight is not None and not (present := (weight := np.asarray(weight)) > 0).all():
            table, weight = table[present], weight[present]
        if table.empty:
            raise InputError("SL-201", f"X has {len(table)} rows and {n_features} columns.", "There is nothing to fit.")
        if len(table) < 3:
            raise InputError("SL-202", f"X has too few rows to learn from: {len(table)}.")
        probe = np.random.default_rng(0).standard_normal((len(table), 2)) / np.sqrt(len(table))

        def work(name, series):
            return fit_variable(name, series, weight, probe, standardize=standardize, coding=coding, force=force)

        fitted = dict(zip(table.columns, each(table.items(), work), strict=True))
        dropped = {name: "constant" for name, pair in fitted.items() if pair is None}
        pairs = [pair for pair in fitted.values() if pair is not None]
        if not pairs:
            raise InputError("SL-201", "X has only constant columns.", "There is nothing to fit.")
        units = table.attrs.get("units", {})
        variables = [replace(variable, unit=units.get(variable.name, "")) for variable, _ in pairs]
        design = cls(variables, groups, dropped, (), n_features, names)
        _refuse_repeated(design.columns)
        design.notes = tuple(design._twins(np.concatenate([against for _, against in pairs])))
        return design

    def transform(self, X, dtype=np.float32) -> np.ndarray:
        """The design matrix of `X`: `dtype` (n, p), C-contiguous, freshly made.

        Columns of `X` are found by name: their order is free, further ones are ignored (`review` counts them). Rows
        with missing cells are refused.

        Raises
        ------
        InputError
            SL-205 to SL-211 for unusable cells, SL-213 for absent columns, SL-214 for unseen levels, SL-218 where
            columns cannot be matched.

        Warns
        -----
        InputWarning
            SL-690 for numbers that lie where hardly any training row does, as in another unit (see `review`); SL-691
            for unseen levels that count as another one.
        """
        table = self._complete(X)
        coded, odd = self._coded(table, dtype)
        usual = {variable.name: variable.usual for variable in self.variables}
        if found := said(odd, usual, len(table)):
            remedy = "Are they in the unit of the training data? Predictions there are extrapolations."
            warnings.warn(InputWarning("SL-690", f"{listed(found)}.", remedy), stacklevel=3)
        if unseen := [f"{name!r} in {each.unseen} rows" for name, each in odd.items() if each.unseen]:
            found = f"levels that training had not count as {self.unseen!r}: {listed(unseen)}."
            warnings.warn(InputWarning("SL-691", found), stacklevel=3)
        return np.ascontiguousarray(coded.T)

    def review(self, X) -> pd.DataFrame:
        """Compare rows to predict for with those of training: a row per column of `X`, which `transform` must accept.

        Returns
        -------
        DataFrame
            Indexed by column: ``use`` ("predictor"; "ignored" for further columns), ``unit``, ``low`` and ``high`` (1st
            and 99th percentile of training, rounded outwards), ``outside`` (rows outside of these), ``gross`` (rows
            farther outside than twice the width of that range, and than ten times as far as any training row),
            ``unseen`` (rows whose level counts as another), ``doubtful``: whether `transform` warns, because a row is
            grossly outside, or at least 10 rows and more than a quarter are outside, as 2 % of the training rows are.

        Examples
        --------
        >>> X = pd.DataFrame({"age": np.linspace(40, 80, 200), "grade": ["I", "II"] * 100})
        >>> months = X.assign(age=12 * X["age"], note="")
        >>> Design.fit(X).review(months)[["use", "low", "high", "gross", "doubtful"]]
                     use   low  high  gross  doubtful
        age    predictor  40.2  79.8    200      True
        grade  predictor   NaN   NaN      0     False
        note     ignored   NaN   NaN      0     False
        """
        table = self._complete(X)
        _, odd = self._coded(table, np.float32)
        known = {variable.name: variable for variable in self.variables}
        names = [*known, *(name for name in table if name not in known)]
        rows = []
        for name in names:
            variable, each = known.get(name), odd.get(name, Odd())
            usual = getattr(variable, "usual", None) or Usual(np.nan, np.nan, np.nan)
            use, unit = ("ignored", "") if variable is None else ("predictor", variable.unit)
            rows.append((use, unit, usual.low, usual.high, *each, each.doubtful(len(table))))
        return pd.DataFrame(rows, index=names, columns=["use", "unit", "low", "high", *Odd._fields, "doubtful"])

    def take_unseen_as(self, level: Hashable) -> None:
        """Count levels that training had not as `level`, as "Unknown", wherever training had that; None: refuse them.

        Variables without that level refuse unseen ones as before. Every use is counted in a warning (SL-691). A saved
        model does not keep it: `survlspin.load` has an argument for it.

        Raises
        ------
        InputError
            SL-692 where no variable has the level.
        """
        levels = {known for variable in self.variables if variable.levels is not None for known in variable.levels}
        if level is not None and level not in levels:
            hint = nearest(str(level), levels)
            raise InputError(
                "SL-692", f"no variable of the model has a level {level!r}{hint}.", "Name one of training."
            )
        self.unseen = level

    def values(self, X) -> pd.DataFrame:
        """The values of every factor in the units of the table, (n, G), with the index of `X`.

        With ``groups="column"`` the columns of a category are flags.
        """
        table = self._complete(X)
        if self.groups == "factor":
            return table[[variable.name for variable in self.variables]]
        values = {}
        for variable in self.variables:
            if variable.levels is None:
                values[variable.name] = table[variable.name].array
            else:
                place = variable.place[variable.codes(table[variable.name], self.unseen)[0]]
                values |= {column: place == j for j, column in enumerate(variable.columns)}
        return pd.DataFrame(values, index=table.index)

    def index(self, X) -> pd.Index:
        """The index of the rows of `X`; 0, 1, ... for arrays."""
        return _table(X)[0].index

    def column_index(self, names: str | Iterable[str]) -> np.ndarray:
        """Positions of the columns that the named input variables have in the matrix.

        Constant variables have none. Names that are no input variable raise InputError SL-217.
        """
        names = [names] if isinstance(names, str) else list(names)
        known = [variable.name for variable in self.variables]
        for name in names:
            if name not in known and name not in self.dropped:
                hint = nearest(str(name), [*known, *self.dropped])
                raise InputError("SL-217", f"{name!r} is no variable of the model{hint}.")
        return np.flatnonzero(np.isin(self._owner, [i for i, name in enumerate(known) if name in names]))

    def _coded(self, table: pd.DataFrame, dtype) -> tuple[np.ndarray, dict[str, Odd]]:
        """The matrix, transposed, and for each variable how many cells are unlike those of training."""
        coded = np.zeros((len(self.columns), len(table)), dtype=dtype)
        blocks = np.split(coded, np.flatnonzero(np.diff(self._owner)) + 1)
        block = {variable.name: (variable, out) for variable, out in zip(self.variables, blocks, strict=True)}

        def work(name, series):
            variable, out = block[name]
            return variable.write(series, out, self.unseen)

        odd = each(((name, table[name]) for name in block), work)
        return coded, dict(zip(block, odd, strict=True))

    def _complete(self, X) -> pd.DataFrame:
        """`X` as a DataFrame that has all columns the design uses, under their names."""
        table, named = _table(X)
        if self.feature_names_in_ is None:
            if table.shape[1] != self.n_features_in_:
                found = f"X has {table.shape[1]} columns; the model was fitted on {self.n_features_in_} without names."
                raise InputError("SL-218", found)
            table = _renamed(table, _numbered(table.shape[1]))
        elif not named:
            remedy = "Give a DataFrame with these columns: " + listed(self.feature_names_in_) + "."
            raise InputError("SL-218", "X has no column names; the model was fitted on named columns.", remedy)
        names = [variable.name for variable in self.variables]
        absent = [name for name in names if name not in table.columns]
        if absent:
            strange = [name for name in table.columns if name not in names]
            found = listed(f"{name!r}{nearest(name, strange)}" for name in absent)
            raise InputError("SL-213", f"no column {found}.", "Give the columns the model was fitted on.")
        return table

    def _twins(self, against: np.ndarray) -> list[str]:
        """Notes on pairs of columns that are equal up to sign and unit: then their products with any vector are."""
        against = against * np.sign(against[:, :1])
        order = np.argsort(against[:, 0], kind="stable")
        same = (np.abs(np.diff(against[order], axis=0)) < 1e-9).all(axis=1)
        pairs = sorted(sorted(pair) for pair in zip(order[:-1][same], order[1:][same], strict=True))
        return [
            f"{self.columns[b]!r} carries the same information as {self.columns[a]!r}"
            for a, b in pairs
            if self._owner[a] != self._owner[b]
        ]


def _table(X) -> tuple[pd.DataFrame, bool]:
    """`X` as a DataFrame with columns named by text (not copied), and whether it came with names."""
    if isinstance(X, pd.DataFrame):
        names = [str(name) for name in X.columns]
        _refuse_repeated(names)
        return _renamed(X, names), True
    if hasattr(X, "detach"):  # a tensor, wherever it lives
        X = X.detach().cpu().numpy()
    if hasattr(X, "tocsr"):
        raise InputTypeError("SL-203", "X is a sparse matrix.", "Give X.toarray(), or a DataFrame of sparse columns.")
    X = X if isinstance(X, np.ndarray) else np.asarray(X)
    if X.ndim != 2:
        raise InputTypeError("SL-203", f"X has {X.ndim} dimensions, not rows and columns.", "One variable: X[[name]].")
    return pd.DataFrame(X, columns=_numbered(X.shape[1])), False


def _numbered(p: int) -> list[str]:
    return [f"x{j}" for j in range(p)]


def _renamed(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    table = table.copy(deep=False)  # shares the cells; the caller's table keeps its names
    table.columns = names
    return table


def _refuse_repeated(names: Iterable[str]) -> None:
    index = pd.Index(names)
    if index.has_duplicates:
        repeated = index[index.duplicated()].unique()
        raise InputError("SL-204", f"more than one column is called {listed(map(repr, repeated))}.", "Rename them.")
