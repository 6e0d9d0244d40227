"""A running relay's tables: each block with its header, its sources, the orders it was given, its minutes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx

from tests.integration.devnet_process import DevnetProcess
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import Listener, blocks_of

CHAIN = "litecoin-regtest"


def test_what_a_relay_did_stands_in_its_tables_after_a_stop(tmp_path: Path) -> None:
    with DevnetProcess(CHAIN) as devnet:
        options = ("--source", devnet.source_url, "--data-dir", str(tmp_path / "data"))
        with RelayProcess(tmp_path, *options) as relay, Listener(relay.url) as listener:
            listener.wait_for_block(devnet.mine(20)[-1])
            body = {"action": "force_open", "reason": "a test"}
            url = f"{relay.serving.admin}/api/breakers/store/state"
            assert httpx.post(url, json=body, trust_env=False).status_code == httpx.codes.OK
            body["action"] = "reset"
            assert httpx.post(url, json=body, trust_env=False).status_code == httpx.codes.OK
            devnet_height = devnet.height
            assert relay.terminate() == 0
        given, mined = blocks_of(listener.events), devnet_height
    with closing(sqlite3.connect(tmp_path / "data" / "sprint.db")) as tables:

        def ask(query: str) -> list[tuple[object, ...]]:
            return tables.execute(query).fetchall()

        headers = ask("SELECT hash FROM sprint_chains_headers WHERE tx_count > 0 ORDER BY height")
        assert [row[0] for row in headers] == given
        orders = ask("SELECT action, reason, outcome FROM sprint_enterprise_audit_log ORDER BY entry")
        assert orders == [("force_open", "a test", "done"), ("reset", "a test", "done")]
        (counted,) = ask(
            "SELECT sum(blocks_accepted), sum(events), max(height) FROM sprint_analytics_throughput"
        )
        (events,) = ask("SELECT count(*), max(height) FROM sprint_core_events")
        assert counted == (len(given), *events)
        (way,) = ask("SELECT sum(blocks) FROM sprint_analytics_latency WHERE stage = 'relay'")
        assert way == (len(given),)
        # The only source was first with every block, also with those below the log's beginning.
        ((wins, duplicates),) = ask("SELECT sum(wins), sum(duplicates) FROM sprint_analytics_duplicates")
        assert (wins, duplicates) == (mined, 0)
        assert ("store", "closed") in ask("SELECT breaker, state FROM sprint_analytics_breakers")
