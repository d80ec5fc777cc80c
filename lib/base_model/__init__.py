"""Find, fetch, convert and fit a base model; export what was trained from it."""
