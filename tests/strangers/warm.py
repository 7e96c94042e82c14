"""A process that has imported what every simulation needs, and becomes each script that it is told of.

It reads lines of JSON, a script's path and a folder each; forks a process that runs the script as
`python script.py` does in its folder, writing to `stdout.txt` and `stderr.txt` there; and answers with a
line, the exit code.
"""

import faulthandler
import json
import os
import signal
import sys
import types
from pathlib import Path

LONGEST_SECONDS = 200
"""How long a script may take, in real time: then it is ended, and says where all its threads stand."""


def main() -> None:
    """Fork for each line, until there are no more."""
    while line := sys.stdin.readline():
        script, folder = map(Path, json.loads(line))
        if (child := os.fork()) == 0:
            become(script, folder)
            return  # the interpreter ends as it does after any script: threads, `atexit`
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def become(script: Path, folder: Path) -> None:
    """Be the process that `python script.py` starts in a folder."""
    for target, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, folder / "stdout.txt", os.O_WRONLY | os.O_CREAT),
        (2, folder / "stderr.txt", os.O_WRONLY | os.O_CREAT),
    ):
        opened = os.open(name, flags)
        os.dup2(opened, target)
        os.close(opened)
    faulthandler.dump_traceback_later(LONGEST_SECONDS, exit=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    sys.argv[:] = [str(script)]
    sys.path[0] = str(script.parent)
    module = types.ModuleType("__main__")
    module.__file__ = str(script)
    sys.modules["__main__"] = module
    exec(compile(script.read_bytes(), script, "exec"), vars(module))


if __name__ == "__main__":
    import simulator.scenarios.preloaded  # noqa: F401

    main()
