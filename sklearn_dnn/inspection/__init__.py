"""Looking into data, training and fitted networks: functions that change nothing, and displays."""

from ._change import fgsm, prune
from ._coverage_display import CoverageDisplay
from ._judge import (
    Answers,
    Coverage,
    Diagnosis,
    coverage_curve,
    diagnose,
    evaluate,
    predict_with_rejection,
    worst_mistakes,
)
from ._layers import activations, dead_units, layer_statistics
from ._network_displays import ActivationsDisplay, LayerStatisticsDisplay, WeightsDisplay
from ._rates import learning_rate_range_test
from ._sanity import Check, SanityReport, sanity_check
from ._start import InitialLoss, TinySubset, initial_loss, overfit_tiny_subset
from ._steps import update_ratios
from ._training_displays import (
    RangeTestDisplay,
    ScheduleDisplay,
    TrainingCurvesDisplay,
)
from ._variance import BiasVariance, bias_variance

__all__ = [
    "ActivationsDisplay",
    "Answers",
    "BiasVariance",
    "Check",
    "Coverage",
    "CoverageDisplay",
    "Diagnosis",
    "InitialLoss",
    "LayerStatisticsDisplay",
    "RangeTestDisplay",
    "SanityReport",
    "ScheduleDisplay",
    "TinySubset",
    "TrainingCurvesDisplay",
    "WeightsDisplay",
    "activations",
    "bias_variance",
    "coverage_curve",
    "dead_units",
    "diagnose",
    "evaluate",
    "fgsm",
    "initial_loss",
    "layer_statistics",
    "learning_rate_range_test",
    "overfit_tiny_subset",
    "predict_with_rejection",
    "prune",
    "sanity_check",
    "update_ratios",
    "worst_mistakes",
]
