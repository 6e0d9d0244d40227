"""What one chain's pipeline knows: the tree, the announcements beside it, the wanted bodies, the sources.

`admit` reads it, `settle` and `overdue` change it, `pipeline` owns it. It decides nothing.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator

from sprint.core.chains import Processor
from sprint.core.relay.announcers import Announcers
from sprint.core.relay.board import SourceBoard
from sprint.core.relay.book import AnnouncementBook
from sprint.core.relay.fetch import BodyFetcher, Request
from sprint.core.relay.head import HeadTracker, Node
from sprint.core.relay.prove import BlockResult, Ground
from sprint.core.relay.providers import Providers
from sprint.core.relay.quorum import Quorum
from sprint.core.relay.settings import ChainSettings
from sprint.core.relay.syncing import Syncing
from sprint.core.relay.tally import Tally
from sprint.core.relay.trials import Trials


class ChainState:
    """`begun` is false until the log's first block is found.

    `synced` has by name the ready sources that serve headers and bodies, `announcers` those that do not.

    `unix_time_offset_s` turns the pipeline's `now` into Unix time, which headers are held against.
    """

    def __init__(
        self, processor: Processor, settings: ChainSettings, tree: HeadTracker, genesis_hash: bytes
    ) -> None:
        self.processor = processor
        self.settings = settings
        self.tree = tree
        self.genesis_hash = genesis_hash
        self.begun = tree.head.settled
        self.begin_at: float | None = None
        self.book = AnnouncementBook()
        self.board = SourceBoard(settings)
        self.fetcher = BodyFetcher(
            settings, self.book.proving_bodies, self.board.demoted, self.board.slow_after_s
        )
        self.synced: dict[str, bool] = {}
        self.syncing = Syncing()
        self.announcers = Announcers()
        self.providers = Providers()
        self.quorum = Quorum(settings, self.providers, lambda: [*self.serving, *self.announcers])
        self.idle_answers: dict[str, int] = {}
        self.trials = Trials()
        self.far_behind: set[str] = set()  # of this chain, but forking off below the kept tree
        self.orphans: OrderedDict[bytes, BlockResult] = OrderedDict()
        self.hash_wants: set[bytes] = set()
        # What gaps have passed over and is not wanted again yet, the newest last.
        self.passed_over: deque[bytes] = deque(maxlen=settings.retained_blocks_max)
        self.tally = Tally()
        self.unix_time_offset_s = 0.0

    def __repr__(self) -> str:
        return f"ChainState({self.tree!r}, begun={self.begun}, {self.fetcher!r})"

    def locator(self) -> tuple[bytes, ...]:
        """Return hashes from the best header down, ending with the genesis block's.

        While blocks wait for their quorum they begin below those, so that the answer tells who has them.
        """
        hashes = self.tree.locator(self.quorum.below_waiting(self.tree.head))
        return tuple(hashes if hashes[-1] == self.genesis_hash else [*hashes, self.genesis_hash])

    def ground(self, parent: Node, now: float) -> Ground:
        """Return what a header on `parent` stands on."""
        return Ground(parent.ancestry, now + self.unix_time_offset_s)

    @property
    def sources_ready(self) -> int:
        """How many sources are ready, those included that only announce."""
        return len(self.serving) + len(self.announcers)

    def headers_request(self, source: str) -> Request:
        return Request(source, locator=self.locator())

    def headers_requests(self, source: str) -> list[Request]:
        """Ask a source for headers; where it only announces, all those that serve them."""
        asked = tuple(self.synced) if source in self.announcers else (source,)
        return [self.headers_request(each) for each in asked]

    def confirm(self, node: Node, source: str, read_at: float, *, new: bool = False) -> None:
        """Note that a source announced a block of the tree, and with it those below; its first time counts.

        `new`: the block has just entered, so whoever comes first has won it. One restored from the store
        was won by nobody.
        """
        self.trials.announced(source, node)
        if source in node.sources:
            return
        self.announcers.backed(source)
        first = min(node.sources.values(), default=None)
        for agreed in self._not_connected_below(node):
            if source in agreed.sources:
                break
            agreed.sources[source] = read_at
        node.sources[source] = read_at
        if first is not None:
            self.board.confirmed(source, node.height, max(0.0, read_at - first))
        elif new:
            self.board.won(source, node.height)
        else:
            self.board.reached(source, node.height)

    def ready_count(self) -> int:
        """Return how many sources serve and are not on trial."""
        return sum(source not in self.trials.on_trial for source in self.serving)

    @property
    def serving(self) -> list[str]:
        """The ready sources that serve headers and bodies, but those that are still syncing themselves."""
        return [source for source in self.synced if source not in self.syncing]

    def _not_connected_below(self, node: Node) -> Iterator[Node]:
        below = node.parent
        while below is not None and not below.connected:
            yield below
            below = below.parent

    def take_in(self, source: str) -> None:
        """Ask a source for bodies from here on, and hold it against the others."""
        self.fetcher.source_ready(source)
        self.board.ready(source, self.tree.head.height)

    def has_body(self, node: Node) -> bool:
        return node.record is not None or node.anchored

    def forget_source(self, source: str) -> None:
        """Forget what is known of a source that is lost."""
        self.fetcher.source_lost(source)
        self.fetcher.may_keep_all(source)
        self.board.lost(source)
        self.book.forget(source)
        self.idle_answers.pop(source, None)
        self.far_behind.discard(source)
        self.syncing.lost(source)
