"""
First fit
=========

A network and a linear model, on one classification and one regression table of scikit-learn.
Both are small and nearly linear, so expect the network to be close to the linear model, not far
ahead of it. What to take home is the shape of the program: a pipeline, folds, and a linear
baseline that a network has to beat to be worth its time.
"""

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dnn import MLPClassifier, MLPRegressor

N_SPLITS = 5


def compare(title, X, y, *, scoring, models, folds):
    """Print mean and standard deviation of the score of each model over the same folds."""
    print(f"\n{title}: {len(X)} rows, {X.shape[1]} columns, {scoring} over {N_SPLITS} folds")
    for name, model in models.items():
        scores = cross_val_score(
            make_pipeline(StandardScaler(), model), X, y, cv=folds, scoring=scoring
        )
        print(f"  {name:<20} {np.mean(scores):6.3f} +- {np.std(scores):.3f}")


def main():
    X, y = load_breast_cancer(return_X_y=True)
    compare(
        "breast cancer",
        X,
        y,
        scoring="accuracy",
        models={
            "LogisticRegression": LogisticRegression(max_iter=1000),
            "MLPClassifier": MLPClassifier(max_iter=50, random_state=0),
        },
        folds=StratifiedKFold(N_SPLITS, shuffle=True, random_state=0),
    )

    X, y = load_diabetes(return_X_y=True)
    compare(
        "diabetes",
        X,
        y,
        scoring="r2",
        models={
            "Ridge": Ridge(alpha=1.0),
            # A table this small is soon learnt by heart: few epochs and a strong penalty.
            "MLPRegressor": MLPRegressor(max_iter=30, alpha=1.0, random_state=0),
        },
        folds=KFold(N_SPLITS, shuffle=True, random_state=0),
    )


if __name__ == "__main__":
    main()
