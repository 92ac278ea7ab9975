"""A FaceDataset and a Recipe to a Run."""
