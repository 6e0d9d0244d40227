"""A node of another chain with the same magic is told apart by its first answers, and nothing else is."""

from __future__ import annotations

import random

from sprint.core.chains import bitcoin, display_hash, litecoin
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyProcessor
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.protocols.announcements import HeadersAnnounced
from sprint.core.relay.admit import Fetch, Refused
from sprint.core.relay.pipeline import Pipeline
from sprint.core.relay.prove import HeadersProof
from sprint.core.relay.restore import new_tree
from sprint.core.relay.settings import FOREIGN_ANSWERS_MAX, ChainSettings
from sprint.tools.devnet.ledger import RegtestLedger
from tests.core.relay.driving import UNIX_TIME

NOW = 100.0


def ledger_of(parameters: NetworkParameters, blocks: int) -> RegtestLedger:
    ledger = RegtestLedger(parameters, BitcoinFamilyProcessor(parameters), random.Random(1))
    for _ in range(blocks):
        ledger.mine(1_700_000_000)
    return ledger


def pipeline() -> Pipeline:
    processor, settings = BitcoinFamilyProcessor(bitcoin.REGTEST), ChainSettings()
    tree = new_tree(processor, bitcoin.REGTEST.genesis, settings.retained_blocks_max)
    made = Pipeline(processor, settings, tree, bitcoin.REGTEST.genesis_hash, NOW)
    made.set_unix_time(UNIX_TIME, NOW)
    made.source_ready("node", NOW)
    return made


def answer(ledger: RegtestLedger, *locator: bytes) -> HeadersAnnounced:
    headers = ledger.headers_after(locator or (bytes(32),), bytes(32), 2000)
    return HeadersAnnounced("node", tuple(headers), NOW, full=False)


def test_a_source_whose_answers_never_connect_is_refused_with_the_genesis_it_has() -> None:
    foreign, chain = ledger_of(litecoin.REGTEST, 30), pipeline()
    for _ in range(FOREIGN_ANSWERS_MAX - 1):
        assert isinstance(chain.admit(answer(foreign), NOW), Fetch)
    refused = chain.admit(answer(foreign), NOW)
    assert isinstance(refused, Refused)
    assert refused.penalty.points == 100
    assert f"begins at {display_hash(litecoin.REGTEST.genesis_hash)}" in refused.penalty.reason
    assert display_hash(bitcoin.REGTEST.genesis_hash) in refused.penalty.reason


def test_announcements_behind_a_first_answer_that_is_still_being_proved_cost_nothing() -> None:
    ledger, chain = ledger_of(bitcoin.REGTEST, 5), pipeline()
    proof = chain.admit(answer(ledger), NOW)
    assert isinstance(proof, HeadersProof)
    for _ in range(2 * FOREIGN_ANSWERS_MAX):
        ledger.mine(1_700_000_000)
        later = HeadersAnnounced("node", answer(ledger).headers[-1:], NOW, full=False)
        assert not isinstance(chain.admit(later, NOW), Refused)
    assert isinstance(chain.settle(proof.run(), NOW).readmit[0], HeadersAnnounced)


def test_a_source_that_returns_is_judged_afresh() -> None:
    ledger, foreign, chain = ledger_of(bitcoin.REGTEST, 5), ledger_of(litecoin.REGTEST, 5), pipeline()
    proof = chain.admit(answer(ledger), NOW)
    assert isinstance(proof, HeadersProof)
    chain.settle(proof.run(), NOW)
    chain.source_lost("node", "gone", NOW)
    chain.source_ready("node", NOW)
    decisions = [chain.admit(answer(foreign), NOW) for _ in range(FOREIGN_ANSWERS_MAX)]
    assert isinstance(decisions[-1], Refused)


def test_announcements_that_overtake_the_first_answer_cost_nothing() -> None:
    ledger, chain = ledger_of(bitcoin.REGTEST, 5), pipeline()
    early = HeadersAnnounced("node", answer(ledger).headers[-1:], NOW, full=False)
    for _ in range(FOREIGN_ANSWERS_MAX - 1):
        assert isinstance(chain.admit(early, NOW), Fetch)
    proof = chain.admit(answer(ledger), NOW)
    assert isinstance(proof, HeadersProof)
    chain.settle(proof.run(), NOW)
    ledger.mine(1_700_000_000)
    later = HeadersAnnounced("node", answer(ledger).headers[-1:], NOW, full=False)
    assert isinstance(chain.admit(later, NOW), HeadersProof)
