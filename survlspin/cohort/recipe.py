"""Recipes: which fields become which columns and outcomes, and which records are left out, as a TOML file.

The dataclasses are the schema: the attributes of `Recipe` and of its parts are the keys of the file. A recipe is
checked as a whole when it is read: every name in it must exist, every switch must change something.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from survlspin import _shipped
from survlspin._messages import listed, nearest
from survlspin.cohort.checks import check, check_switches
from survlspin.cohort.codebook import Codebook
from survlspin.cohort.parts import Check, Column, Derived, File, Noise, Outcome, Rare, Rule, Scale, Switch, active, same
from survlspin.cohort.schema import build
from survlspin.errors import InputError

__all__ = ["Choice", "Recipe", "load_recipe", "recipes"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A recipe, read and checked; made by `load_recipe`.

    Attributes
    ----------
    name, title, text, card, licence, citation, url, expected_rows : str
        What it is, of which data.
    source : {"seer", "table"}
    codebook : str
        The name of the code book (seer).
    submissions : tuple of str
        The submissions whose labels are known (seer); empty: any.
    unit : str
        Of times.
    patient : str
        The field that tells patients apart; empty: every row is a patient.
    order : tuple of str
        Number or category fields by which a patient's records are sorted.
    person : tuple of str
        Fields that must be the same in all records of a patient; by default "sex" and "vital" where there are such.
    year : str
        The field by which coverage is reported.
    switches, fields, codes, derive, rules, outcomes, columns, checks, noise, rare, scale, file
        The tables of the file.
    book : Codebook
    digest : str
        SHA-256 of the file.
    """

    name: str
    source: str
    outcomes: dict[str, Outcome]
    columns: tuple[Column, ...]
    title: str = ""
    text: str = ""
    codebook: str = ""
    submissions: tuple[str, ...] = ()
    card: str = ""
    licence: str = ""
    citation: str = ""
    url: str = ""
    expected_rows: str = ""
    unit: str = "months"
    patient: str = ""
    order: tuple[str, ...] = ()
    person: tuple[str, ...] = ()
    year: str = "year"
    switches: dict[str, Switch] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, Any] = field(default_factory=dict)
    derive: tuple[Derived, ...] = ()
    rules: tuple[Rule, ...] = ()
    checks: tuple[Check, ...] = ()
    noise: Noise | None = None
    rare: Rare | None = None
    scale: Scale | None = None
    file: File = field(default_factory=File)
    book: Codebook = field(default_factory=lambda: Codebook(""), metadata={"key": ""}, repr=False)
    digest: str = field(default="", metadata={"key": ""})

    @property
    def parts(self) -> list[Any]:
        """Everything that may depend on a switch."""
        several = (*self.derive, *self.rules, *self.outcomes.values(), *self.columns, *self.checks)
        inner = (rule for outcome in self.outcomes.values() for rule in outcome.rules)
        return [*several, *inner, *(part for part in (self.noise, self.rare, self.scale) if part is not None)]

    def choose(self, switches: Mapping[str, Any] = {}, outcome: str | None = None) -> Choice:
        """Settle the switches and the outcome.

        Parameters
        ----------
        switches : dict
            Switch -> value; the others have their defaults. ``"true"``, ``"3"`` stand for ``true``, ``3`` as well.
        outcome : str, optional
            By default the first one that the switches allow.

        Raises
        ------
        InputError
            SL-588 an unknown switch, value or outcome.
        """
        settled = {name: switch.default for name, switch in self.switches.items()}
        for name, value in switches.items():
            if name not in settled:
                found = f"recipe {self.name!r} has no switch {name!r}{nearest(str(name), settled)}."
                raise InputError("SL-588", found, f"Switches: {listed(settled, 20) or 'none'}.")
            settled[name] = _value(name, self.switches[name], value)
        allowed = {name: each for name, each in self.outcomes.items() if active(each.when, settled)}
        chosen = next(iter(allowed), None) if outcome is None else outcome
        if chosen is None:
            raise InputError("SL-588", f"recipe {self.name!r} has no outcome with these switches.", "Change one.")
        if chosen not in allowed:
            found = f"recipe {self.name!r} has no outcome {chosen!r}{nearest(str(chosen), allowed)}."
            raise InputError("SL-588", found, f"Outcomes with these switches: {listed(allowed)}.")
        return Choice(self, settled, chosen)


@dataclass(frozen=True)
class Choice:
    """A recipe with its switches and outcome settled.

    Attributes
    ----------
    recipe : Recipe
    switches : dict
        Value of every switch.
    name : str
        Of the outcome.
    """

    recipe: Recipe
    switches: dict[str, Any]
    name: str

    @property
    def outcome(self) -> Outcome:
        return self.recipe.outcomes[self.name]

    @property
    def derive(self) -> dict[str, Derived]:
        """The derived fields by name, in their order."""
        return {each.name: each for each in self._active(self.recipe.derive)}

    @property
    def rules(self) -> list[Rule]:
        """The recipe's rules, then the outcome's."""
        return self._active((*self.recipe.rules, *self.outcome.rules))

    @property
    def columns(self) -> list[Column]:
        return self._active(self.recipe.columns)

    @property
    def checks(self) -> list[Check]:
        return self._active(self.recipe.checks)

    @property
    def noise(self) -> Noise | None:
        return next(iter(self._active([self.recipe.noise])), None)

    @property
    def rare(self) -> Rare | None:
        return next(iter(self._active([self.recipe.rare])), None)

    @property
    def scale(self) -> Scale | None:
        return next(iter(self._active([self.recipe.scale])), None)

    def bases(self, name: str) -> set[str]:
        """The fields of the code book that a field is made of."""
        if name not in self.derive:
            return {name}
        return {base for need in self.derive[name].step.needs for base in self.bases(need)}

    def _active(self, parts: Iterable[Any]) -> list[Any]:
        return [part for part in parts if part is not None and active(part.when, self.switches)]


def _value(name: str, switch: Switch, value: Any) -> Any:
    for known in switch.values:
        if same(value, known) or (isinstance(value, str) and value == str(known).lower()):
            return known
    remedy = f"It may be {listed(switch.values)}."
    raise InputError(
        "SL-588", f"{name}={value!r} is no value of this switch{nearest(str(value), switch.values)}.", remedy
    )


def recipes() -> list[str]:
    """The names of the recipes that come with the package.

    Examples
    --------
    >>> "gbsg2" in recipes()
    True
    """
    return _shipped.names("recipes")


def load_recipe(name: str | Path) -> Recipe:
    """Read and check a recipe.

    Parameters
    ----------
    name : str or Path
        One of `recipes()`, or the path of a TOML file.

    Returns
    -------
    Recipe

    Raises
    ------
    InputError
        SL-583 no such recipe, or no TOML; SL-584 an unknown key; SL-585 a value of the wrong type, or a part that says
        nothing; SL-586 a name that is not there; SL-587 a switch that changes nothing; SL-592 a predictor that would
        know the future; SL-576 a mistake in the code book.

    Examples
    --------
    >>> load_recipe("gbsg2").unit
    'days'
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = _shipped.shipped("recipes") / f"{name}.toml"
    try:
        raw = path.read_bytes()
        table = tomllib.loads(raw.decode("utf-8"))
    except OSError as error:
        found = f"there is no recipe {str(name)!r}{nearest(str(name), recipes())}."
        raise InputError("SL-583", found, f"Shipped: {listed(recipes(), 20)}; or the path of a .toml file.") from error
    except ValueError as error:
        raise InputError("SL-583", f"{path.name} is no TOML file: {error}.", "Mend it.") from error
    recipe = build(Recipe, table, path.stem)
    check_switches(recipe)
    recipe = replace(recipe, book=_book(recipe), digest=hashlib.sha256(raw).hexdigest())
    check(recipe)
    return recipe


def _book(recipe: Recipe) -> Codebook:
    """The code book of the recipe: a shipped one with codes added, or its own fields."""
    if recipe.source == "seer":
        if recipe.fields:
            raise InputError("SL-585", f"{recipe.name}.fields is for tables.", "Extend the code book: [[codes.FIELD]].")
        return Codebook.load(recipe.codebook).with_codes(recipe.codes)
    if recipe.source == "table":
        if recipe.codes or recipe.codebook:
            raise InputError("SL-585", f"{recipe.name} has codes or a codebook.", "A table has its codes in fields.")
        return Codebook.of({"name": recipe.name, "fields": recipe.fields})
    raise InputError("SL-585", f"{recipe.name}.source is {recipe.source!r}.", "It is 'seer' or 'table'.")
