"""Single images: decode files, read headers, repair PNG files, make face crops."""
