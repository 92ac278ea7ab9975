"""The version of mien, in a module that imports nothing, so that every room may name it."""

VERSION = "0.1.0"
