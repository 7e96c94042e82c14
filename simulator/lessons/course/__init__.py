"""The lessons, a file each. `loading.py` has their order."""
