"""Run directories, everything that is known of a training, and its evaluations, without torch."""
