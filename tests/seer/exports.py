"""An invented case listing in every form that SEER*Stat, NCI or a user's own program writes it."""

import csv
import gzip
import io

import numpy as np
import pandas as pd

NAMES = ("Patient ID", "Sex", "Grade (thru 2017)", "RX Summ--Surg Prim Site (1998+)", "Survival months", "Radiation")
SAS = (
    ("PUBCSNUM", 1, 8),
    ("SEX", 12, 9),
    ("GRADE", 21, 30),
    ("SURGPRIF", 51, 2),
    ("SRV_TIME_MON", 55, 4),
    ("RAD", 61, 40),
)
LENGTH = 104
LABELS = {
    "Sex": ("Male", "Female"),
    "Grade (thru 2017)": ("Well differentiated; Grade I", "Poorly differentiated, III", "Unknown", ""),
    "Radiation": ("None/Unknown", "Radiation, NOS – method unknown", "Beam radiation"),
}
DELIMITERS = {"tab": "\t", "comma": ",", "semicolon": ";"}
OPTIONS = {
    "GZipped": "false",
    "Variable format": "labels",
    "File format": "DOS/Windows",
    "Field delimiter": "tab",
    "Missing character": "space",
    "Fields with delimiter in quotes": "false",
    "Remove thousands separators": "true",
    "Flags included": "false",
    "Variable names included": "true",
    "Column Variables as Stats": "false",
}
SYSTEM = {
    "Output filename": r"C:\export.txt",
    "Database name": "Incidence - SEER Research Data, 9 Registries, Nov 2018 Sub (1975-2016 varying) - Linked",
}


def listing(n=240, seed=0):
    """Invented cells of n records."""
    rng = np.random.default_rng(seed)
    columns = {"Patient ID": [f"{i:08d}" for i in np.sort(rng.choice(3 * n, n))]}
    for name in NAMES[1:]:
        if name in LABELS:
            columns[name] = rng.choice(LABELS[name], n)
        else:
            columns[name] = [f"{i:02d}" if "Surg" in name else str(i) for i in rng.integers(0, 90, n)]
    columns["Survival months"][0] = "1234"
    return pd.DataFrame(columns, dtype=object)


def dic_bytes(names=NAMES, options=None, session=None, variables="Variables", more=(), system=SYSTEM):
    """A .dic; `more` are lines within the section of variables."""
    sections = {"System": system, "Session Options": session or {}, "Export Options": OPTIONS | (options or {})}
    lines = []
    for title, items in sections.items():
        lines += [f"[{title}]", *(f"{key}={value}" for key, value in items.items()), ""]
    lines += [f"[{variables}]", *(f"Var{i}Name={name}" for i, name in enumerate(names, 1)), *more, ""]
    lines += ["[Format=Sex]", "0=Male and female", '1="  Male"', '2="  Female"', ""]
    return "\r\n".join([*lines, ""]).encode("cp1252")


def line(cells, mark="\t", quoted=False):
    """A line as SEER*Stat writes it."""
    text = io.StringIO()
    style = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=mark, lineterminator="", quoting=style).writerow(cells)
    return text.getvalue()


def written(
    table, folder, *, delimiter="tab", quoted=False, header=True, gz=False, bom=False, encoding="cp1252",
    missing="space", thousands=False, end="\r\n", dic=True, name="export.txt",
):  # fmt: skip
    """Write the table with its .dic and return its path."""
    blank, mark = {"space": " ", "period": ".", '"NA"': "NA"}[missing], DELIMITERS[delimiter]
    rows = []
    for row in table.itertuples(index=False):
        cells = ["  " + cell if cell in LABELS["Sex"] else cell or blank for cell in row]
        rows.append(line([f"{int(c):,}" if thousands and c == "1234" else c for c in cells], mark, quoted))
    if header:
        rows.insert(0, line(table.columns, mark, quoted))
    content = (b"\xef\xbb\xbf" if bom else b"") + "".join(row + end for row in rows).encode(encoding)
    path = folder / (name + ".gz" * gz)
    path.write_bytes(gzip.compress(content, mtime=0) if gz else content)
    if dic:
        options = {"Variable format": "quotedlabels" if quoted else "labels", "Missing character": missing}
        options |= {"Field delimiter": delimiter.replace("semicolon", "semi-colon")}
        options |= {"Variable names included": str(header).lower()}
        (folder / "export.dic").write_bytes(dic_bytes(table.columns, options))
    return path


def sas_bytes(length=LENGTH, places=SAS):
    """A .sas that reads a fixed-width file."""
    lines = ["filename seer9 './yr1975_2016.seer9/*.TXT';", "data in;", f"  infile seer9 lrecl={length};", "  input"]
    for i, (name, start, width) in enumerate(places):
        kind = f"{width}." if i == 4 else f"$char{width}."
        lines.append(f"    @ {start:<4}{name:<20} {kind:<8} /* {name} @ its place */")
    return "\r\n".join([*lines, "    ;", "run;", ""]).encode()


def fixed(table, folder, end="\r\n", length=LENGTH):
    """Write the table as a fixed-width file with its .sas and return its path."""
    rows = []
    for row in table.itertuples(index=False):
        text = bytearray(b" " * length)
        for (_, start, width), cell in zip(SAS, row, strict=True):
            text[start - 1 : start - 1 + width] = cell.encode("cp1252").rjust(width)
        rows.append(bytes(text) + end.encode())
    (folder / "BREAST.TXT").write_bytes(b"".join(rows))
    (folder / "read.seer.research.nov2018.sas").write_bytes(sas_bytes())
    return folder / "BREAST.TXT"
