"""The flows of the weather stations, all served by this script: `python serve.py`."""

import time
from datetime import date

from prefect import flow, serve, task

STATIONS = {"harbour": 11.5, "hill": 7.0, "airport": None}  # the airport's is being repaired


@task(retries=2, retry_delay_seconds=60)
def measure(station: str) -> float:
    time.sleep(20)
    temperature = STATIONS[station]
    if temperature is None:
        raise RuntimeError(f"no signal from {station}")
    return temperature


@flow
def station(name: str) -> float:
    return measure(name)


@flow
def readings():
    # One station without a signal is no reason to lose the others.
    return [station(name, return_state=True).is_completed() for name in STATIONS]


@flow
def forecast(hours: int = 48):
    time.sleep(hours * 100)


@task
def publish(text: str) -> None:
    time.sleep(45)


@flow
def bulletin(day: date = date.today()):
    publish.submit(f"The weather of {day}")


@flow
def tidy_up():
    time.sleep(300)


if __name__ == "__main__":
    serve(
        readings.to_deployment("stations", cron="0 */3 * * *"),
        forecast.to_deployment("model", interval=3600),
        bulletin.to_deployment(
            "radio", schedule={"cron": "30 2 * * *", "timezone": "Europe/Berlin"}
        ),
        tidy_up.to_deployment("disk", cron="0 3 * * *"),
        limit=10,
    )
