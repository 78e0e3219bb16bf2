"""What every estimator of this package is: one with a design."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator

from .design import Design


class DesignEstimator(BaseEstimator):
    """An estimator that looks at X through a fitted `Design`.

    Attributes
    ----------
    design_ : Design
        How X becomes columns.
    n_features_in_, feature_names_in_
        As in scikit-learn.
    """

    def _adopt_design(self, design: Design) -> None:
        """Keep the design, and say as scikit-learn does what X it was fitted on."""
        self.design_, self.n_features_in_ = design, design.n_features_in_
        vars(self).pop("feature_names_in_", None)  # of an earlier fit
        if design.feature_names_in_ is not None:
            self.feature_names_in_ = np.asarray(design.feature_names_in_, dtype=object)
