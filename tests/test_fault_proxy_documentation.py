"""The page on the fault proxy against the code: each kind, key, path, option and limit is told as it is."""

from __future__ import annotations

import re

import msgspec

from sprint.core.faultproxy.channel import HELD_PIECES_MAX, HELD_SIZE_MAX
from sprint.core.faultproxy.codec import (
    CONNECTIONS_MAX_DEFAULT,
    CONNECTIONS_MAX_MOST,
    changed_toxic,
    proxy_of,
    toxic_of,
)
from sprint.core.faultproxy.toxics import DELAY_MS_MAX, KINDS, TOXICS_PER_PROXY_MAX, TTL_MS_MAX, ToxicCounts
from sprint.tools.faultproxy.__main__ import _parser
from sprint.tools.faultproxy.control import BODY_SIZE_MAX, ProxyEndpoints
from sprint.tools.faultproxy.link import CLOSE_TIMEOUT_S, WRITE_SIZE_HIGH
from sprint.tools.faultproxy.proxies import PROXIES_MAX, FaultProxies
from sprint.tools.faultproxy.proxy import CONNECT_TIMEOUT_S, WATCH_INTERVAL_S, FaultProxy
from sprint.tools.faultproxy.reading import BULK_READ_SIZE_MAX, READ_SIZE_MAX
from sprint.tools.web.router import Router
from tests.test_documentation import REFERENCE

TEXT = (REFERENCE / "fault-proxy.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")] for line in TEXT.splitlines() if line[:1] == "|"
]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def row(first: str) -> list[str]:
    (found,) = [cells for cells in ROWS if named(cells[0]) == [first]]
    return found


def test_each_kind_has_its_row_in_its_words_with_its_figures_and_what_holds_without() -> None:
    for kind, rules in KINDS.items():
        cells = row(str(kind))
        assert cells[1] == rules.says
        figures = cells[2] if len(cells) > 2 else ""
        told = dict(re.findall(r"`(\w+)`(?: \((\d+)\))?", figures))
        assert told == {
            name: "" if figure.default is None else str(figure.default)
            for name, figure in rules.figures.items()
        }


def test_the_order_of_the_kinds_is_that_of_the_code() -> None:
    shown = [named(cells[0])[0] for cells in ROWS if named(cells[0]) and named(cells[0])[0] in list(KINDS)]
    assert shown == list(KINDS)


class RecordingRouter(Router):
    """Keeps which paths are added."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: set[str] = set()

    def add(self, method: str, pattern: str, handler: object) -> None:
        self.paths.add(f"{method} {pattern}")


def test_each_path_is_listed_and_the_bodies_of_the_examples_are_taken() -> None:
    router = RecordingRouter()
    ProxyEndpoints(FaultProxies()).add_to(router)
    listed = {f"{cells[0].split()[0]} {named(cells[0])[0]}": cells for cells in ROWS if cells[0][:1] in "GPD"}
    listed = {path: cells for path, cells in listed.items() if " /api" in path}
    assert set(listed) == router.paths
    bodies = {
        path: msgspec.json.decode(named(cells[1])[0]) for path, cells in listed.items() if named(cells[1])
    }
    assert str(proxy_of(bodies["POST /api/proxies"]).target) == "127.0.0.1:19444"
    assert toxic_of(bodies["POST /api/proxies/{proxy}/toxics"]).ttl_ms == 5_000
    toxic = toxic_of(msgspec.json.decode(re.findall(r"-d '(.+)'", TEXT)[0]))
    assert (
        changed_toxic(toxic, bodies["PUT /api/proxies/{proxy}/toxics/{toxic}"]).figures["latency_ms"] == 400
    )


def test_each_field_of_what_is_shown_is_listed() -> None:
    view = FaultProxy(proxy_of({"name": "node", "target": "127.0.0.1:1"})).view()
    after = TEXT.partition("It is shown as:")[2]
    of_proxy, _, of_toxic = after.partition("Of each toxic is counted:")
    told = {
        name for line in of_proxy.splitlines() if line[:3] == "| `" for name in named(line.split(" | ")[0])
    }
    assert told == set(view)
    of_counts = of_toxic.partition("## In process")[0]
    counted = {
        name for line in of_counts.splitlines() if line[:3] == "| `" for name in named(line.split(" | ")[0])
    }
    assert counted == set(ToxicCounts.__slots__)


def test_each_option_is_listed() -> None:
    options = {action.option_strings[0] for action in _parser()._actions} - {"-h"}
    assert {named(cells[0])[0].split()[0] for cells in ROWS if cells[0].startswith("`--")} == options


def test_the_limits_are_those_of_the_code() -> None:
    limits = {
        f"| {HELD_SIZE_MAX // 2**20} MiB, and one read |",
        f"| {HELD_PIECES_MAX:,} |",
        f"| {WRITE_SIZE_HIGH // 1024} KiB, and one read |",
        f"| {BULK_READ_SIZE_MAX >> 10} KiB; {READ_SIZE_MAX >> 10} KiB |",
        f"reads up to {BULK_READ_SIZE_MAX >> 10} KiB at a time",
        f"| {TOXICS_PER_PROXY_MAX}, {PROXIES_MAX} |",
        f"| {CONNECT_TIMEOUT_S:g} s |",
        f"| reset after {CLOSE_TIMEOUT_S:g} s |",
        f"{BODY_SIZE_MAX:,} bytes at most",
        f"`connections_max` ({CONNECTIONS_MAX_DEFAULT:,}; up to {CONNECTIONS_MAX_MOST:,};",
    }
    assert [said for said in limits if said not in TEXT] == []
    assert (DELAY_MS_MAX, TTL_MS_MAX, WATCH_INTERVAL_S) == (3_600_000, 86_400_000, 0.5), (
        "an hour, a day, half a s"
    )
