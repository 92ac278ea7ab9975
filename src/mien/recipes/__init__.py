"""What to train, as data: one TOML file a recipe."""

from mien.recipes.recipe import Recipe, list_recipes, load_recipe

__all__ = ["Recipe", "list_recipes", "load_recipe"]
