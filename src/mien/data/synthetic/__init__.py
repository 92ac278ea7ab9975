"""Draw synthetic faces, and crops without a face."""
