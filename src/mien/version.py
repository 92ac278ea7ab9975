"""The version of mien, in a module that imports nothing, so that every room may name it."""

from typing import Final

VERSION: Final = "0.1.0"
