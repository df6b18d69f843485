"""The client's part of SCRAM, against the server's part of a library and the RFCs' own examples."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scramp import ScramMechanism  # type: ignore[import-untyped]  # it ships no types

from patchbay.checks.protocols.scram import (
    MAX_ITERATIONS,
    MIN_ITERATIONS,
    Binding,
    Hash,
    ScramClient,
    ScramRefused,
    prepared,
    saslprep,
)

MECHANISMS: dict[Hash, str] = {
    "sha1": "SCRAM-SHA-1",
    "sha256": "SCRAM-SHA-256",
    "sha512": "SCRAM-SHA-512",
}


@pytest.mark.parametrize("name", MECHANISMS)
@pytest.mark.parametrize("iterations", [MIN_ITERATIONS, MAX_ITERATIONS])
def test_a_server_of_a_library_is_convinced_and_convinces(name: Hash, iterations: int) -> None:
    # given a server that knows the password
    mechanism = ScramMechanism(MECHANISMS[name])
    known = mechanism.make_auth_info("pässword=,1", iteration_count=iterations)
    server = mechanism.make_server(lambda user: known if user == "a=b,c" else None)

    # when
    client = ScramClient("a=b,c", prepared("pässword=,1"), name)
    server.set_client_first(client.first())
    server.set_client_final(client.final(server.get_server_first()))

    # then neither raises
    client.verify(server.get_server_final())


@pytest.mark.parametrize("binding", ["bound", "not offered", "not possible"])
def test_what_the_client_says_of_channel_binding_is_signed(binding: Binding) -> None:
    # given a server that binds to the same certificate, or one that offers no binding
    channel = ("tls-server-end-point", b"hash of a certificate") if binding == "bound" else None
    mechanism = ScramMechanism("SCRAM-SHA-256" + ("-PLUS" if channel else ""))
    known = mechanism.make_auth_info("secret", iteration_count=MIN_ITERATIONS)
    server = mechanism.make_server(lambda _: known, channel_binding=channel)

    # when, then
    client = ScramClient("u", b"secret", binding=binding, channel=channel[1] if channel else b"")
    server.set_client_first(client.first())
    server.set_client_final(client.final(server.get_server_first()))
    client.verify(server.get_server_final())


def test_the_example_of_rfc_7677_is_reproduced() -> None:
    client = ScramClient("user", b"pencil", nonce="rOprNGfwEbeRWgbNEkqO")
    assert client.first() == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    final = client.final(
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    assert final == (
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    client.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


@pytest.mark.parametrize(
    ("message", "is_weak"),
    [
        ("r=N1,s=c2FsdA==,i=4095", True),
        ("r=N1,s=c2FsdA==,i=1", True),
        ("r=N1,s=c2FsdA==,i=65537", False),
        ("r=N1,s=c2FsdA==,i=4096,i=1", False),
        ("r=N1,s=c2FsdA==,i=04096", False),
        ("r=N1,s=c2FsdA==,i=٤٠٩٦", False),
        ("r=N1,s=c2FsdA==,i=-1", False),
        ("r=N1,s=c2FsdA==,i=0", False),
        ("r=N1,s=c2FsdA==", False),
        ("r=N1,s=,i=4096", False),
        ("r=N1,s=?,i=4096", False),
        ("r=N1,s=" + "AAAA" * 400 + ",i=4096", False),
        ("r=N,s=c2FsdA==,i=4096", False),
        ("r=M1,s=c2FsdA==,i=4096", False),
        ("r=Nä,s=c2FsdA==,i=4096", False),
        ("m=x,r=N1,s=c2FsdA==,i=4096", False),
        ("e=other-error", False),
        ("", False),
    ],
)
def test_a_message_that_is_not_safe_to_answer_is_refused(message: str, is_weak: bool) -> None:
    client = ScramClient("", b"secret", nonce="N")
    with pytest.raises(ScramRefused) as refused:
        client.final(message)
    assert refused.value.is_weak == is_weak


@pytest.mark.parametrize("message", ["", "e=invalid-proof", "v=", "v=AAAA", "v=?", "x=v=AAAA"])
def test_a_server_that_proves_nothing_is_refused(message: str) -> None:
    client = ScramClient("", b"secret", nonce="N")
    client.final("r=N1,s=c2FsdA==,i=4096")
    with pytest.raises(ScramRefused):
        client.verify(message)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        # RFC 4013 §3
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        # a space that is not ASCII, and the letter that a keyboard composes
        ("a\u00a0b", "a b"),
        ("a\u0308", "ä"),
        # libpq takes ASCII as it is, even control characters
        ("a\x07b", "a\x07b"),
    ],
)
def test_saslprep_is_that_of_its_rfc(text: str, normal: str) -> None:
    assert saslprep(text) == normal
    assert prepared(text) == normal.encode()


@pytest.mark.parametrize(
    "text", ["ä\x07", "\u0627\u0031", "\u0627x\u0627", "\U0001f511key", "\u00ad", "\ue000"]
)
def test_what_saslprep_refuses_is_sent_as_it_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"prohibited|directions"):
        saslprep(text)
    assert prepared(text) == text.encode()


@given(st.text())
def test_any_password_can_be_prepared(text: str) -> None:
    assert isinstance(prepared(text), bytes)
