"""What users never import: tables to numbers, specification, network, training, fits.

What stands here may change at any time; no file of a saved estimator names it.
"""
