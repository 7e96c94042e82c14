"""What the simulator costs: `make bench`."""
