"""The order of the gallery: groups, which are folders of examples/, and the programs in each."""

from __future__ import annotations

GROUPS = {
    "tables": [
        "plot_raw_table",
        "plot_first_fit",
        "plot_against_linear",
        "plot_compare",
        "plot_iris",
    ],
    "networks": [
        "plot_xor",
        "plot_playground",
        "plot_activations",
        "plot_signal_propagation",
        "plot_vanishing_gradients",
        "plot_batch_norm",
        "plot_selu_100_layers",
        "plot_wide_and_deep",
    ],
    "training": [
        "plot_one_dimensional_descent",
        "plot_losses",
        "plot_optimizer_paths",
        "plot_range_test_one_cycle",
        "plot_schedules",
        "plot_gradient_clipping",
    ],
    "regularization": [
        "plot_under_overfitting",
        "plot_bias_variance",
        "plot_early_stopping",
        "plot_l1_zeros",
        "plot_robustness",
    ],
    "searches": [
        "plot_search",
        "plot_grid_random_search",
        "plot_halving",
        "plot_optuna",
        "plot_ensemble",
        "search_on_dask",
    ],
    "inspection": [
        "plot_learning_curves",
        "plot_debugging",
        "plot_weights_and_activations",
        "plot_dropout_uncertainty",
    ],
    "projects": [
        "plot_california_project",
        "plot_classification_metrics",
    ],
}


def place(file_name: str) -> int:
    """Where a program stands in the whole gallery, by the name of its file."""
    names = [name for group in GROUPS.values() for name in group]
    return names.index(file_name.removesuffix(".py"))
