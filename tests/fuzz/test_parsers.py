"""No input makes a parser raise what is not documented, nor cost more than its bounds.

Each runs for SPRINT_FUZZ_PARSER_S seconds (5 by default, 300 in the soak run). SPRINT_SEED repeats a run.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprint.core.errors import WireError
from tests.fuzz import driver
from tests.fuzz.driver import CORPUS, Parser, corpus_of, fuzz, outcome_of
from tests.fuzz.mutators import BYTES, mutate
from tests.fuzz.parsers import PARSERS

# Outcomes that a run must have reached, so that it is known to get as far; the rarer ones in a long run.
REACHED = {
    "header": {"accepted", "refused proof_of_work", "refused target", "refused auxpow", "refused header"},
    "headers_message": {"read", "WireError truncated"},
    "auxpow": {"accepted", "RuleError auxpow", "WireError truncated"},
    "transaction": {"accepted", "WireError truncated", "WireError malformed"},
    "block": {"accepted", "refused merkle_root", "refused parse", "refused proof_of_work"},
    "framed_body": {"accepted", "WireError truncated"},
    "extension": {"accepted", "WireError truncated"},
    "framed_extension": {"accepted", "RuleError mweb"},
    "answer": {"unreadable", "nTx", "header"},
    "file": {"passed full", "unreadable", "passed header"},
    "ancestry": {"ok", "difficulty", "version"},
    "rpc_answer": {"a result", "refused", "a result failure"},
    "rpc_session": {"open", "closed", "BlockArrived HeadersAnnounced PublishingTold Ready open"},
    "http_answer": {"status 2xx", "waits", "malformed", "too large", "status 4xx"},
    "zmq_parts": {"read hashblock", "read rawblock", "read sequence", "WireError malformed"},
    "zmq_session": {"HashesAnnounced SequenceLost", "silent", "BlockArrived HashesAnnounced"},
}
REACHED_IN_SOAK = {
    **dict.fromkeys(REACHED, frozenset[str]()),
    "framed_body": {"RuleError coinbase", "RuleError transactions", "RuleError witness_commitment"},
    "framed_extension": {"RuleError witness_commitment"},
    "transaction": {"refused transactions"},
}


def named(parser: Parser) -> str:
    return parser.name


@pytest.mark.parametrize("parser", PARSERS, ids=named)
def test_no_input_breaks_a_parser(parser: Parser, seed: int) -> None:
    outcomes = fuzz(parser, seed)
    assert set(outcomes) >= REACHED[parser.name] | (REACHED_IN_SOAK[parser.name] if driver.SOAK else set())


@pytest.mark.parametrize("parser", PARSERS, ids=named)
@settings(max_examples=60)
@given(st.data())
def test_any_bytes_have_an_outcome(parser: Parser, data: st.DataObject) -> None:
    corpus = corpus_of(parser.name)
    base = data.draw(st.sampled_from([b"", *corpus]))
    start = data.draw(st.integers(0, len(base)))
    put = data.draw(st.binary(max_size=64))
    assert outcome_of(parser, base[:start] + put + base[start + data.draw(st.integers(0, 64)) :])


def test_every_parser_has_a_corpus_and_every_corpus_a_parser() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == {parser.name for parser in PARSERS} == set(REACHED)
    assert all(corpus_of(parser.name) for parser in PARSERS)


# The driver itself: what it is there to see, it sees.


def faulty(run: object, *, time_ms_max: float = 1_000, memory_bytes_max: int = 1 << 20) -> Parser:
    assert callable(run)
    return Parser("auxpow", run, BYTES, time_ms_max, memory_bytes_max)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "FUZZ_S", 0.0)


@pytest.mark.usefixtures("short")
def test_an_undocumented_error_is_named_with_its_input() -> None:
    def run(data: bytes) -> str:
        if len(data) < 80:
            raise IndexError(len(data))
        return "ok"

    with pytest.raises(IndexError) as caught:
        fuzz(faulty(run), seed=1)
    assert "auxpow, run " in caught.value.__notes__[0]
    assert "seed 1" in caught.value.__notes__[0]


@pytest.mark.usefixtures("short")
def test_a_slow_input_is_named() -> None:
    def run(data: bytes) -> str:
        return "ok" if len(data) > 80 else str(sum(range(3_000_000)))

    with pytest.raises(AssertionError, match="ms, limit 5"):
        fuzz(faulty(run, time_ms_max=5), seed=1)


@pytest.mark.usefixtures("short")
def test_an_input_that_takes_memory_is_named() -> None:
    def run(data: bytes) -> str:
        return str(len(bytes(2 << 20)))

    with pytest.raises(AssertionError, match="bytes of memory, limit 1048576"):
        fuzz(faulty(run), seed=1)


@pytest.mark.usefixtures("short")
def test_a_documented_error_is_an_outcome() -> None:
    def run(data: bytes) -> str:
        raise WireError("always", kind="trailing")

    assert set(fuzz(faulty(run), seed=1)) == {"WireError trailing"}


def test_the_same_seed_spoils_alike(seed: int) -> None:
    corpus = corpus_of("block")
    one, two = (random.Random(seed) for _ in range(2))
    first = [mutate(corpus, BYTES, one, 10_000) for _ in range(300)]
    assert first == [mutate(corpus, BYTES, two, 10_000) for _ in range(300)]
    assert len(set(first)) > 150
    assert max(map(len, first)) <= 10_000
