"""What every estimator of this package is: one with a design."""

from __future__ import annotations

import os
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from .design import Design


def linear(x: np.ndarray, coef: np.ndarray) -> np.ndarray:
    """Return the products (n,) or (n, k) of rows (n, p) and coefficients (p,) or (p, k), each row's by itself.

    Other than of a matrix product, no bit of a row's answer depends on which rows are asked with it.
    """
    return np.einsum("ij,j...->i...", x, coef)


class DesignEstimator(BaseEstimator):
    """An estimator that looks at X through a fitted `Design`.

    Attributes
    ----------
    design_ : Design
        How X becomes columns.
    n_features_in_, feature_names_in_
        As in scikit-learn.
    """

    _unsaved: ClassVar[tuple[str, ...]] = ()  # fitted attributes that predictions do not need

    def save(self, directory: str | os.PathLike, overwrite: bool = False, grid=None) -> None:
        """Write the fitted estimator to a folder, from which `survlspin.load` returns it.

        The folder holds the settings, the design (with the levels of categories, means, 1st and 99th percentiles of
        numbers and most frequent values), weights and curves, as JSON and safetensors with their SHA-256: no pickle,
        and no rows of the training data. Curves have the distinct times of follow-up, each of which some patient had:
        to share a model, give a `grid`. It is written whole or not at all.

        Parameters
        ----------
        directory : str or path
            A new folder; its parents are made.
        overwrite : bool
            Replace an older saved model. Nothing else is ever replaced.
        grid : array of float, optional
            Ascending times at which alone curves are kept. Log-risks, selections and curves at these times stay as they
            are to the last bit; between them a curve is as at the one before, and it ends with the last.

        Raises
        ------
        InputError
            SL-545 an estimator, or a setting, that cannot be kept without a pickle; SL-546 and SL-547 the folder holds
            a saved model or something else; SL-548 settings were changed since the fit; SL-549 it cannot be written;
            SL-693 a grid that is none.
        """
        from .storage import save

        save(self, directory, overwrite, grid)

    def _adopt_design(self, design: Design) -> None:
        """Keep the design, and say as scikit-learn does what X it was fitted on."""
        self.design_, self.n_features_in_ = design, design.n_features_in_
        vars(self).pop("feature_names_in_", None)  # of an earlier fit
        if design.feature_names_in_ is not None:
            self.feature_names_in_ = np.asarray(design.feature_names_in_, dtype=object)
