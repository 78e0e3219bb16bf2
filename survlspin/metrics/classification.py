"""Measures of predicted class probabilities: accuracy, NLL and the expected calibration error."""

from __future__ import annotations

from numbers import Integral

import numpy as np

from survlspin._messages import rows as rows_text
from survlspin.errors import InputError
from survlspin.metrics.estimate import Z95, Estimate
from survlspin.metrics.inputs import digest_of

__all__ = ["accuracy", "expected_calibration_error", "nll"]

SUM = 1e-4  # what the probabilities of a row may miss 1 by: float32, many classes


def nll(y, probability, *, classes=None, weight=None) -> Estimate:
    """Negative log-likelihood per row, ``-log p(class of the row)``, as scikit-learn's ``log_loss``.

    Parameters
    ----------
    y : array (n,)
        Classes.
    probability : array (n, K), or (n,) for the second of two classes
        Rows add up to 1.
    classes : array (K,), optional
        The class of each column; by default those of y, sorted.
    weight : array (n,), optional

    Returns
    -------
    Estimate
        In nats, with a normal interval. Probabilities below the precision of their type count as that.

    Raises
    ------
    InputError
        SL-614 for probabilities that are none, SL-615 for classes that the columns do not have, weights that are none,
        or lengths that differ.

    Examples
    --------
    >>> round(nll([0, 1, 1], [0.2, 0.6, 0.9]).value, 4)
    0.2798
    """
    code, probability, weight = _checked(y, probability, classes, weight)
    least = np.finfo(probability.dtype).eps
    own = np.clip(probability[np.arange(len(code)), code], least, 1 - least).astype(np.float64)
    return _mean(-np.log(own), y, weight, f"NLL per row in nats; probabilities clipped at {least:.1e}")


def accuracy(y, probability, *, classes=None, weight=None) -> Estimate:
    """Share of rows whose likeliest class (the first of equal ones) is their own; arguments and errors as of `nll`.

    Examples
    --------
    >>> accuracy([0, 1, 1], [0.2, 0.6, 0.4]).value == 2 / 3
    True
    """
    code, probability, weight = _checked(y, probability, classes, weight)
    return _mean(
        probability.argmax(axis=1) == code, y, weight, "accuracy: share of rows whose likeliest class is theirs"
    )


def expected_calibration_error(
    y, probability, *, bins: int = 15, binning: str = "width", classes=None, weight=None
) -> Estimate:
    """Expected calibration error: how far accuracy and confidence are apart, mean over bins of the confidence.

    The confidence of a row is the probability of its likeliest class. The value is ``sum_b share_b |accuracy_b -
    confidence_b|`` over bins b.

    Parameters
    ----------
    y, probability, classes, weight
        As of `nll`.
    bins : int
    binning : {"width", "mass"}
        Bins of equal width, ``(k / bins, (k + 1) / bins]``; or of equally many rows, equal confidences together.

    Returns
    -------
    Estimate
        Without a standard error: see Notes.

    Raises
    ------
    InputError
        SL-614, SL-615 as `nll`; SL-616 for `bins` that is no number of bins, or another `binning`.

    Notes
    -----
    It does not show which classes or patients are miscalibrated: errors within a bin cancel, and only the likeliest
    class is looked at. It depends on the bins, and a perfectly calibrated model has a positive one on finite data.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger (2017), On calibration of modern neural networks, ICML, Eq. 3 (15 bins).

    Examples
    --------
    >>> round(expected_calibration_error([0, 1, 1, 1], [0.2, 0.6, 0.9, 0.9], bins=2).value, 3)
    0.2
    """
    if not isinstance(bins, Integral) or bins < 1 or binning not in ("width", "mass"):
        raise InputError("SL-616", f"bins={bins!r}, binning={binning!r}.", 'Give a whole number, "width" or "mass".')
    code, probability, weight = _checked(y, probability, classes, weight)
    weight = np.ones(len(code)) if weight is None else weight
    confidence = probability.max(axis=1).astype(np.float64)
    right = probability.argmax(axis=1) == code
    if binning == "width":
        edges = np.arange(1, bins) / bins
    else:
        edges = np.unique(np.quantile(confidence, np.arange(1, bins) / bins))
    gap = np.bincount(np.searchsorted(edges, confidence), weight * (right - confidence), bins)
    value = float(np.abs(gap).sum() / weight.sum())
    nan = float("nan")
    words = f"expected calibration error, {bins} bins of equal {binning} of the likeliest class's probability; no SE"
    return Estimate(value, nan, nan, nan, words)


def _checked(y, probability, classes, weight) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return each row's column (n,), probabilities (n, K) of floats, and weights."""
    y, probability = np.asarray(y), np.asarray(probability)
    if probability.dtype.kind != "f":
        probability = probability.astype(np.float64)
    if probability.ndim == 1:
        probability = np.column_stack([1 - probability, probability])
    classes = np.unique(y) if classes is None else np.asarray(classes)
    weight = None if weight is None else np.asarray(weight, dtype=np.float64)
    sizes = (y.shape, probability.shape, (len(y),) if weight is None else weight.shape)
    if sizes != ((len(y),), (len(y), len(classes)), (len(y),)) or not len(y):
        found = f"y has shape {sizes[0]}, probability {sizes[1]}, weight {sizes[2]}; there are {len(classes)} classes."
        raise InputError("SL-615", found, "Give a row of probabilities per row, and classes= in their order.")
    if weight is not None and not ((weight >= 0).all() and 0 < weight.sum() < np.inf):
        raise InputError("SL-615", "weights that are missing, negative or all 0.", "Give each row's weight.")
    wrong = ~(np.abs(probability.sum(axis=1) - 1) <= SUM) | ~((probability >= 0) & (probability <= 1)).all(axis=1)
    if wrong.any():
        found = f"probabilities that are missing, outside 0 to 1 or do not add up to 1 in {rows_text(wrong)}."
        raise InputError("SL-614", found, "Give what predict_proba returns.")
    order = np.argsort(classes)
    code = order[np.searchsorted(classes, y, sorter=order).clip(max=len(classes) - 1)]
    if (unknown := classes[code] != y).any():
        found = f"a class that no column of the probabilities is of in {rows_text(unknown)}."
        raise InputError("SL-615", found, "Name the classes of the columns: classes=model.classes_.")
    return code, probability, weight


def _mean(values: np.ndarray, y, weight: np.ndarray | None, words: str) -> Estimate:
    """Return the mean of values (n,) of independent rows with the classes `y`."""
    rows = digest_of(y=np.unique(y, return_inverse=True)[1], weight=weight)
    weight = np.ones(len(values)) if weight is None else weight
    value = float(np.average(values, weights=weight))
    influence = weight * (values - value) / weight.sum()
    se = float(np.sqrt(np.sum(influence**2)))
    return Estimate(value, se, value - Z95 * se, value + Z95 * se, words, influence, rows=rows)
