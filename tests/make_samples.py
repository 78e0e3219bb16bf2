"""Write the invented samples of ``datasets/samples`` and what each rule must exclude in them.

Every row is drawn at random here; none is a patient's. The counts beside a sample are made from the drawn values by
plain pandas, one mask per rule, and know nothing of recipes: ``python tests/make_samples.py`` writes both again.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parents[1] / "datasets" / "samples"


def rare(rng, n, k):
    """Flag k rows of n."""
    flags = np.zeros(n, dtype=bool)
    flags[rng.permutation(n)[:k]] = True
    return flags


def blanked(values, flags):
    """The values as a column, empty where flagged."""
    return pd.Series(values).astype(object).where(~flags, None)


def flow(event, rules, patient=None):
    """Rows, patients and events at the start, excluded and failing by rule, and at the end."""
    event = np.asarray(event, dtype=bool)
    patient = np.arange(len(event)) if patient is None else np.asarray(patient)

    def count(rows):
        return np.array([rows.sum(), len(set(patient[rows])), (rows & event).sum()])

    left = np.ones(len(event), dtype=bool)
    found = {"start": count(left).tolist(), "rules": {}}
    for name, keep in rules.items():
        keep = np.asarray(keep, dtype=bool)
        excluded = count(left) - count(left & keep)
        found["rules"][name] = {"excluded": excluded.tolist(), "fails": count(~keep).tolist()}
        left = left & keep
    return {**found, "end": count(left).tolist()}


def gbsg2(rng, n=120):
    """Table of R's TH.data and of lifelines."""
    age, size = rng.integers(25, 80, n), rng.integers(4, 90, n)
    grade = np.array(["I", "II", "III"])[rng.integers(0, 3, n)]
    nodes = np.where(rare(rng, n, 4), 0, rng.integers(1, 20, n))
    pgr, er = rng.integers(0, 400, n), rng.integers(0, 300, n)
    days, died = rng.integers(15, 2600, n), rng.random(n) < 0.45
    no_time, no_age, no_grade = rare(rng, n, 2), rare(rng, n, 3), rare(rng, n, 4)
    frame = pd.DataFrame(
        {
            "horTh": np.where(rng.random(n) < 0.4, "yes", "no"),
            "age": blanked(age, no_age),
            "menostat": np.where(age > 50, "Post", "Pre"),
            "tsize": size,
            "tgrade": blanked(grade, no_grade),
            "pnodes": nodes,
            "progrec": pgr,
            "estrec": er,
            "time": blanked(days, no_time),
            "cens": died.astype(int),
        }
    )
    rules = {"follow-up": ~no_time, "node-positive": nodes > 0, "complete": ~(no_age | no_grade)}
    return frame, {"rfs": flow(died, rules)}


def rotterdam(rng, n=150):
    """Table of R's survival package, written by ``write.csv``."""
    recur, died = rng.random(n) < 0.5, rng.random(n) < 0.4
    rtime = rng.integers(40, 5000, n)
    late = died & ~recur & (rng.random(n) < 0.25)
    dtime = rtime + np.where((recur | late), rng.integers(1, 900, n), 0)
    early = rare(rng, n, 2)  # relapse written down after the death: impossible
    rtime = np.where(early, dtime + 30, rtime)
    nodes = np.where(rng.random(n) < 0.45, 0, rng.integers(1, 25, n))
    no_pgr = rare(rng, n, 3)
    age = rng.integers(25, 88, n)
    frame = pd.DataFrame(
        {
            "rownames": 0,
            "pid": np.arange(n) * 3 + 7,
            "year": rng.integers(1978, 1994, n),
            "age": age,
            "meno": (age > 50).astype(int),
            "size": np.array(["<=20", "20-50", ">50"])[rng.integers(0, 3, n)],
            "grade": rng.integers(2, 4, n),
            "nodes": nodes,
            "pgr": blanked(rng.integers(0, 900, n), no_pgr),
            "er": rng.integers(0, 700, n),
            "hormon": (rng.random(n) < 0.15).astype(int),
            "chemo": (rng.random(n) < 0.2).astype(int),
            "rtime": rtime,
            "recur": recur.astype(int),
            "dtime": dtime,
            "death": died.astype(int),
        }
    )
    twice = np.r_[np.arange(n), 5, 5, 17]  # two women are in the file again, under new row numbers
    frame = frame.iloc[twice].assign(rownames=rng.permutation(len(twice)) + 1)
    masks = {"duplicate": np.arange(len(twice)) < n, "consistent": (rtime <= dtime)[twice], "complete": ~no_pgr[twice]}
    ended, dead = flow((recur | died)[twice], masks, twice), flow(died[twice], masks, twice)
    return frame, {"rfs": ended, "os": dead, "recurrence": ended}


def flchain(rng, n=140):
    """Table of R's survival package, written by ``write.csv``."""
    died = rng.random(n) < 0.35
    kappa, lam = rng.integers(10, 400, n) / 100, rng.integers(10, 500, n) / 100
    days = np.where(died & rare(rng, n, 20), 0, rng.integers(30, 5200, n))
    no_creatinine = rare(rng, n, 17)
    chapters = np.array(["Circulatory", "Neoplasms", "Respiratory", "Mental", "External Causes"])
    frame = pd.DataFrame(
        {
            "rownames": np.arange(1, n + 1),
            "age": rng.integers(50, 100, n),
            "sex": np.where(rng.random(n) < 0.55, "F", "M"),
            "sample.yr": rng.integers(1995, 2004, n),
            "kappa": kappa,
            "lambda": lam,
            "flc.grp": 1 + np.argsort(np.argsort(kappa + lam)) * 10 // n,
            "creatinine": blanked(rng.integers(5, 30, n) / 10, no_creatinine),
            "mgus": rare(rng, n, 4).astype(int),
            "futime": days,
            "death": died.astype(int),
            "chapter": blanked(chapters[rng.integers(0, 5, n)], ~died),
        }
    )
    return frame, {"os": flow(died, {"alive-at-sample": days > 0, "complete": ~no_creatinine})}


def metabric(rng, n=110):
    """Table of pycox: nine columns without names."""
    flags = (rng.random((n, 4)) < [0.6, 0.6, 0.2, 0.75]).astype(float)
    months, died = rng.integers(1, 3400, n) / 10, rng.random(n) < 0.55
    zero = ~died & rare(rng, n, 9)
    frame = pd.DataFrame(rng.integers(520, 1400, (n, 4)) / 100, columns=["x0", "x1", "x2", "x3"])
    frame[["x4", "x5", "x6", "x7"]] = flags
    frame["x8"] = rng.integers(2300, 9500, n) / 100
    frame["duration"] = np.where(zero, 0.0, months)
    frame["event"] = died.astype(int)
    return frame, {"os": flow(died, {"follow-up": np.ones(n, dtype=bool), "complete": np.ones(n, dtype=bool)})}


def support(rng, n=130):
    """Table of pycox: fourteen columns without names."""
    died = rng.random(n) < 0.65
    pulse = np.where(rare(rng, n, 3), 0, rng.integers(40, 160, n))
    columns = [
        rng.integers(1900, 9900, n) / 100,
        rng.integers(0, 2, n),
        rng.integers(0, 7, n),
        np.where(rare(rng, n, 3), 5, rng.integers(0, 5, n)),
        rng.integers(0, 2, n),
        rare(rng, n, 5),
        rng.integers(0, 3, n),
        rng.integers(40, 140, n),
        pulse,
        rng.integers(8, 44, n),
        rng.integers(340, 410, n) / 10,
        rng.integers(120, 155, n),
        rng.integers(1, 300, n) / 10,
        rng.integers(4, 90, n) / 10,
    ]
    frame = pd.DataFrame({f"x{i}": values.astype(float) for i, values in enumerate(columns)})
    frame["duration"] = rng.integers(3, 2030, n).astype(float)
    frame["event"] = died.astype(int)
    return frame, {"os": flow(died, {"follow-up": np.ones(n, dtype=bool), "complete": np.ones(n, dtype=bool)})}


def sibr(rng, n=150):
    """Table of R's popEpi with dates as days since 1970."""
    diagnosis = rng.integers(8401, 15300, n)
    closing = 15705
    birth = diagnosis - rng.integers(10_000, 33_000, n)
    left = np.minimum(diagnosis + rng.integers(1, 6000, n), closing)
    status = np.where(left == closing, 0, rng.integers(0, 3, n))
    same, before, after = rare(rng, n, 3), rare(rng, n, 2), rare(rng, n, 2)
    left = np.where(same, diagnosis, left)
    left = np.where(before & ~same, diagnosis - 20, left)
    left = np.where(after & ~same & ~before, closing + 40, left)
    frame = pd.DataFrame(
        {
            "sex": 1,
            "bi_date": birth,
            "dg_date": diagnosis,
            "ex_date": left,
            "status": status,
            "dg_age": np.round((diagnosis - birth) / 365.25, 6),
        }
    )
    rules = {"period": left <= closing, "order": left >= diagnosis, "followed": left > diagnosis}
    counts = flow(status > 0, rules)
    breast = flow(status == 1, rules)
    return frame, {"os": counts, "bcss": breast, "cr": counts, "os-age": counts, "cr-age": counts}


def prostate_survival(rng, n=160):
    """Table of R's asaur, written by ``write.csv``."""
    status = rng.choice([0, 1, 2], n, p=[0.6, 0.15, 0.25])
    months = np.where((status == 0) & rare(rng, n, 20), 0, rng.integers(1, 120, n))
    frame = pd.DataFrame(
        {
            "rownames": np.arange(1, n + 1),
            "grade": np.where(rng.random(n) < 0.75, "mode", "poor"),
            "stage": np.array(["T1ab", "T1c", "T2"])[rng.integers(0, 3, n)],
            "ageGroup": np.array(["66-69", "70-74", "75-79", "80+"])[rng.integers(0, 4, n)],
            "survTime": months,
            "status": status,
        }
    )
    rules = {"follow-up": np.ones(n, dtype=bool)}
    return frame, {"cr": flow(status > 0, rules), "pcss": flow(status == 1, rules), "os": flow(status > 0, rules)}


SOURCES = [gbsg2, rotterdam, flchain, metabric, support, sibr, prostate_survival]


def texts():
    """The content of every file, by its name."""
    found = {}
    for seed, make in enumerate(SOURCES):
        frame, flows = make(np.random.default_rng(20_000 + seed))
        name = make.__name__.replace("_", "-")
        found[f"{name}.csv"] = frame.to_csv(index=False, lineterminator="\n")
        found[f"{name}.flow.json"] = written(flows)
    return found


def written(flows):
    """The counts as JSON, one line per rule."""
    lines = []
    for outcome, found in flows.items():
        rules = (f'\n   "{name}": {json.dumps(counts)}' for name, counts in found["rules"].items())
        ends = (f'\n  "{end}": {json.dumps(found[end])}' for end in ("start", "end"))
        lines.append(f'\n "{outcome}": {{{next(ends)},\n  "rules": {{{",".join(rules)}\n  }},{next(ends)}\n }}')
    return "{" + ",".join(lines) + "\n}\n"


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    for name, text in texts().items():
        (HERE / name).write_text(text, encoding="utf-8", newline="\n")
