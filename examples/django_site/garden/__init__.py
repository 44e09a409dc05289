"""A small shop for plants."""
