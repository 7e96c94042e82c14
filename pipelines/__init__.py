"""Example pipelines: ordinary Prefect flows over DuckDB and dbt, one module a pattern family."""
