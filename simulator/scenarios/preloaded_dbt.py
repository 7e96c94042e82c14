"""dbt, imported after `preloaded` in the process that forks others, if their scenarios import it."""

import contextlib
import gc
import importlib

gc.disable()
for name in ("dbt.cli.main", "dbt.adapters.duckdb", "simulator.patches.dbt_manifests"):
    with contextlib.suppress(ImportError):  # whoever needs it meets it as well, and says so
        importlib.import_module(name)
gc.collect()
gc.freeze()
gc.enable()
