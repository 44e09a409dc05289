"""What tracking costs: `make bench`."""
