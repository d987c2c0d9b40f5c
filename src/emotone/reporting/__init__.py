"""Results as pages, tables, pictures and model cards."""
