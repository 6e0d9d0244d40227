from __future__ import annotations

import pytest

from sprint.core.kernels.binding import Kernels
from tests.core.kernels.forms import COMPILED, compiled


@pytest.fixture(params=COMPILED)
def form(request: pytest.FixtureRequest) -> Kernels:
    """Every compiled form in turn; one that this processor can't run is skipped, and said."""
    found = compiled(request.param)
    if found is None:
        pytest.skip(f"this processor can't run {request.param}")
    return found
