"""A store that an operator puts back from a copy, under a subscriber who has seen more than the copy has."""

from __future__ import annotations

import shutil
from pathlib import Path

from sprint.core.errors import CursorForeign
from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import free_ports, wait_until
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import Listener, blocks_of

CHAIN = "litecoin-regtest"


def test_a_subscriber_of_a_store_that_was_put_back_was_given_other_events_at_the_places_it_knew(
    tmp_path: Path,
) -> None:
    """Copied after a clean stop, put back after kill -9, with the relay's own folder still there."""
    (port,) = free_ports(1)
    store = tmp_path / "data" / "sprint.db"
    with DevnetProcess(CHAIN) as devnet:
        options = ("--source", devnet.source_url, "--data-dir", str(store.parent))
        relay = RelayProcess(tmp_path, *options, port=port)
        try:
            with Listener(relay.url, types=("block",)) as listener:
                listener.wait_for_block(devnet.mine(1)[-1])
                relay.terminate()
                shutil.copy(store, tmp_path / "copy")
                relay = RelayProcess(tmp_path, *options, port=port)
                listener.wait_for_block(devnet.mine(2)[-1])
                old_id = relay.log_id
                relay.kill()
                for suffix in ("-wal", "-shm"):
                    store.with_name(store.name + suffix).unlink(missing_ok=True)
                shutil.copy(tmp_path / "copy", store)
                relay = RelayProcess(tmp_path, *options, port=port)
                wait_until(lambda: listener.error is not None, "the subscriber is told")
            assert isinstance(listener.error, CursorForeign)
            assert relay.log_id != old_id
            assert "the database was put back to an earlier state: a new log begins" in relay.stderr()
            with Listener(relay.url, types=("block",)) as fresh:
                fresh.wait_for_block(devnet.tip)
                mined = devnet.hashes()
                assert blocks_of(fresh.events) == mined[-len(blocks_of(fresh.events)) :]
        finally:
            relay.kill()
