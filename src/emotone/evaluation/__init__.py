"""What predictions are worth: folds, rates, intervals, calibration, results folders."""
