"""A model for others: a static web page that recognises, and the Hugging Face Hub."""
