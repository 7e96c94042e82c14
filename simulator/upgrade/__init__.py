"""What changes between two versions of Prefect: the same scenarios, the same seed, two environments.

`environments.py` makes the other environment, `recording.py` runs in both, `telling.py` says what
differs, as `history` finds it. It may import `scenarios` and `history`. Open `comparing.py` first.
"""

from simulator.upgrade.comparing import Comparison, compare_versions, sides_of
from simulator.upgrade.recording import kept_as
from simulator.upgrade.telling import as_page, as_text

__all__ = ["Comparison", "as_page", "as_text", "compare_versions", "kept_as", "sides_of"]
