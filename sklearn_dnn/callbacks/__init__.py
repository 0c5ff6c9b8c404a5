"""Those who watch a fit. Removing them changes no prediction, unless one asked to stop.

All follow scikit-learn's protocol (:mod:`sklearn.callback`) and are set with
``set_callbacks`` on the outermost estimator: a network, a pipeline or a search.
"""

from ._checkpoint import Checkpoint
from ._functions import FunctionCallback, StopAtTarget
from ._live_plot import LivePlot
from ._monitor import GradientActivationMonitor
from ._records import CSVLogger, History
from ._scoring import EpochScoring
from ._tensorboard import TensorBoard

__all__ = [
    "CSVLogger",
    "Checkpoint",
    "EpochScoring",
    "FunctionCallback",
    "GradientActivationMonitor",
    "History",
    "LivePlot",
    "StopAtTarget",
    "TensorBoard",
]
