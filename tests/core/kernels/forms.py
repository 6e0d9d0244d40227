"""The compiled kernels of every tier that this processor can run, for tests that hold them to their twins."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from sprint.core import kernels
from sprint.core.errors import KernelError
from sprint.core.kernels.binding import Kernels
from sprint.core.kernels.tiers import TIERS
from sprint.tools.relay.kernels_warm_up import own_folder

SECRET = bytes(range(32))
COMPILED = tuple(tier.name for tier in TIERS)


@cache
def compiled(tier: str) -> Kernels | None:
    """Return a tier's kernels, from the user's own cache; None where this processor can't run it."""
    before = kernels.in_use()
    folder = own_folder(os.environ)
    try:
        # Of processes that share the tests one compiles, and the others then find what it has kept.
        with (folder / "tests.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return kernels.warm(str(folder), SECRET, tier)
    except KernelError as error:
        if "this processor has not" not in str(error):
            raise
        return None
    finally:
        kernels.use(before)


@contextmanager
def in_use(form: Kernels) -> Iterator[None]:
    """Put a form into use for a while."""
    before = kernels.use(form)
    try:
        yield
    finally:
        kernels.use(before)
