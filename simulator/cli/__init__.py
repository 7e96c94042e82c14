"""The command `simulate`: list scenarios, run them, print verdicts and measures, keep the results,
explain what became of a run, show all of it as a page.

Exit codes: 0 every expectation holds; 1 one does not, or a variant crashed; 2 the command cannot be
carried out (said in one line on standard error); 130 after Ctrl-C, 143 after SIGTERM.

One file a command; `app.py` is what they share. It may import everything, and imports late: the
help must come at once.
"""

import inspect

# They add the commands.
from simulator.cli import (  # noqa: F401
    audit,
    compare,
    doctor,
    explain,
    export,
    learn,
    list,  # noqa: A004
    new,
    project,
    report,
    run,
    schedule,
    show,
    ui,
    upgrade,
)
from simulator.cli.app import app, call, main

for _command in app.registered_commands:  # the first paragraph whole, where typer would cut it
    _said = inspect.getdoc(_command.callback) or ""
    _command.short_help = " ".join(_said.partition("\n\n")[0].split())

__all__ = ["call", "main"]
