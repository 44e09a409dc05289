"""A local collector that speaks every system's protocol and shows what arrives."""
