"""What to do about a mistake, in the words of the command line."""

import re

from survlspin.errors import InputError, InputTypeError, InputWarning

__all__ = ["REMEDIES", "remedy"]

REMEDIES = {
    "SL-103": "Name the value that is the event: --event-code VALUE.",
    "SL-107": "Name the value that is the event: --event-code VALUE.",
    "SL-109": "Give a number of months (or days, years); of dates, the difference.",
    "SL-110": "Patients are at risk on (entry, time]; for times of 0 there are --zero-time half and drop.",
    "SL-117": "Results would be noise; --force fits all the same.",
    "SL-119": "Keep, move or drop these rows: --zero-time keep, half or drop.",
    "SL-206": "Leave this column out: --drop COLUMN.",
    "SL-208": "Mend these cells; --force takes them as they are.",
    "SL-209": "Mend the cells; if they are codes, say so: --category COLUMN. Empty cells alone are missing.",
    "SL-211": "Leave it out (--drop COLUMN), or make it numbers or categories (of dates, a difference).",
    "SL-212": "Merge the rare ones, or leave the column out: --drop COLUMN.",
    "SL-215": "Leave them out (--drop COLUMN), unless they were known at time 0.",
    "SL-216": "Say which is the label (--id COLUMN); leave others out (--drop COLUMN) if they measure nothing.",
    "SL-341": "Ask for fewer --folds, or mark other rows (--external).",
    "SL-342": "Ask for fewer --folds, or mark other rows (--external).",
    "SL-343": "Say which column is the patient: --group COLUMN.",
    "SL-346": "Ask for at least 2: --folds.",
    "SL-351": "Merge rare categories, ask for fewer --folds, or leave the column out: --drop COLUMN.",
    "SL-355": "Name a new folder (--store); to resume or status, that of a study.",
    "SL-356": "Name a new folder (--store), or go on with the study that is there: survlspin resume.",
    "SL-371": "Give an URL such as sqlite:///trials.db.",
    "SL-373": "Name another database: --storage.",
    "SL-376": "Leave the model out (--skip), or try survlspin fit, which says why it cannot be fitted.",
    "SL-377": "Use --protocol nine-one, where every fold is tuned for itself.",
    "SL-383": "Every part needs patients with events: ask for fewer --folds, or mark other rows (--external).",
    "SL-384": "Every part needs patients: ask for fewer --folds, or mark other rows (--external).",
    "SL-387": "Ask for more --folds, or use --protocol nine-one, where every fold is tuned for itself.",
    "SL-388": "Use --probes.",
    "SL-389": "Rename them, or leave them out: --drop COLUMN.",
    "SL-415": "Name another folder: --store.",
    "SL-623": "Name the time by which the event is predicted: --horizon T.",
    "SL-681": "Name up to 300 of them: --patient LABEL, repeated.",
    "SL-682": "Name what the column of --id holds, as it is written there; without --id, as where several rows share "
    "a label, the number of the row, from 0.",
}  # fmt: skip

# arguments of functions that remedies name, and the options that say the same
OPTIONS = (
    (r"aliases=\{'(\w+)': 'its header'\}", r"--alias \1=HEADER"),
    (r"\balias (\w+)=('[^']*'|\"[^\"]*\")", r"--alias \1=\2"),
    (r"\((\w+)=HEADER\)", r"(--alias \1=HEADER)"),
    (r"\b(dic|sas)=(?!\w)", r"--\1 FILE"),
    (r"\bdelimiter='(\w+)'", r"--delimiter \1"),
    (r"\bencoding='cp1252', 'utf-8', \.\.\.", "--encoding cp1252, utf-8, ..."),
    (r"\bmax_quarantine\b", "--max-quarantine SHARE"),
    (r"\bstore=\.\.\.", "--store DIR"),
    (r"\bn_jobs=(\d+)", r"--jobs \1"),
    (r"\bn_jobs\b", "--jobs"),
)


def remedy(message: InputError | InputTypeError | InputWarning) -> str:
    """Return what a mistake's message advises, as the command takes it."""
    own = isinstance(message, InputWarning) and message.code not in ("SL-215", "SL-216")  # nothing was refused
    text = message.remedy if own else REMEDIES.get(message.code, message.remedy)
    for argument, option in OPTIONS:
        text = re.sub(argument, option, text)
    return text
