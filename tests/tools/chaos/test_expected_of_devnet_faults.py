"""Of each fault that a devnet node shows it is known what it should bring about."""

from __future__ import annotations

import pytest

from sprint.core.chaos.expectation import EXPECTED
from sprint.tools.devnet.faults import Fault


@pytest.mark.parametrize("fault", list(Fault))
def test_of_each_fault_of_the_devnet_it_is_known_what_is_due(fault: Fault) -> None:
    assert fault.value in EXPECTED
