"""The version of mien, in a module that imports nothing, so that every package can import it."""

VERSION = "0.1.0"
