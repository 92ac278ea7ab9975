"""Recipes: everything that decides a training, as data, in one TOML file per recipe."""

from mien.recipes.recipe import Recipe, list_recipes, load_recipe

__all__ = ["Recipe", "list_recipes", "load_recipe"]
