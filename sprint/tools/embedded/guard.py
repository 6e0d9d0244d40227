"""Runs a command until it ends or stdin does: what it runs doesn't outlive a parent that was killed.

    python -m sprint.tools.embedded.guard COMMAND…

It first says the command's process on stdout, `{"guarded": PID}`, where the command's own lines follow. The
command has a pipe of the guard's as its stdin, which ends with the guard. A command that is stopped is killed
where it doesn't end by SIGTERM.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading

STOP_TIMEOUT_S = 8.0
PIECE_SIZE = 4_096
ENDED_BY_SIGNAL = 128
_STDIN = 0
_STDOUT = 1


def guard(command: list[str]) -> int:
    """Run a command with this process' stdout and stderr; return its exit code, as a shell would.

    That is 128 and the signal's number where one ended it.
    """
    child = subprocess.Popen(command, stdin=subprocess.PIPE)
    # A parent that is gone before it is told has left stdin at its end, and the command is stopped by that.
    with contextlib.suppress(BrokenPipeError):
        os.write(_STDOUT, json.dumps({"guarded": child.pid}).encode() + b"\n")
    threading.Thread(target=_end_with_stdin, args=(child,), daemon=True).start()
    code = child.wait()
    return code if code >= 0 else ENDED_BY_SIGNAL - code


def _end_with_stdin(child: subprocess.Popen[bytes]) -> None:
    while os.read(_STDIN, PIECE_SIZE):
        pass
    child.terminate()
    try:
        child.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1:]))
