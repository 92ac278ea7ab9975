"""Exact and near duplicates within and between sets of images."""
