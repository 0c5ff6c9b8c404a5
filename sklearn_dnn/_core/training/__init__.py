"""The loop and what it needs; no estimator and no task is known here."""
