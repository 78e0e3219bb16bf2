"""From the options of `survlspin factors` to its work: each returns what was found, as plain values."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from survlspin.errors import InputError, InputTypeError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from survlspin.study import Study

__all__ = ["check_job", "explain_job", "export_job", "page_job", "publish_job"]


def export_job(given: dict[str, Any]) -> dict[str, Any]:
    """Read patients, write what the model says of each; return what was written."""
    from survlspin.publish.local import export

    model = _model(given["path"])
    X = _predictors(given, model)
    beside = {**_beside(given, X), "seen": _seen(given, X)}
    files, card = export(model, X, given["out"], given["horizon"], **beside)
    said = {"patients": len(X), "card": card.to_dict(), "notes": []}
    return {"out": str(given["out"]), "files": [str(path) for path in files], **said}


def publish_job(given: dict[str, Any]) -> dict[str, Any]:
    """Read patients, write counts of them; return what was written."""
    from survlspin._calls import cannot_write, reported, writable
    from survlspin.publish.bundle import publish
    from survlspin.report.kept import in_unit

    model = _model(given["path"])
    study, training = reported(given)
    study, how = in_unit(study, given["unit"]), _origin(given, study, training)
    writable(given["out"])
    try:
        files, card = publish(model, study, given["out"], given["min_cell"], given["subgroup"], **how)
    except OSError as error:
        raise cannot_write(given["out"], error) from error
    return {"out": str(given["out"]), "files": [str(path) for path in files], "card": card, "notes": []}


def _origin(given: dict[str, Any], study: "Study", training: "Study | None") -> dict[str, Any]:
    """Return from which of these patients the model was made, and if from others those, unless they have changed."""
    import numpy as np

    from survlspin.report.source import made_from

    own = made_from(given["path"], study)
    if own is not None:
        return {"seen": np.isin(np.arange(len(study.X)), own)}
    rows = None if training is None else made_from(given["path"], training)
    return {"training": None if rows is None else (training.X.iloc[rows], training.y[rows])}


def _seen(given: dict[str, Any], X: "pd.DataFrame") -> "bool | np.ndarray":
    """Return from which rows of a file the model was made; from none where they are not known again with outcomes."""
    import pandas as pd

    from survlspin._calls import UNSAID, read_again
    from survlspin.report.kept import call_of
    from survlspin.report.source import made_from

    options = call_of(given["path"]).get("options")
    if options is None:
        return False
    path = given["data"] or (options["data"] and Path(options["data"]))
    form = {} if given["data"] is None else {name: given[name] for name in UNSAID if name in given}
    try:
        study = read_again({**options, **form, "data": path})
    except (InputError, InputTypeError):
        return False
    own = made_from(given["path"], study)
    if own is None:
        return False
    name = options.get("id")
    labels = pd.RangeIndex(len(X)) if name is None else pd.Index(X[name])
    return labels.isin(study.X.index[own])


def check_job(given: dict[str, Any]) -> dict[str, Any]:
    """Look at a file; return what it is."""
    from survlspin.publish.checking import check

    return {"file": str(given["file"]), **check(given["file"]), "notes": []}


def explain_job(given: dict[str, Any]) -> dict[str, Any]:
    """Read patients; return what the model says of those that are named."""
    from survlspin.patient_page.terminal import told

    return {**told(_portraits(given)), "notes": []}


def page_job(given: dict[str, Any]) -> dict[str, Any]:
    """Read patients, write the page of those that are named, or of all; return where it is."""
    from survlspin.patient_page import write
    from survlspin.publish.local import PREFIX, private

    portraits = _portraits(given, carded=True)
    path = write(portraits, private(given["out"]) / f"{PREFIX}patients.html")
    return {"out": str(given["out"]), "files": [str(path)], "patients": len(portraits.patients), "notes": []}


def _beside(given: dict[str, Any], X: "pd.DataFrame") -> dict[str, Any]:
    """Return outcomes, where each row has one, and strata of the rows of a file, as far as it has their columns."""
    from survlspin.patient_page.cohort import outcome_in
    from survlspin.report.kept import call_of

    options = call_of(given["path"]).get("options") or {}
    try:
        y = outcome_in(X, given["data"], options)
    except InputError:  # nothing but the card would need it, which says that it is not known
        y = None
    return {"y": y if y is not None and len(y) == len(X) else None, "stratum": X.get(options.get("stratum"))}


def _portraits(given: dict[str, Any], carded: bool = False) -> Any:
    from survlspin.faithfulness import sampled_card
    from survlspin.patient_page import portraits
    from survlspin.patient_page.cohort import outcome_in
    from survlspin.report.kept import call_of
    from survlspin.study import UNKNOWN_UNIT, known_roles

    model = _model(given["path"])
    X, kept = _predictors(given, model), call_of(given["path"])
    options, unit = kept.get("options") or {}, kept.get("unit", UNKNOWN_UNIT)
    how = {"y": outcome_in(X, given["data"], options), "stratum": X.get(options.get("stratum"))}
    path = given["data"] or options.get("data")
    how["groups"] = X.get(options.get("group") or (known_roles(path).get("group") if path else None))
    unit = given["unit"] or ("time units" if unit == UNKNOWN_UNIT else unit)
    if carded:
        beside = _beside(given, X)
        how["card"] = sampled_card(model, X, beside["y"], strata=beside["stratum"], seen=_seen(given, X))
    return portraits(model, X, given["patient"] or None, unit=unit, **how)


def _model(path: Path) -> Any:
    from survlspin.report.kept import is_store, model_in
    from survlspin.storage import load

    is_store(path)  # or a model: SL-621
    return load(model_in(path) or path)


def _predictors(given: dict[str, Any], model: Any) -> "pd.DataFrame":
    """Return the rows of the file, called by their numbers, or as --id has it; the columns of the model are enough."""
    import pandas as pd

    from survlspin._calls import UNSAID, form_of
    from survlspin.reading import read_table
    from survlspin.report.kept import call_of
    from survlspin.study import check_labels, check_roles, gbsg2

    kept = call_of(given["path"]).get("options")
    if given["data"] is None and kept is None:
        found = f"{given['path']} does not say which data it is of."
        raise InputError("SL-628", found, "Name them: --data FILE.")
    path = given["data"] or kept["data"]
    if path is None:
        return gbsg2().X.reset_index(drop=True)
    form = {name: kept[name] for name in UNSAID if kept and given["data"] is None and name in kept}
    category, numbers = ([*given[name], *((kept or {}).get(name) or ())] for name in ("category", "number"))
    labels = [given["id"], *((kept or {}).get(name) for name in ("id", "group", "stratum"))]
    text = [name for name in (*labels, *category, *((kept or {}).get("drop") or ())) if name is not None]
    table = read_table(path, text=text, numbers=numbers, **form_of({**given, **form}))
    category = [name for name in category if name in table.columns]
    check_roles(table.columns, {"id": given["id"]}, (), given["category"])
    check_labels(table, given["id"])
    table = table.astype(dict.fromkeys(category, "category"))
    if given["id"] is not None:
        table.index = pd.Index(table[given["id"]], name=given["id"])
    return table
