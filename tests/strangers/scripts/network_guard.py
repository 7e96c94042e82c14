import smtplib

import httpx
from prefect import flow
from simulator import Simulation


@flow
def mail_the_boss():
    smtplib.SMTP("smtp.gmail.com", 587, timeout=5).sendmail("me@example.com", "boss@example.com", "done")


@flow
def call_webhook():
    httpx.post("https://hooks.slack.com/services/T000/B000", json={"text": "done"})


with Simulation() as sim:
    for one, host in ((mail_the_boss, "smtp.gmail.com"), (call_webhook, "hooks.slack.com")):
        run = sim.run(one)
        assert run.state == "Failed"
        assert host in run.message and "allow_network" in run.message, run.message
        assert "\n" not in run.message
    print(*[caveat.where.rpartition("/")[2] for caveat in sim.caveats if caveat.kind == "network"])
# prints: network_guard.py:10 network_guard.py:15
