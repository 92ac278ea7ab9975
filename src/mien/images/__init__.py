"""A single image: decode it, read its header, repair it, make a face crop of it."""
