"""Every recorded file is judged as its provenance says, and refused for the right reason with one bit turned.

The table of regions and reasons is printed; the soak run turns 2,000 bits of each region and keeps it.
"""

from __future__ import annotations

import base64
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter

import msgspec
import pytest

from sprint.core.chains import display_hash
from sprint.core.chains.bitcoin_family.node_answer import Candidate, read_answer
from sprint.core.kernels import sha256d
from sprint.core.relay.block_file import Found, of_bytes, split_file
from sprint.core.relay.block_report import BlockReport
from tests.vectors.fixture_table import CHAINS, HERE, Fixture, fixtures, readable
from tests.vectors.regions import HEADER_FIELDS, bit_count, flipped, regions_of

FLIPS = 2_000 if os.environ.get("SPRINT_SOAK") == "1" else 50
COMMAND_TIMEOUT_S = 60.0
WHOLE = fixtures("full", "header")

# What may become of a block with one bit turned there. One in a count or length makes the rest unreadable.
REASONS = {
    **{field: {"proof_of_work"} for field in HEADER_FIELDS},
    "header bits": {"proof_of_work", "target"},
    "parent coinbase": {"auxpow", "header"},
    "coinbase branch": {"auxpow", "header"},
    "coinbase index": {"auxpow"},
    "chain branch": {"auxpow", "header"},
    "chain index": {"auxpow"},
    "parent header": {"auxpow", "proof_of_work"},
    "transaction count": {"parse"},
    "coinbase": {"merkle_root", "parse"},
    "transaction": {"merkle_root", "parse"},
    "witness": {"witness_commitment", "parse"},
    "extension block": {"mweb", "parse"},
    "extension input's commitment": {"mweb", "passed"},  # unbound without the output that it spends
    "listed ids": {"merkleroot"},
}
# Dogecoin Core reads these 32 bytes and asks nothing of them: blocks that differ there only are all valid.
UNREAD = {"parent hash"}


def ids(fixture: Fixture) -> str:
    return str(fixture)


@pytest.mark.parametrize("fixture", WHOLE, ids=ids)
def test_every_recorded_file_passes_at_its_level(fixture: Fixture) -> None:
    reports = fixture.judged(fixture.found())
    assert reports
    assert [report.reason for report in reports if not report.passed] == []
    assert {report.level for report in reports} == {fixture.level}
    assert set(re.findall(r"\b[0-9a-f]{64}\b", fixture.expected)) <= {report.hash for report in reports}


@pytest.mark.parametrize("fixture", fixtures("refuse"), ids=ids)
def test_what_must_be_refused_is(fixture: Fixture) -> None:
    (report,) = fixture.judged(fixture.found())
    assert not report.passed
    assert report.reason.startswith("previousblockhash: ")


@pytest.mark.parametrize(
    ("chain", "network"), sorted({(f.chain, f.network) for f in fixtures("full", "header", "refuse")})
)
def test_the_command_judges_the_recorded_files_alike(chain: str, network: str) -> None:
    files = [f for f in fixtures("full", "header", "refuse") if (f.chain, f.network) == (chain, network)]
    done = subprocess.run(
        [sys.executable, "-m", "sprint.cli.main", "relay", "verify", chain, "--network", network, "--json",
         *(str(fixture.path) for fixture in files)],
        capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False,
    )  # fmt: skip
    reports = msgspec.json.decode(done.stdout, type=list[BlockReport])
    refused = any(fixture.level == "refuse" for fixture in files)
    assert (done.returncode, done.stderr) == (int(refused), "")
    for fixture in files:
        found = [report for report in reports if report.file == str(fixture.path)]
        assert found
        outcome = {report.level if report.passed else "refuse" for report in found}
        assert outcome == {fixture.level}, fixture


@pytest.mark.parametrize("fixture", WHOLE, ids=ids)
def test_a_turned_bit_is_refused_by_the_check_that_covers_it(fixture: Fixture, seed: int) -> None:
    rng = random.Random(f"{seed}/{fixture}")
    found = fixture.found()
    for region, places in _places(fixture, found).items():
        reasons = _flip(fixture, places, region, rng)
        flips = reasons.total()
        print(f"{fixture!s:52} {region:32} {flips:6} {dict(reasons)}")
        assert set(reasons) <= _expected(fixture, region, places), f"{region}, seed {seed}"


Places = list[tuple[Found, list[range]]]


def _places(fixture: Fixture, found: list[Found]) -> dict[str, Places]:
    """Where each region lies in each of a file's blocks.

    An answer's bytes are also judged without what it says of them, as the network would. On regtest half of
    all headers meet the target: there a header is held against its known hash.
    """
    regions: dict[str, Places] = {}
    for each in found:
        candidate = each.candidate
        assert isinstance(candidate, Candidate)
        spans_of = regions_of(candidate.raw, fixture.parameters, header_only=candidate.header_only)
        bare = msgspec.structs.replace(
            each, candidate=msgspec.structs.replace(candidate, claims={}, txids=None)
        )
        known = msgspec.structs.replace(each, candidate=_with_hash(candidate))
        for region, spans in spans_of.items():
            easy = fixture.network == "regtest" and region in HEADER_FIELDS
            if not easy:
                regions.setdefault(region, []).append((bare, spans))
            if region in HEADER_FIELDS and (easy or candidate.claims):
                regions.setdefault(f"{region}, hash known", []).append((known, spans))
        if candidate.txids is not None:
            regions["listed ids"] = [(each, [range(32 * len(candidate.txids))])]
    return regions


def _with_hash(candidate: Candidate) -> Candidate:
    said = candidate.claims or {"hash": display_hash(sha256d(candidate.raw[:80]))}
    return msgspec.structs.replace(candidate, claims=said)


def _flip(fixture: Fixture, places: Places, region: str, rng: random.Random) -> Counter[str]:
    """Turn bits of one region, each by itself: all where there are few, else so many at random."""
    reasons: Counter[str] = Counter()
    bits = [(place, bit) for place, (_, spans) in enumerate(places) for bit in _some_bits(spans, rng)]
    for place, bit in rng.sample(bits, min(FLIPS, len(bits))):
        each, spans = places[place]
        assert isinstance(each.candidate, Candidate)
        changed = msgspec.structs.replace(each, candidate=_changed(each.candidate, spans, bit, region))
        (report,) = fixture.judged([changed])
        reasons["passed" if report.passed else report.reason.partition(":")[0]] += 1
    return reasons


def _some_bits(spans: list[range], rng: random.Random) -> list[int]:
    count = bit_count(spans)
    return rng.sample(range(count), min(FLIPS, count))


def _changed(candidate: Candidate, spans: list[range], bit: int, region: str) -> Candidate:
    if region != "listed ids":
        return msgspec.structs.replace(candidate, raw=flipped(candidate.raw, spans, bit))
    assert candidate.txids is not None
    joined = flipped(b"".join(candidate.txids), spans, bit)
    txids = tuple(joined[at : at + 32] for at in range(0, len(joined), 32))
    return msgspec.structs.replace(candidate, txids=txids)


def _expected(fixture: Fixture, region: str, places: Places) -> set[str]:
    if region in UNREAD:
        return {"passed"}
    if region.endswith(", hash known"):
        return {"hash"}
    expected = set(REASONS[region])
    if fixture.parameters.auxpow is not None and region in HEADER_FIELDS:
        candidate = places[0][0].candidate
        assert isinstance(candidate, Candidate)
        merge_mined = "parent header" in regions_of(candidate.raw, fixture.parameters, header_only=True)
        # The parent's coinbase commits to the hash of the 80 bytes; the version says whether there is one.
        expected |= {"auxpow"} if merge_mined else set()
        expected -= {"proof_of_work"} if merge_mined else set()
        expected |= {"version", "header", "auxpow", "proof_of_work"} if region == "header version" else set()
    return expected


# Files that hold no whole block as they are: `parse` in their provenance.


def test_a_trimmed_answer_is_refused_for_what_it_lacks() -> None:
    fixture = next(f for f in fixtures("parse") if "696402" in f.file)
    (report,) = fixture.judged(fixture.found())
    assert not report.passed
    assert "lacks version, merkleroot, bits, nonce" in report.reason


def test_an_answer_that_was_stored_in_another_ones_field_passes_when_taken_out() -> None:
    """Block 91,880 has the coinbase of 91,722 once more, which the rules before BIP 30 let pass."""
    fixture = next(f for f in fixtures("parse") if "91880" in f.file)
    inner = json.loads(base64.b64decode(json.loads(fixture.data())["bitcoin"]["header"]))
    candidate = read_answer(inner, lambda raw: of_bytes(raw, fixture.parameters), fixture.parameters)
    (report,) = fixture.judged([Found("91880", 0, "json", candidate)])
    assert (report.passed, report.level, report.hash) == (True, "full", inner["hash"])


def test_the_hex_dump_of_a_reorg_is_one_chain_with_its_branch() -> None:
    fixture = next(f for f in fixtures("parse") if f.file == "reorgtest.hex")
    lines = fixture.data().decode().splitlines()
    dumped = bytes.fromhex("".join(line for line in lines if re.fullmatch(r"[0-9a-f\s]*", line)))
    reports = fixture.judged(readable(split_file(fixture.file, dumped, fixture.parameters)))
    assert [report.height for report in reports] == [0, 1, 2, 3, 4, 3, 4, 5]
    assert [report.reason for report in reports if not report.passed] == []


def test_no_recorded_chain_is_left_out() -> None:
    assert {fixture.chain for fixture in WHOLE} == set(CHAINS)
    for chain in CHAINS:
        listed = {f.file for f in fixtures("full", "header", "refuse", "parse") if f.chain == chain}
        assert listed == {path.name for path in (HERE / chain).iterdir()} - {"PROVENANCE.tsv"}
