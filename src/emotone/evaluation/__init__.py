"""Evaluation: folds, rates, intervals, calibration, results folders."""
