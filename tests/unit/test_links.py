"""Action links: signed, for one person and one thing, until they expire."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from string import printable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.links import BadLink, Claim, ExpiredLink, kid_of, make, read

KEY, OLD_KEY = b"k" * 32, b"o" * 32
KEYS = {kid_of(KEY): KEY, kid_of(OLD_KEY): OLD_KEY}
NOW = datetime(2026, 11, 24, 14, 7, tzinfo=UTC)
TOMORROW = NOW + timedelta(hours=24)


def link(key: bytes = KEY, *, person: str = "ana", nonce: str = "n-1", expires: datetime = TOMORROW) -> str:
    return make(key, action="ack", subject="PAGE-9", person=person, nonce=nonce, expires=expires)


def test_a_link_says_who_may_do_what_to_which_until_when() -> None:
    assert read(KEYS, link(), NOW) == Claim(
        action="ack", subject="PAGE-9", person="ana", nonce="n-1", expires=TOMORROW, kid=kid_of(KEY)
    )


def test_a_link_needs_no_escaping_in_an_address() -> None:
    token = link(person="zoë/?&#")
    assert token.replace(".", "").replace("-", "").replace("_", "").isalnum()
    assert token.isascii()
    assert read(KEYS, token, NOW).person == "zoë/?&#"


def test_any_changed_character_is_refused() -> None:
    token = link()
    for place, was in enumerate(token):
        for character in set(printable) - {was}:
            with pytest.raises(BadLink):
                read(KEYS, token[:place] + character + token[place + 1 :], NOW)


@pytest.mark.parametrize("change", ["cut", "longer", "padded", "space", "doubled", "empty"])
def test_a_link_that_is_not_whole_is_refused(change: str) -> None:
    token = link()
    changed = {
        "cut": token[:-1], "longer": token + "A", "padded": token + "=", "space": token + " ",
        "doubled": token + "." + token, "empty": "",
    }  # fmt: skip
    with pytest.raises(BadLink):
        read(KEYS, changed[change], NOW)


@given(st.text(max_size=200))
def test_no_text_that_we_did_not_write_is_accepted(text: str) -> None:
    with pytest.raises(BadLink):
        read(KEYS, text, NOW)


@given(st.text(max_size=40), st.text(max_size=40), st.integers(1, 80 * 365 * 86_400))
def test_what_was_written_is_read_again(person: str, nonce: str, seconds: int) -> None:
    expires = NOW + timedelta(seconds=seconds)
    claim = read(KEYS, link(person=person, nonce=nonce, expires=expires), expires - timedelta(seconds=1))
    assert (claim.person, claim.nonce, claim.expires) == (person, nonce, expires)


def test_a_link_works_until_it_expires_and_not_a_second_longer() -> None:
    token = link()
    assert read(KEYS, token, TOMORROW - timedelta(seconds=1)).nonce == "n-1"
    with pytest.raises(ExpiredLink, match="this link for PAGE-9 expired at 2026-11-25 14:07 UTC"):
        read(KEYS, token, TOMORROW)


def test_a_forged_link_is_not_told_that_it_expired() -> None:
    signed, _, _ = link(expires=NOW - timedelta(days=1)).rpartition(".")
    with pytest.raises(BadLink) as caught:
        read(KEYS, f"{signed}.{'A' * 43}", NOW)
    assert not isinstance(caught.value, ExpiredLink)


def test_a_link_of_the_key_before_still_works_while_that_key_is_kept() -> None:
    token = link(OLD_KEY)
    assert read(KEYS, token, NOW).kid == kid_of(OLD_KEY)
    with pytest.raises(BadLink, match="not in use here"):
        read({kid_of(KEY): KEY}, token, NOW)


def test_a_link_signed_with_another_key_under_our_key_id_is_refused() -> None:
    forged = link(b"x" * 32).replace(kid_of(b"x" * 32), kid_of(KEY))
    with pytest.raises(BadLink, match="changed"):
        read(KEYS, forged, NOW)


def test_another_payload_under_a_good_signature_is_refused() -> None:
    version, kid, payload, mac = link().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    other = base64.urlsafe_b64encode(json.dumps([*claims[:2], "eve", *claims[3:]]).encode()).rstrip(b"=").decode()
    with pytest.raises(BadLink):
        read(KEYS, f"{version}.{kid}.{other}.{mac}", NOW)


def test_a_short_key_signs_nothing() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes, this one has 5"):
        link(b"short")


def test_a_key_id_is_not_the_key_and_differs_between_keys() -> None:
    assert kid_of(KEY) != kid_of(OLD_KEY)
    assert len(kid_of(KEY)) == 8


def test_a_link_that_would_be_too_long_is_not_made() -> None:
    with pytest.raises(ValueError, match="longer than 1024"):
        link(person="a" * 1000)
    with pytest.raises(BadLink, match="not a link that incidentd made"):
        read(KEYS, link() + "A" * 2000, NOW)


@pytest.mark.parametrize("strange", ["\udcff", "é", "\x00"])
def test_characters_that_no_link_has_are_refused(strange: str) -> None:
    for place in range(len(link())):
        with pytest.raises(BadLink):
            read(KEYS, link()[:place] + strange + link()[place + 1 :], NOW)
