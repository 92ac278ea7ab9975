"""Files, downloads and what else touches the machine."""
