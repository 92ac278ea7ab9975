"""Run directories, with the record of a training and its evaluations; torch is not needed."""
