"""Training a network on the training speakers of a fold."""
