"""Attacks on emotone, seeded and bounded in time; ``python -m benchmarks.attack`` runs them.

Each target is a module with a function ``attack(plan)``. It tries cases and reports faults, each
with the name of its case; ``--case NAME`` tries that one again.
"""
