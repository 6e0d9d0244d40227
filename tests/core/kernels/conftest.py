"""Every compiled form that this processor can run, and what is left of these tests where none can be had."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest

from sprint.core.kernels.binding import Kernels
from tests.core.kernels.forms import COMPILED, compiled

# The rest of the tests has to pass on the twins alone: tests/core/test_without_compiling.py runs them so.
COMPILES = find_spec("numba") is not None and os.environ.get("NUMBA_DISABLE_JIT", "0") == "0"
collect_ignore_glob = [] if COMPILES else ["test_compiled_*.py"]


@pytest.fixture(params=COMPILED)
def form(request: pytest.FixtureRequest) -> Kernels:
    """Every compiled form in turn; one that this processor can't run is skipped, and said."""
    found = compiled(request.param)
    if found is None:
        pytest.skip(f"this processor can't run {request.param}")
    return found


@pytest.fixture(scope="session")
def forms() -> tuple[Kernels, ...]:
    """All of them at once, for inputs that take longer to make than to work on."""
    found = tuple(form for form in map(compiled, COMPILED) if form is not None)
    assert found, "any processor can run the portable one"
    return found
