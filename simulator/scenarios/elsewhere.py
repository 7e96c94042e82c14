"""Run scenarios on the machines of a Dask cluster, each variant in a process of its own there."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from simulator.cluster import Answer, Cluster
from simulator.fingerprints import check_fingerprint, fingerprint, repository_of
from simulator.folders import throw_away
from simulator.scenarios.broken import short_path
from simulator.scenarios.definition import Scenario
from simulator.scenarios.files import load_file, select
from simulator.scenarios.runner import Event, Finished, Started, Warned, log_of, run_scenarios
from simulator.scenarios.variant import check_days
from simulator.scenarios.verdict import VariantResult


def run_elsewhere(
    cluster: Cluster,
    scenarios: Sequence[Scenario],
    *,
    seed: int = 0,
    days: int | None = None,
    logs: Path,
) -> Generator[Event, None, None]:
    """Run every variant of the scenarios on a cluster and yield what happens, as `run_scenarios` does.

    The folder of each scenario's repository has to be there under the same path, with the same code.
    How far a variant has come is not known here: each is told as begun when it is handed out.
    """
    if days is not None:
        check_days(days)
    waiting = [(scenario, variant) for scenario in scenarios for variant in scenario.variants]
    waiting.sort(key=lambda job: -(days or job[0].days))
    for scenario in scenarios:
        log_of(scenario, logs).write_bytes(b"")
    made_of = {home: fingerprint(home) for home in {repository_of(one.file) for one in scenarios}}
    pieces = {}
    for number, (scenario, variant) in enumerate(waiting):
        home = repository_of(scenario.file)
        pieces[number] = _Variant(
            home, made_of[home], scenario.file, scenario.name, variant, seed, days
        )
        yield Started(scenario.name, variant)
    for there in cluster.run(pieces):
        scenario, variant = waiting[there.name]
        yield from _told(there, scenario, variant, seed, days, log_of(scenario, logs))


def _told(
    there: Answer, scenario: Scenario, variant: str, seed: int, days: int | None, log: Path
) -> Generator[Event, None, None]:
    if there.value is None:
        lost = VariantResult(
            scenario=scenario.name, variant=variant, seed=seed, days=days or scenario.days,
            error=there.error,
        )  # fmt: skip
        yield Finished(lost)
        return
    result, warned, said, log_there = there.value
    with log.open("ab") as file:
        file.write(said)
    yield Finished(replace(result, error=result.error.replace(log_there, short_path(log))))
    for text in warned:
        yield Warned(text.replace(log_there, short_path(log)))


@dataclass(frozen=True)
class _Variant:
    """One variant. Called where it is to live, it returns its result, warnings, what was printed, and
    which file they say that is in.
    """

    home: Path
    made_of: str
    file: Path
    scenario: str
    variant: str
    seed: int
    days: int | None

    def __call__(self) -> tuple[VariantResult, list[str], bytes, str]:
        check_fingerprint(self.home, self.made_of)
        [found] = select(load_file(self.file), [self.scenario])
        alone = replace(found, variants={self.variant: found.variants[self.variant]})
        results, warned = [], []
        with throw_away("simulate-logs-") as logs:
            for event in run_scenarios([alone], seed=self.seed, days=self.days, jobs=1, logs=logs):
                if isinstance(event, Finished):
                    results.append(event.result)
                elif isinstance(event, Warned):
                    warned.append(event.text)
            [result] = results
            log = log_of(alone, logs)
            return result, warned, log.read_bytes(), short_path(log)
