"""A project: a package whose modules import one another."""
