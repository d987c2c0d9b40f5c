"""The command line: thin commands over functions that a notebook calls just as well."""

from emotone.cli.app import main

__all__ = ["main"]
