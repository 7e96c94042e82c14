"""Every patch of a foreign library: one file a library, each patch with its reason and a guarding test.

A patch is made by a context manager and undone at its end. It may import `clock`, `process` and the
library that it patches. Each file is imported by those who install it, and never in advance.
"""
