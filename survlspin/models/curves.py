"""What a pycox Cox model gives after training: log-risks, baseline hazard, curves, likelihood and files."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from .. import nets
from .._pycox import CoxPH
from ..errors import InputError
from ..heads import Cox
from ..heads.baseline import Baseline
from ..outcome import Outcome
from .rows import Loader, columns, plain_outcome


class Curves(CoxPH):
    """pycox's predictions without its overflows: sums of risks are made in float64 and in log space.

    Attributes
    ----------
    head : Cox
    generator : torch.Generator
    baseline_hazards_, baseline_cumulative_hazards_ : Series
        Of a patient with log-risk 0, by time; once `compute_baseline_hazards` has run.
    """

    head: Cox
    generator: torch.Generator

    def make_dataloader_predict(self, input, batch_size: int, shuffle: bool = False, num_workers: int = 0) -> Loader:
        """Return batches of the rows `input`, in their order."""
        return Loader(input, batch_size, self.device)

    def predict(self, input, *args, **kwargs):
        """Return the log-risk of each row (n, 1), an array or, of a tensor, a tensor; arguments as in pycox."""
        return super().predict(self._columns(input), *args, **kwargs)

    def predict_surv(self, input, *args, **kwargs):
        """Return survival curves (n, times), an array or, of a tensor, a tensor; arguments as in pycox."""
        return super().predict_surv(self._columns(input), *args, **kwargs)

    def df_to_input(self, df: pd.DataFrame) -> np.ndarray:
        """Return the columns of a table as the net takes them; the curves' methods of pycox call this."""
        return self._columns(df)

    def compute_baseline_hazards(
        self,
        input=None,
        target=None,
        max_duration: float | None = None,
        sample: float | None = None,
        batch_size: int = 8224,
        set_hazards: bool = True,
        eval_: bool = True,
        num_workers: int = 0,
    ) -> pd.Series:
        """Return the baseline hazard at each time of the rows, 0 at times without an event.

        It is the head's estimator: with ``ties="efron"`` the one that goes with Efron's likelihood, with
        ``"breslow"`` Breslow's, as in pycox.

        Parameters
        ----------
        input, target : optional
            The rows; None: the training rows.
        max_duration : float, optional
            Times beyond it are left out, in the unit of the durations.
        sample : int or float, optional
            Use so many rows, or below 1 such a share of them, drawn at random.
        batch_size : int
            Rows that pass the net at once.
        set_hazards : bool
            Whether the model keeps the result for its curves.
        eval_ : bool
            Whether the net is in evaluation mode.
        num_workers : int
            Ignored.

        Raises
        ------
        InputError
            SL-478 without rows, in a model that was not fitted, or was copied or read from a file.
        """
        if input is None and target is None:
            if not hasattr(self, "training_data"):
                found = "the model holds no training rows to make the baseline hazard from."
                raise InputError("SL-478", found, "Give them: compute_baseline_hazards(x, (durations, events)).")
            input, target = self.training_data
        x, outcome = self._rows(input, target)
        if sample is not None:
            size = int(sample) if sample >= 1 else round(sample * len(x))
            drawn = torch.randperm(len(x), generator=self.generator)[:size].numpy()
            x, outcome = x[drawn], outcome.take(drawn)
        log_h = torch.from_numpy(self.predict(x, batch_size, True, eval_))
        times = np.unique(outcome.time)
        cumulative = self.head.baseline(log_h, outcome).cumulative_hazard(np.zeros(1), times)[0]
        hazards = self._hazards(times, np.diff(cumulative, prepend=0.0)).loc[:max_duration]
        if set_hazards:
            self.compute_baseline_cumulative_hazards(set_hazards=True, baseline_hazards_=hazards)
        return hazards

    def _predict_cumulative_hazards(
        self, input, max_duration, batch_size, verbose, baseline_hazards_, eval_=True, num_workers=0
    ) -> pd.DataFrame:
        h0 = baseline_hazards_.cumsum().loc[:max_duration]
        times = h0.index.to_numpy()
        with np.errstate(divide="ignore"):
            baseline = Baseline({None: (times, np.log(h0.to_numpy()))})
        log_h = self.predict(input, batch_size, True, eval_)[:, 0]
        return pd.DataFrame(baseline.cumulative_hazard(log_h, times).T, index=h0.index)

    def partial_log_likelihood(
        self, input, target, g_preds=None, batch_size: int = 8224, eps=None, eval_: bool = True, num_workers: int = 0
    ) -> pd.Series:
        """Return each event's log partial likelihood with Breslow's ties, latest first, by the position of its row.

        Arguments as in pycox; `eps`, which pycox adds to the risk sums, is ignored.
        """
        outcome = plain_outcome(target)
        log_h = self.predict(input, batch_size, True, eval_) if g_preds is None else g_preds
        order = np.argsort(-outcome.time, kind="stable")
        descending, log_h = -outcome.time[order], np.asarray(log_h, dtype=np.float64).reshape(-1)[order]
        last = np.searchsorted(descending, descending, side="right") - 1  # of the rows of the same time
        pll = pd.Series(log_h - np.logaddexp.accumulate(log_h)[last], index=order, name="pll")
        return pll[outcome.event[order] == 1]

    def save_net(self, path) -> None:
        """Write weights and baseline hazard to `path` (.pt): tensors alone, neither code nor patients' rows."""
        state = {"net": self.net.state_dict()}
        if hasattr(self, "baseline_hazards_"):
            h0 = self.baseline_hazards_
            state |= {"time": torch.tensor(h0.index.to_numpy()), "hazard": torch.tensor(h0.to_numpy())}
        torch.save(state, _with_suffix(path))

    def load_net(self, path) -> nets.Net:
        """Read what `save_net` wrote into the model's net, which must be built with the same arguments, and return it.

        Only tensors are read, ``torch.load(..., weights_only=True)``. The whole-net files of torchtuples are pickles,
        which can run any code when read; they are refused. Given such a net in memory, ``save_model_weights`` and
        ``load_model_weights`` carry its weights over.

        Raises
        ------
        InputError
            SL-531 where the file holds something else, or the weights of another net.
        """
        try:
            state = torch.load(_with_suffix(path), map_location=self.device, weights_only=True)
            self.net.load_state_dict(state["net"])
        except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError) as error:
            found = f"{os.path.basename(path)} holds no weights of this {type(self.net).__name__}."
            raise InputError("SL-531", found, "Build the net as it was when saved, with the same arguments.") from error
        self._forget_baseline()
        if "hazard" in state:
            hazards = self._hazards(state["time"].cpu().numpy(), state["hazard"].cpu().numpy())
            self.compute_baseline_cumulative_hazards(set_hazards=True, baseline_hazards_=hazards)
        return self.net

    def _hazards(self, times: np.ndarray, values: np.ndarray) -> pd.Series:
        return pd.Series(values, pd.Index(times, name=self.duration_col), name="baseline_hazards")

    def _forget_baseline(self) -> None:
        for name in ("baseline_hazards_", "baseline_cumulative_hazards_"):
            self.__dict__.pop(name, None)

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.net.parameters()).dtype

    def _columns(self, input):
        return columns(input, self.net.p, self._dtype)

    def _rows(self, input, target) -> tuple[np.ndarray, Outcome]:
        x = self._columns(input)
        x = x.detach().cpu().numpy() if isinstance(x, Tensor) else x
        return x, plain_outcome(target, len(x), input.index if isinstance(input, pd.DataFrame) else None)


def _with_suffix(path) -> str:
    root, suffix = os.path.splitext(path)
    return root + (suffix or ".pt")
