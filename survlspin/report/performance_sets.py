"""Which sets of factors patients have, how large they are, and which factors stand in for each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..faithfulness import ALIKE, alike
from . import figures
from .parts import Figure, Section, Table, Text, hidden_counts, stems

if TYPE_CHECKING:
    from ..faithfulness import Card
    from .source import Subject

__all__ = ["redundancy", "selects", "sets"]

TOP = 12  # sets shown; the rest are one row
RELATED = 0.3  # |r| from which factors may stand in for each other where folds select one of them
WORD = 8  # bytes
SAMPLE = 50_000  # rows from which correlations are taken
OTHER = "other set"
LEAD = "Patients of one set share what their prediction rests on."
ALL = "No model tells patients apart by the factors that it uses: there is one set for all."


def sets(subject: Subject) -> Section:
    """Return the section on the patients' sets of factors."""
    parts: list[Text | Table | Figure] = []
    facts: dict[str, Any] = {}
    rows, sizes = [], []
    for model, stem in stems(subject.models).items():
        if subject.runs is not None and not selects(subject, model):
            continue
        counts, names, blocks = _counted(subject, model)
        if len(counts) < 2:  # all patients have all factors
            continue
        frame = _frame(counts, names, blocks, subject.min_cell)
        size = _sizes(counts, blocks)
        rows.append(frame.assign(Model=model)[["Model", *frame.columns]])
        sizes.append(size.assign(Model=model)[["Model", *size.columns]])
        parts.append(_figure(f"factor-sets-{stem}", model, frame, subject.min_cell))
        middle = size["Factors"].to_numpy()[np.searchsorted(size["Share"].cumsum(), 0.5)]
        facts |= {
            f"sets.{model}.distinct": len(counts),
            f"sets.{model}.median": int(middle),
            f"sets.{model}.top": float(frame["Share"].iloc[0]),
        }
    if not rows:
        return Section("sets", "Risk-factor sets", LEAD, [Text((ALL,))])
    note = (
        "The factors that a patient's answer uses, by fits that did not train on the patient; rows per fit, mean over "
        "fits. A set says what a model looked at: associations, not causes."
    )
    formats = {"Factors": "d", "Rows per fit": ",d", "Share": ".3f"}
    count = {"Rows per fit": ("Share",)}
    parts += [
        Table("factor-sets", "Sets of factors", pd.concat(rows, ignore_index=True), note, formats, count, "Model"),
        Table(
            "factor-counts", "Number of factors per patient", pd.concat(sizes, ignore_index=True), note, formats, count,
            "Model",
        ),
    ]  # fmt: skip
    return Section("sets", "Risk-factor sets", LEAD, parts, facts)


def _listed(subject: Subject, model: str) -> Iterator[pd.DataFrame]:
    """Yield, fit by fit, which factors are used for which rows that the fit did not train on."""
    if subject.runs is not None:
        for fit in subject.runs.fits:
            if fit.model == model:
                yield pd.DataFrame(fit.used_at(fit.chosen), columns=fit.share.columns)
    else:
        for judged in subject.models[model]:
            if hasattr(judged.model, "selected"):
                yield judged.model.selected(subject.data.X.iloc[judged.rows])


def _counted(subject: Subject, model: str) -> tuple[Counter, list[str], int]:
    """Return how many rows have each set, as packed bits of the factors' names, over all fits; and how many fits."""
    counts: Counter = Counter()
    names: list[str] = []
    fits = 0
    for frame in _listed(subject, model):
        names += [name for name in frame.columns if name not in names]
        cells = np.zeros((len(frame), len(names)), dtype=bool)
        cells[:, [names.index(name) for name in frame.columns]] = frame.to_numpy()
        for key, n in _tally(np.packbits(cells, axis=1)).items():
            counts[key] += n
        fits += 1
    return counts, [str(name) for name in names], fits


def _tally(packed: np.ndarray) -> dict[bytes, int]:
    """Return how many rows of bytes (n, b) are alike; keys without the zeros at their end."""
    words = np.zeros((len(packed), -(-packed.shape[1] // WORD) * WORD), dtype=np.uint8)
    words[:, : packed.shape[1]] = packed
    counted = pd.DataFrame(words.view(np.uint64)).value_counts(sort=False)
    keys = counted.index.to_frame().to_numpy(np.uint64)
    return {key.tobytes().rstrip(b"\0"): int(n) for key, n in zip(keys, counted, strict=True)}


def _members(key: bytes, names: list[str]) -> list[str]:
    bits = np.unpackbits(np.frombuffer(key.ljust(-(-len(names) // 8), b"\0"), dtype=np.uint8), count=len(names))
    return sorted(name for name, used in zip(names, bits, strict=True) if used)


def _frame(counts: Counter, names: list[str], fits: int, least: int) -> pd.DataFrame:
    """Return the most frequent sets, the rest and those of fewer than `least` rows per fit as one."""
    total = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [(key, n) for key, n in ordered[:TOP] if n / fits >= max(least, 1)]
    rows = [(" + ".join(own := _members(key, names)) or "(none)", len(own), n) for key, n in shown]
    if rest := total - sum(n for _, n in shown):
        rows.append((f"{(others := len(counts) - len(shown)):,} {OTHER}{'s' * (others > 1)}", "", rest))
    return pd.DataFrame(
        {
            "Set": [name for name, _, _ in rows],
            "Factors": pd.Series([size for _, size, _ in rows], dtype=object),
            "Rows per fit": [_whole(n / fits) for *_, n in rows],
            "Share": [n / total for *_, n in rows],
        }
    )


def _sizes(counts: Counter, fits: int) -> pd.DataFrame:
    """Return how many rows have how many factors."""
    sizes: Counter = Counter()
    for key, n in counts.items():
        sizes[int.from_bytes(key, "big").bit_count()] += n
    total = sum(sizes.values())
    ordered = sorted(sizes.items())
    return pd.DataFrame(
        {
            "Factors": [size for size, _ in ordered],
            "Rows per fit": [_whole(n / fits) for _, n in ordered],
            "Share": [n / total for _, n in ordered],
        }
    )


def _whole(n: float) -> int:
    """Return a mean count as a whole number, so that small ones can be hidden."""
    return max(1, round(n))


def _figure(name: str, model: str, frame: pd.DataFrame, least: int) -> Figure:
    frame = frame[~hidden_counts(frame["Rows per fit"], least)]
    share = 100 * frame["Share"].to_numpy()
    labels = [name if len(name) <= 60 else f"{name[:57]} …" for name in frame["Set"]]
    first = (
        f"the most frequent is {labels[0]} with {share[0]:.0f} % of rows" if len(frame) else "all are too rare to show"
    )
    alt = f"Sets of factors of {model}: {first}."

    def draw(figure) -> None:
        figures.bars(figure, labels, share, "% of rows", [f"{value:.1f} %" for value in share])

    return Figure(name, f"Sets of factors, {model}", alt, draw, "", (7.2, 0.9 + 0.3 * len(frame)))


def selects(subject: Subject, model: str) -> bool:
    """Whether any fit of a study's model leaves out a factor that it was offered, for any training patient."""
    return any(bool((f.share.iloc[f.chosen] < 1).any()) for f in subject.runs.fits if f.model == model)


def redundancy(subject: Subject, card: Card) -> Section:
    """Return the section on factors whose columns say the same, as on the card, and that stand in for each other."""
    step = -(-len(subject.data.X) // SAMPLE)
    x = subject.data.design.transform(subject.data.X.iloc[::step])
    pairs = alike(x, subject.data.design) if card.redundant is None else card.redundant
    stand_ins = _substitutes(subject, x)
    facts = {"redundancy.pairs": len(pairs), "redundancy.substitutes": len(stand_ins)}
    parts: list[Text | Table | Figure] = []
    if len(pairs):
        parts.append(_alike(pairs, subject.min_cell))
    if len(stand_ins):
        note = (
            "Half of the folds or more select one of the two, none selects both, each is selected by some, and they go "
            f"together (|r| above {RELATED:g}, the largest of their columns): which of the two is listed is a matter "
            "of the sample."
        )
        parts.append(Table("stand-ins", "Factors that stand in for each other", stand_ins, note, {"|r|": ".2f"}))
    found = (
        f"Pairs of factors with columns that correlate above {ALIKE:g}: {len(pairs)}. Pairs of factors that go "
        f"together, of which folds select one or the other: {len(stand_ins)}."
    )
    parts = parts or [Text(("Nothing to show.",))]
    return Section("redundancy", "Redundant columns", found, parts, facts)


def _alike(pairs: pd.DataFrame, least: int) -> Table:
    """Return the table of factors whose columns say nearly the same; shares of patients only where all are shown."""
    shown = ["factor", "other", "r"] if least > 1 else pairs.columns[pairs.notna().any()]
    frame = pairs[shown].rename(columns={"factor": "Factor", "other": "Other", "both": "Both", "one": "One of them"})
    note = f"|r| above {ALIKE:g}, the largest of their columns."
    if "Both" in frame:
        note += " Both, one of them: share of the patients on the faithfulness card for whom they are listed."
    title = "Factors whose columns say nearly the same"
    return Table("near-duplicates", title, frame, note, {"r": "+.3f", "Both": ".3f", "One of them": ".3f"})


def _substitutes(subject: Subject, x: np.ndarray) -> pd.DataFrame:
    """Return the pairs of correlated factors of which folds select one or the other, never both; closest first."""
    design, kept = subject.data.design, np.flatnonzero(x.std(axis=0) > 0)
    r = np.corrcoef(x[:, kept], rowvar=False).reshape(len(kept), len(kept))
    place = {factor: np.flatnonzero(design.group[kept] == k) for k, factor in enumerate(design.factors)}
    rows: list[tuple] = []
    for model in subject.models if subject.runs is not None else ():
        shares = [fit.share.iloc[fit.chosen].rename(fit.fold) for fit in subject.runs.fits if fit.model == model]
        table = pd.DataFrame(shares).fillna(0.0).groupby(level=0).mean() >= 0.5
        used, n = table.to_numpy(dtype=int), len(table)
        folds, both = used.sum(axis=0), used.T @ used
        either = folds[:, None] + folds - both
        some = (folds > 0) & (n > 1)
        pairs = np.triu(some[:, None] & some & (both == 0) & (either * 2 >= n), 1)
        for i, j in zip(*np.nonzero(pairs), strict=True):
            a, b = table.columns[[i, j]]
            cells = np.abs(r[np.ix_(place.get(a, []), place.get(b, []))])
            if cells.max(initial=0) > RELATED:
                rows.append((model, str(a), str(b), float(cells.max()), folds[i], folds[j], n))
    names = ["Model", "Factor", "Other", "|r|", "Folds", "Folds with the other", "Of"]
    return pd.DataFrame(rows, columns=names).sort_values("|r|", ascending=False, kind="stable", ignore_index=True)
