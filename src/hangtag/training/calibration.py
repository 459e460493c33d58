"""Temperature scaling: one number per head that makes its confidences honest.

Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from hangtag.training.data import UNKNOWN

_SEARCHED: Final = (np.log(0.05), np.log(20.0))


def fit_temperature(logits: npt.NDArray[np.float32], targets: npt.NDArray[np.int64]) -> float:
    """Return the temperature under which the known targets are the most likely.

    `logits` has the shape (N, classes), `targets` (N,) holds class indices or `UNKNOWN`. Without any known target the
    temperature is 1.
    """
    known = targets != UNKNOWN
    if not known.any():
        return 1.0
    values, right = logits[known].astype(np.float64), targets[known]

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = log_softmax(values / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(right)), right].mean())

    found = minimize_scalar(negative_log_likelihood, bounds=_SEARCHED, method="bounded")
    return float(np.exp(found.x))
