"""A page that runs a run's own model in the visitor's browser: plain files, no server behind them, nothing from any other host."""
