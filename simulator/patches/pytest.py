"""The function of pytest that lets a failing `assert` say what it compared.

Nothing is replaced: scenarios are imported with it outside of pytest too. But pytest keeps it to itself
(the same since pytest 5; 9.2 is the newest tried), so it stands here, where all that other libraries do
not promise does. `tests/scenarios/test_scenario.py` reads what it makes of a failing assertion.
"""

from _pytest.assertion.rewrite import rewrite_asserts

__all__ = ["rewrite_asserts"]
