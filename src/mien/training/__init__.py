"""Training: fit a recipe's network on a data set, and write the run."""
