"""The kinds of model: how each is built, exported and counted."""
