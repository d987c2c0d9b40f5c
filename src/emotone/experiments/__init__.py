"""Experiments: configuration, cross-validation, ablation, adaptation, models to ship."""
