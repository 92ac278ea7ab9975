"""Many trainings at once: sweeps, each trial a process of its own."""
