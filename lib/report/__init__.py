"""The report of a run: one page with players, figures and tables."""
