"""Check an installation: its configuration, its systems, and what becomes of a hit."""
