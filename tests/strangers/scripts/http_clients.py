"""We poll the API ourselves from our flows (with whatever HTTP library each team likes)."""
import asyncio, json, os, urllib.request

import aiohttp, httpx, requests
from prefect import flow, task
from prefect.settings import PREFECT_API_URL
from simulator import Simulation


@task
def with_httpx(url):
    return httpx.post(url + "/flow_runs/filter", json={"limit": 5}).json()


@task
def with_requests(url):
    s = requests.Session()
    s.headers["x-team"] = "data"
    return s.post(url + "/flow_runs/filter", json={"limit": 5}).json()


@task
def with_urllib(url):
    asked = urllib.request.Request(url + "/flow_runs/filter", data=b'{"limit": 5}',
                                   headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(asked) as response:
        return json.load(response)


@task
async def with_aiohttp(url):
    async with aiohttp.ClientSession() as session:
        async with session.post(url + "/flow_runs/filter", json={"limit": 5}) as response:
            return await response.json()


@flow
def ask_around():
    url = PREFECT_API_URL.value()
    return [with_httpx(url), with_requests(url), with_urllib(url), asyncio.run(with_aiohttp(url))]


with Simulation() as sim:
    run = sim.run(ask_around)
    assert run.state == "Completed", run.message
    seen = {(answer[0]["name"], answer[0]["state_name"]) for answer in run.result}
    assert seen == {(run.name, "Running")}, seen
    print(len(run.result), "answers")
# prints: 4 answers
