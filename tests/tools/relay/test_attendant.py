"""An attendant of a relay is told of its life in order, and shows itself in health and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
from prometheus_client import Gauge

from sprint.core.relay.tiers import find_tier
from sprint.tools.relay.attendant import OnTime, Place
from sprint.tools.relay.metrics import DeliverySeconds
from sprint.tools.relay.service import RelayService, Serving, packaged_tiers
from sprint.tools.runtime import StopSignal
from sprint.tools.web.router import Request, Response
from tests.tools.relay.test_service import START_S, blocks, options


class Witness:
    """An attendant that writes down what it is told."""

    name = "witness"

    def __init__(self) -> None:
        self.told: list[str] = []
        self.is_warm = asyncio.Event()
        self.place: Place | None = None

    def attend(self, place: Place) -> None:
        self.told.append("attend")
        self.place = place
        Gauge("witness_told", "Calls", registry=place.registry).set_function(lambda: len(self.told))
        place.router.add_answer("/api/witness", self._answer)

    def _answer(self, _: Request) -> Response:
        return Response(b'"here"')

    def serving(self) -> None:
        self.told.append("serving")

    def warm(self) -> None:
        self.told.append("warm")
        self.is_warm.set()

    def health(self) -> Mapping[str, Any]:
        return {"status": "ok", "told": len(self.told)}

    def stopped(self) -> None:
        self.told.append("stopped")


def test_an_attendant_is_told_of_the_relays_life_and_shows_itself_on_the_admin_listener() -> None:
    async def scene() -> None:
        witness, stop = Witness(), StopSignal()
        ready: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()

        def serving(line: Serving) -> None:
            assert witness.told == ["attend", "serving"], "all that is done at the start is done by then"
            ready.set_result(line)

        service = RelayService(options(chains=("bitcoin",)), attendants=(witness,))
        running = asyncio.create_task(service.run(serving, stop))
        async with asyncio.timeout(START_S):
            line = await ready
            await witness.is_warm.wait()
            await blocks(line, 1, "chains=bitcoin")
        async with httpx.AsyncClient(base_url=line.admin, trust_env=False) as http:
            assert (await http.get("/api/witness")).json() == "here"
            assert "\nwitness_told 3.0\n" in (await http.get("/metrics")).text
            health = (await http.get("/api/v1/health")).json()
        assert health["parts"]["witness"] == {"status": "ok", "told": 3}
        assert witness.place is not None
        assert witness.place.gc_pauses.collections > 0, "a start ends with a full collection"
        assert witness.place.gc_pauses.seconds > 0.0
        (on_time,) = witness.place.on_time().values()
        assert on_time.all >= 1
        stop.stop(0)
        async with asyncio.timeout(START_S):
            await running
        assert witness.told == ["attend", "serving", "warm", "stopped"]

    asyncio.run(scene())


def test_a_delivery_at_its_tiers_goal_is_on_time_and_one_beyond_is_not() -> None:
    tiers, delivered = packaged_tiers({}), DeliverySeconds()
    turbo, free = find_tier(tiers, "turbo"), find_tier(tiers, "free")
    for tier in (turbo, free):
        goal_s = tier.delivery_goal_ms / 1_000
        delivered.observe("bitcoin", tier.name, goal_s, 3)
        delivered.observe("litecoin", tier.name, goal_s * 1.01, 2)
    assert delivered.on_time([turbo, free]) == {"turbo": OnTime(3, 5), "free": OnTime(3, 5)}
    assert DeliverySeconds().on_time([turbo]) == {"turbo": OnTime(0, 0)}
