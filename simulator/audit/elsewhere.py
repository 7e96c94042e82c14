"""Simulations on the machines of a Dask cluster, each in a process of its own there."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from simulator.audit.running import Answer, Here, Work, log_of
from simulator.audit.subject import Subject
from simulator.cluster import Cluster
from simulator.fingerprints import check_fingerprint, fingerprint
from simulator.folders import throw_away


class Elsewhere:
    """Processes of a cluster, on which the subject's folder is under the same path, with the same code.

    Each is ended after `limit` real seconds. What they print goes to files in the folder `logs` here.
    """

    def __init__(self, subject: Subject, cluster: Cluster, limit: float, logs: Path) -> None:
        self._subject, self._cluster, self._limit, self._logs = subject, cluster, limit, logs

    @property
    def jobs(self) -> int:
        return self._cluster.jobs

    def run(self, work: Work) -> Generator[Answer, None, None]:
        made_of = fingerprint(self._subject.home)
        pieces = {
            name: _Simulation(self._subject, made_of, fault, self._limit)
            for name, fault in work.items()
        }
        for there in self._cluster.run(pieces):
            if there.value is None:
                yield Answer(there.name, None, there.error, there.refused, 0.0)
                continue
            answer, said = there.value
            log_of(there.name, self._logs).write_bytes(said)
            yield replace(answer, name=there.name)


@dataclass(frozen=True)
class _Simulation:
    """One simulation. Called where it is to live, it returns the answer, and what was printed."""

    subject: Subject
    made_of: str
    fault: Mapping[str, Any] | None
    limit: float

    def __call__(self) -> tuple[Answer, bytes]:
        check_fingerprint(self.subject.home, self.made_of)
        with throw_away("simulate-logs-") as logs:
            [answer] = Here(self.subject, 1, self.limit, logs).run({"": self.fault})
            return answer, log_of("", logs).read_bytes()
