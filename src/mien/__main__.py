"""``python -m mien``: the command line."""

from mien.cli.main import main

main()
