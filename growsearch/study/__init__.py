"""The run as it is stored: its Optuna study, its networks, what is read from them."""
