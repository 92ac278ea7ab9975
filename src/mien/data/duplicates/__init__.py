"""Find exact and near duplicates within and between sets of images."""
