"""One trial as plain values: jobs, arms, seeds, the judge; neither Optuna nor TensorFlow."""
