"""Find, fetch, convert and fit a base model; export the voices that are trained from it."""
