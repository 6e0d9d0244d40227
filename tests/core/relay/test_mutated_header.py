"""A header whose proof is not covered by its hash: a false proof costs its source, never the hash."""

from __future__ import annotations

import msgspec

from sprint.core.chains import Rejected
from sprint.core.relay.admit import INVALID_PENALTY, Duplicate, Refused
from sprint.core.relay.prove import HeadersProof
from tests.core.relay.driving import Blocks, Driver, begun, shown

FALSE_PROOF = Rejected("auxpow", "the chain branch is false", mutated=True)


def refuse(driver: Driver, proof: object, rejected: Rejected) -> list[tuple[str, int]]:
    """Settle a proof as refused at its first header; return the penalties and send its requests."""
    assert isinstance(proof, HeadersProof), proof
    result = msgspec.structs.replace(proof.run(), headers=(), ancestries=(), rejected=rejected)
    outcome = driver.take(driver.pipeline.settle(result, driver.now))
    return [(penalty.source, penalty.points) for penalty in outcome.penalties]


def test_a_false_proof_does_not_keep_the_true_header_of_another_source_out() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, None, "a", "b"), blocks.mine(1)
    proof = driver.admit(driver.headers_of("a", hashes))
    assert refuse(driver, proof, FALSE_PROOF) == [("a", INVALID_PENALTY)]
    driver.follow("b", hashes)
    assert driver.delivered() == shown(hashes)


def test_a_header_that_breaks_a_rule_itself_stays_refused() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, None, "a", "b"), blocks.mine(1)
    broken = msgspec.structs.replace(FALSE_PROOF, mutated=False)
    assert refuse(driver, driver.admit(driver.headers_of("a", hashes)), broken)
    assert isinstance(driver.admit(driver.headers_of("b", hashes)), Refused)


def test_who_announced_a_header_while_a_false_proof_of_it_ran_is_asked_again() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, None, "a", "b", "c"), blocks.mine(1)
    proof = driver.admit(driver.headers_of("a", hashes))
    assert isinstance(proof, HeadersProof)
    assert isinstance(driver.admit(driver.headers_of("b", hashes)), Duplicate)
    result = msgspec.structs.replace(proof.run(), headers=(), ancestries=(), rejected=FALSE_PROOF)
    outcome = driver.take(driver.pipeline.settle(result, driver.now))
    assert [request.source for request in outcome.requests if request.locator] == ["b"]
