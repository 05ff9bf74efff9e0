"""The search loop and its state; the only folder that imports Optuna."""
