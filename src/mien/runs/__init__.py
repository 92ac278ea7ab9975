"""A run directory and all that is known of one training, without torch."""
