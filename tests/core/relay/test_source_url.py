"""Every source URL parses to what it says, or is refused with what was wrong and what would be right."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import ConfigError
from sprint.core.relay.source_url import (
    NAME_LENGTH_MAX,
    PATH_LENGTH_MAX,
    Login,
    RequestPath,
    SourceSpec,
    parse_source,
    source_of,
    without_secrets,
)


def spec(**changes: object) -> SourceSpec:
    fields: dict[str, object] = {
        "name": "p2p:127.0.0.1:8333",
        "chain": "bitcoin",
        "network": None,
        "scheme": "p2p",
        "host": "127.0.0.1",
        "port": 8333,
        "provider": "p2p:127.0.0.1:8333",
    }
    return SourceSpec(**(fields | changes))  # type: ignore[arg-type]  # the fields' types differ


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bitcoin=p2p://127.0.0.1:8333", spec()),
        ("BTC:RegTest=p2p://127.0.0.1:8333/", spec(chain="btc", network="regtest")),
        ("core-1@bitcoin=p2p://127.0.0.1:8333", spec(name="core-1", provider="core-1")),
        ("a@b@bitcoin=p2p://127.0.0.1:8333", spec(name="a@b", provider="a@b")),
        ("bitcoin=p2p://127.0.0.1:8333?provider=own=rack", spec(provider="own=rack")),
        ("bitcoin=p2p://127.0.0.1:8333?mempool=true", spec(mempool=True)),
        ("bitcoin=p2p://127.0.0.1:8333?mempool=false", spec()),
        ("bitcoin=p2p://", spec(name="p2p:seeds", host="", port=None, provider="p2p:seeds")),
        ("bitcoin=p2p://?mempool=true",
         spec(name="p2p:seeds", host="", port=None, provider="p2p:seeds", mempool=True)),
        ("bitcoin=p2p://node.example", spec(name="p2p:node.example", host="node.example", port=None,
                                            provider="p2p:node.example")),
        ("n@bitcoin=p2p://[::1]:8333", spec(name="n", host="::1", provider="n")),
    ],
)  # fmt: skip
def test_what_a_source_says(text: str, expected: SourceSpec) -> None:
    assert parse_source(text) == expected


def rpc(login: dict[str, str] | None = None) -> SourceSpec:
    place: dict[str, object] = {"port": 8332, "scheme": "rpc"}
    place |= dict.fromkeys(("name", "provider"), "rpc:127.0.0.1:8332")
    return spec(**place, login=Login(**login) if login else None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rpc://127.0.0.1:8332", rpc()),
        ("rpc://127.0.0.1:8332?cookie_file=~/.bitcoin/.cookie", rpc({"cookie_file": "~/.bitcoin/.cookie"})),
        ("rpc://127.0.0.1:8332?user_env=U&password_env=P", rpc({"user_env": "U", "password_env": "P"})),
        ("rpc://me@127.0.0.1:8332?password_env=P", rpc({"user": "me", "password_env": "P"})),
        ("rpc://me:p%40%3Ass@127.0.0.1:8332", rpc({"user": "me", "password": "p@:ss"})),
    ],
)
def test_what_an_rpc_source_says_of_its_login(text: str, expected: SourceSpec) -> None:
    assert parse_source(f"bitcoin={text}") == expected


@pytest.mark.parametrize(
    ("text", "port", "path"),
    [
        ("rpc://127.0.0.1:8332/wallet/x", 8332, "/wallet/x"),
        ("rpcs://node.example/v1/key%20?provider=theirs", None, "/v1/key%20"),
        ("rpcs://node.example", None, "/"),
        (f"rpc://h:1/{'k' * (PATH_LENGTH_MAX - 1)}", 1, "/" + "k" * (PATH_LENGTH_MAX - 1)),
    ],
)
def test_an_rpc_source_may_have_a_path_and_over_tls_needs_no_port(
    text: str, port: int | None, path: str
) -> None:
    source = parse_source(f"bitcoin={text}")
    assert (source.port, source.path) == (port, RequestPath(path))


def test_a_path_is_shown_nowhere_as_a_provider_puts_its_key_there() -> None:
    source = parse_source("bitcoin=rpcs://node.example/v1/hunter2")
    for shown in (repr(source), str(source), f"{source.path}", source.url, source.name):
        assert "hunter2" not in shown
    assert without_secrets("rpcs://node.example/v1/hunter2?provider=p") == "rpcs://node.example/…?provider=p"


@pytest.mark.parametrize(
    ("query", "topics"),
    [
        ("", ("hashblock", "rawblock", "sequence")),
        ("?topics=rawblock", ("rawblock",)),
        ("?topics=sequence,hashblock,sequence", ("sequence", "hashblock")),
    ],
)
def test_a_publisher_is_subscribed_to_what_the_source_names(query: str, topics: tuple[str, ...]) -> None:
    source = parse_source(f"bitcoin=zmq://127.0.0.1:28332{query}")
    assert source.topics == topics
    assert (source.scheme, source.url, source.login) == ("zmq", "zmq://127.0.0.1:28332", None)


def test_a_login_is_shown_nowhere() -> None:
    source = parse_source("bitcoin=rpc://alice:hunter2@127.0.0.1:8332")
    assert source.login is not None
    for shown in (repr(source), str(source), f"{source.login}", source.url, source.name):
        assert "hunter2" not in shown
        assert "alice" not in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "want [NAME@]CHAIN[:NETWORK]=SCHEME://host:port"),
        ("p2p://127.0.0.1:8333", "as in litecoin:regtest=p2p://127.0.0.1:19444"),
        ("bitcoin=127.0.0.1:8333", "want [NAME@]CHAIN"),
        ("=p2p://127.0.0.1:8333", "a name, chain or network is empty"),
        ("@bitcoin=p2p://127.0.0.1:8333", "a name, chain or network is empty"),
        ("bitcoin:=p2p://127.0.0.1:8333", "a name, chain or network is empty"),
        ("bitcoin=http://127.0.0.1:8333", "scheme 'http'; this version speaks p2p, rpc, rpcs, zmq"),
        ("bitcoin=zmq://127.0.0.1", "no port; want one, as in zmq://127.0.0.1:28332"),
        ("bitcoin=zmq://me:x@127.0.0.1:1", "zmq takes host and port, no user, path or fragment"),
        (
            "bitcoin=zmq://127.0.0.1:1?topics=rawtx",
            "unknown topic 'rawtx'; there is hashblock, rawblock, seq",
        ),
        ("bitcoin=zmq://127.0.0.1:1?topics=,", "no topic; there is hashblock"),
        ("bitcoin=p2p://127.0.0.1:1?topics=hashblock", "unknown key 'topics'; there is provider"),
        ("bitcoin=rpc://", "no host; want rpc://host:port"),
        ("bitcoin=p2p://@", "no host; want p2p://host:port"),
        ("bitcoin=p2p://:8333", "no host; want p2p://host:port"),
        ("bitcoin=p2p://127.0.0.1:1?mempool=yes", "mempool='yes'; want true or false"),
        ("bitcoin=zmq://127.0.0.1:1?mempool=true", "unknown key 'mempool'; there is provider, topics"),
        ("bitcoin=p2p://a..b:1", "host 'a..b' is no name or address that can be looked up"),
        (f"bitcoin=p2p://{'a' * 64}.example:1", "can be looked up"),
        ("bitcoin=p2p://a b:1", "can be looked up"),
        ("bitcoin=p2p://127.0.0.1:99999", "Port out of range 0-65535"),
        ("bitcoin=p2p://127.0.0.1:0", "port 0; want 1 to 65535"),
        ("bitcoin=p2p://127.0.0.1:http", "its port is no number"),
        ("bitcoin=p2p://[::1:8333", "Invalid IPv6 URL"),
        ("bitcoin=p2p://127.0.0.1:8333/path", "no user, path or fragment"),
        ("bitcoin=p2p://127.0.0.1:8333#part", "no user, path or fragment"),
        ("bitcoin=p2p://user@127.0.0.1:8333", "no user, path or fragment"),
        ("bitcoin=p2p://127.0.0.1:8333?providr=x", "unknown key 'providr'; there is provider"),
        ("bitcoin=rpc://127.0.0.1", "no port; want one, as in rpc://127.0.0.1:8332"),
        ("bitcoin=rpc://127.0.0.1:1/wallet#x", "rpc takes host, port, login and path, no fragment"),
        ("bitcoin=rpc://127.0.0.1:1/a b", "a path with characters that HTTP does not take"),
        ("bitcoin=rpc://127.0.0.1:1/é", "a path with characters that HTTP does not take"),
        (f"bitcoin=rpc://127.0.0.1:1/{'k' * PATH_LENGTH_MAX}", f"{PATH_LENGTH_MAX + 1} characters, limit"),
        ("bitcoin=rpc://127.0.0.1:1?k", "a key without value; there is provider, cookie_file"),
        ("bitcoin=rpc://127.0.0.1:1?topics=x", "there is provider, cookie_file, user_env, password_env"),
        ("bitcoin=rpc://me@127.0.0.1:1", "a login without password; name the variable that holds it with"),
        ("bitcoin=rpc://127.0.0.1:1?password_env=P", "a login without user"),
        ("bitcoin=rpc://a:b@127.0.0.1:1?user_env=U", "the user stands in the URL and in user_env"),
        (
            "bitcoin=rpc://a:b@127.0.0.1:1?password_env=P",
            "the password stands in the URL and in",
        ),
        ("bitcoin=rpc://a:b@127.0.0.1:1?cookie_file=c", "cookie_file and a user; keep one of them"),
        ("bitcoin=p2p://127.0.0.1:8333?cookie_file=c", "unknown key 'cookie_file'; there is provider"),
        ("  @bitcoin=p2p://h:1", "source name '  ': want printable characters, not all blank"),
        ("a\tb@bitcoin=p2p://h:1", r"source name 'a\tb': want printable characters"),
        (f"{'n' * (NAME_LENGTH_MAX + 1)}@bitcoin=p2p://h:1", f"{NAME_LENGTH_MAX + 1} characters, limit"),
    ],
)
def test_a_wrong_source_is_refused_with_what_was_wrong_and_what_would_be_right(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_source(text)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "bitcoin=p2p://user:hunter2@127.0.0.1:8333",
        "bitcoin=http://user:hunter2@127.0.0.1:8333",
        "bitcoin=p2p://user:hunter2@127.0.0.1:99999",
        "bitcoin:=p2p://user:hunter2@127.0.0.1:8333",
        "bitcoin=p2p://user:hunt@hunter2@127.0.0.1",
        "bitcoin=rpc://user:hunter2@127.0.0.1",
        "bitcoin=rpc://user:hunter2@127.0.0.1:1?cookie_file=c",
        "bitcoin=rpc://user:hunter2@127.0.0.1:1?topics=c",
        "bitcoin=rpc://user:/hunter2@127.0.0.1:1",
        "bitcoin=rpc://user:hunter2/x@127.0.0.1:1",
        "bitcoin=rpc://user:x#hunter2@127.0.0.1:1",
        "bitcoin=rpc://user:x?hunter2@127.0.0.1:1",
        "bitcoin=user:hunter2@127.0.0.1:1",
        "bitcoin=rpcs://127.0.0.1/hunter2#x",
        "bitcoin=rpcs://127.0.0.1/v1/hunter2?nonsense=1",
        "bitcoin=p2p://127.0.0.1:1/hunter2",
        "bitcoin=rpcs://127.0.0.1?api_key=hunter2",
        "bitcoin=rpcs://127.0.0.1?hunter2",
        "bitcoin=rpcs://127.0.0.1#hunter2",
    ],
)
def test_a_refusal_does_not_repeat_a_password(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_source(text)
    assert "hunter2" not in str(refused.value)
    assert "127.0.0.1" in str(refused.value)


def test_a_name_of_the_longest_length_is_taken() -> None:
    assert parse_source(f"{'n' * NAME_LENGTH_MAX}@bitcoin=p2p://h:1").name == "n" * NAME_LENGTH_MAX


hosts = st.sampled_from(["127.0.0.1", "node.example", "::1"])


@given(hosts, st.none() | st.integers(1, 65_535))
def test_a_specs_url_parses_to_the_same_place(host: str, port: int | None) -> None:
    made = spec(host=host, port=port)
    again = source_of("bitcoin", None, made.url, name=made.name)
    assert (again.host, again.port) == (host, port)


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused_and_nothing_else(text: str) -> None:
    for source in (f"{text}=p2p://127.0.0.1:1", f"bitcoin=p2p://{text}"):
        with contextlib.suppress(ConfigError):
            host = parse_source(source).host
            assert not host or host.encode("idna")
