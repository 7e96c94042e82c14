"""What all tests share."""

from importlib.metadata import version

from hypothesis import settings

# Real time says nothing here: the machine may be busy, and so may the virtual clock.
settings.register_profile("simulator", deadline=None, print_blob=True)
settings.load_profile("simulator")


def pytest_report_header() -> str:
    """Name the engines first: a failure is often one of theirs."""
    engines = ("prefect", "dbt-core", "dbt-duckdb", "duckdb", "freezegun", "sqlalchemy", "fastapi")
    return "engines: " + ", ".join(f"{name} {version(name)}" for name in engines)
