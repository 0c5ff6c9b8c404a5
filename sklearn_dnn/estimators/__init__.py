"""The estimators: the only part that knows scikit-learn's estimator API."""
