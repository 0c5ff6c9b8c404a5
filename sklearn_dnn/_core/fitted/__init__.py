"""What was fitted: outputs, exports and summaries of the arrays that an estimator holds."""
