"""What a process does when its real-time thread has used the CPU too long: it steps down, and lives.

The kernel sends SIGXCPU at the soft limit of RLIMIT_RTTIME, whose default is the end of the process. Python
runs a handler between two of its own instructions: a loop of Python code steps down. One in compiled code
never gets to it, and the hard limit kills the process. Source: setrlimit(2), sched(7).
"""

from __future__ import annotations

import logging
import os
import signal
import threading

logger = logging.getLogger(__name__)


def step_down_on_overrun() -> None:
    """Handle SIGXCPU by leaving the real-time policy. Signals are the main thread's: elsewhere, nothing."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGXCPU, _step_down)


def let_overrun_kill() -> None:
    """Let SIGXCPU do again what it does by default, if the handler is ours."""
    ours = signal.getsignal(signal.SIGXCPU) is _step_down
    if ours and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)


def _step_down(_number: int, _frame: object) -> None:
    # With the flag: to leave it out asks for CAP_SYS_NICE.
    os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
    logger.warning(
        "the loop's thread used the CPU for its guard's time without a wait: it left the real-time policy"
    )
