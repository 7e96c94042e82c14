"""The records of a history, under the name by which users import them.

The code stands in `simulator.history`.
"""

from simulator.history import LogRecord, RunRecord, StateRecord, TaskRecord

__all__ = ["LogRecord", "RunRecord", "StateRecord", "TaskRecord"]
