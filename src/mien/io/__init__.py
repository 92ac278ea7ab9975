"""Input and output: whole files, records, downloads, locks, signals, quiet libraries."""
