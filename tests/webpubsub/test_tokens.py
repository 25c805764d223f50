"""Tokens: made like the SDK's, read with suspicion; no refusal shows the token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.errors import MqttError
from mqttws.webpubsub import (
    ConnectionString,
    Roles,
    TokenFault,
    TokenRefused,
    claimed_expiry,
    client_access_url,
    key_warning,
    make_token,
    new_access_key,
    read_token,
)
from mqttws.webpubsub.tokens import LEEWAY, TOKEN_LIMIT

KEY = "0123456789abcdef0123456789abcdef"
SHORT_KEY = "k"
AUDIENCE = "https://demo.example/clients/mqtt/hubs/chat"
NOW = 1_800_000_000.0


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(payload: bytes | dict[str, Any], header: bytes | dict[str, Any] | None = None, key: str = KEY) -> str:
    """A token with whatever inside, under a true HS256 signature, made without any JWT library."""
    header = {"alg": "HS256", "typ": "JWT"} if header is None else header
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    text = ".".join(map(b64, parts))
    return f"{text}.{b64(hmac.digest(key.encode(), text.encode(), hashlib.sha256))}"


def good(**claims: Any) -> dict[str, Any]:
    return {"aud": AUDIENCE, "exp": NOW + 60} | claims


def refusal(token: str | None, keys: tuple[str, ...] = (KEY,), now: float = NOW, **options: Any) -> TokenRefused:
    with pytest.raises(TokenRefused) as caught:
        read_token(token, keys, [AUDIENCE], now, **options)
    refused = caught.value
    assert isinstance(refused, MqttError)
    assert str(refused) == refused.message
    for part in (token or "").split("."):
        assert len(part) < 8 or part not in str(refused) + repr(refused)
    return refused


def test_a_token_that_is_made_can_be_read() -> None:
    token = make_token(
        KEY,
        AUDIENCE,
        now=NOW + 0.9,
        user_id="u1",
        roles=Roles.everything(),
        groups=["g0"],
        lifetime=300,
        claims={"x": 1},
    )
    claims = read_token(token, [KEY], [AUDIENCE], NOW)
    assert (claims.audience, claims.expires_at, claims.user_id) == (AUDIENCE, NOW + 300, "u1")
    assert (claims.roles, claims.groups, claims.warnings) == (Roles.everything(), ("g0",), ())
    assert claims.all["x"] == 1


def test_a_token_holds_the_sdks_claims_in_their_order_and_leaves_out_what_is_empty() -> None:
    full = make_token(KEY, AUDIENCE, now=NOW, user_id="u", roles=["r"], groups=["g"])
    assert full == signed(
        (
            f'{{"aud":"{AUDIENCE}","iat":1800000000,"exp":1800003600,"sub":"u","role":["r"],"webpubsub.group":["g"]}}'
        ).encode(),
        b'{"alg":"HS256","typ":"JWT"}',
    )
    bare = make_token(KEY, AUDIENCE, now=NOW, user_id="", roles=(), groups=iter(()))
    assert list(read_token(bare, [KEY], [AUDIENCE], NOW).all) == ["aud", "iat", "exp"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"access_key": ""}, "access key is empty"),
        ({"access_key": "ssh-rsa AAAAB3NzaC1yc2E canary"}, "no shared secret"),
        ({"lifetime": 0}, "lifetime"),
        ({"lifetime": -1}, "lifetime"),
        ({"lifetime": math.inf}, "lifetime"),
        ({"lifetime": math.nan}, "lifetime"),
        ({"roles": "webpubsub.sendToGroup"}, "roles is a list"),
        ({"groups": "group1"}, "groups is a list"),
        ({"groups": [" "]}, "group"),
    ],
)
def test_what_makes_no_token_is_the_callers_fault(options: dict[str, Any], complaint: str) -> None:
    arguments: dict[str, Any] = {"access_key": KEY, "audience": AUDIENCE, "now": NOW} | options
    with pytest.raises(ValueError, match=complaint) as caught:
        make_token(**arguments)
    assert "canary" not in str(caught.value)


def test_either_key_opens_and_no_other() -> None:
    token = make_token("secondary", AUDIENCE, now=NOW)
    assert read_token(token, [KEY, "secondary"], [AUDIENCE], NOW).audience == AUDIENCE
    assert refusal(token).reason == TokenFault.SIGNATURE
    assert refusal(token, keys=()).reason == TokenFault.SIGNATURE


def test_a_key_that_is_no_secret_is_the_callers_fault_also_when_reading() -> None:
    with pytest.raises(ValueError, match="no shared secret"):
        read_token(make_token(KEY, AUDIENCE, now=NOW), [""], [AUDIENCE], NOW)


def test_a_short_key_works_and_the_warning_is_data() -> None:
    token = make_token(SHORT_KEY, AUDIENCE, now=NOW)
    assert read_token(token, [SHORT_KEY], [AUDIENCE], NOW).audience == AUDIENCE
    assert key_warning(SHORT_KEY) == (
        "the access key has 1 bytes; HS256 wants 32 or more, a shorter one is easier to guess"
    )
    assert key_warning("ä" * 16) is None
    assert key_warning(new_access_key()) is None
    assert new_access_key() != new_access_key()


@pytest.mark.parametrize("token", [None, ""])
def test_no_token_is_told_apart_from_a_bad_one(token: str | None) -> None:
    assert refusal(token).reason == TokenFault.MISSING


def test_a_giant_token_is_not_even_looked_at() -> None:
    assert refusal("a" * (TOKEN_LIMIT + 1)).reason == TokenFault.TOO_LONG
    assert refusal("a" * TOKEN_LIMIT).reason == TokenFault.MALFORMED


@pytest.mark.parametrize(
    "token",
    [
        "canary-token",
        "a.b",
        "..",
        "ä.ö.ü",
        "\udcff.a.b",
        "!!!!.!!!!.!!!!",
        signed(b"{}", b"not json"),
        signed(b"{}", b"[]"),
        signed(b"{}", b"[" * 4000),
        signed(b"{}", b"\xff\xfe"),
        signed(b"not json"),
        signed(b"\xff\xfe{}"),
        signed(b"[]"),
        signed(b"[" * 4000),
        signed(b'{"exp": ' + b"9" * 5000 + b"}"),
        signed(b'{"aud": "%b", "exp": 1800000060, "aud": "x"}' % AUDIENCE.encode()),
        signed(b'{"aud": "%b", "exp": 1, "exp": 1800000060}' % AUDIENCE.encode()),
    ],
)
def test_what_is_no_json_web_token_is_malformed(token: str) -> None:
    assert refusal(token).reason == TokenFault.MALFORMED


@pytest.mark.parametrize("algorithm", ["none", "HS512", "RS256", "hs256", None, ["HS256"], 1, ""])
def test_no_other_algorithm_opens(algorithm: Any) -> None:
    assert refusal(signed(good(), {"alg": algorithm})).reason == TokenFault.ALGORITHM


def test_a_token_without_signature_or_algorithm_is_refused() -> None:
    unsigned = signed(good(), {"alg": "none"}).rsplit(".", 1)[0] + "."
    assert refusal(unsigned).reason == TokenFault.ALGORITHM
    assert refusal(signed(good(), {"typ": "JWT"})).reason == TokenFault.ALGORITHM


@pytest.mark.parametrize(
    "header",
    [{"crit": ["b64"], "b64": True}, {"crit": ["exp"]}, {"crit": []}, {"crit": None}, {"kid": 7}],
)
def test_any_critical_extension_is_refused(header: dict[str, Any]) -> None:
    assert refusal(signed(good(), {"alg": "HS256"} | header)).reason == TokenFault.HEADER


def test_a_detached_payload_is_refused() -> None:
    header = {"alg": "HS256", "crit": ["b64"], "b64": False}
    assert refusal(signed(b"", header)).reason == TokenFault.MALFORMED


def test_a_changed_claim_breaks_the_signature() -> None:
    header, _, signature = make_token(KEY, AUDIENCE, now=NOW).split(".")
    forged = b64(json.dumps(good(role=["webpubsub.sendToGroup"])).encode())
    assert refusal(f"{header}.{forged}.{signature}").reason == TokenFault.SIGNATURE


def test_expiry_is_required_and_has_some_leeway() -> None:
    assert refusal(signed({"aud": AUDIENCE})).reason == TokenFault.NO_EXPIRY
    assert refusal(signed(good(exp=None))).reason == TokenFault.NO_EXPIRY
    token = signed(good(exp=NOW))
    assert read_token(token, [KEY], [AUDIENCE], NOW + LEEWAY - 1).expires_at == NOW
    late = refusal(token, now=NOW + LEEWAY)
    assert (late.reason, str(late)) == (TokenFault.EXPIRED, "the access token expired 300 s ago")
    assert refusal(token, leeway=0.0).reason == TokenFault.EXPIRED
    assert "expired 3 h ago" in str(refusal(token, now=NOW + 3 * 3600))


def test_not_before_is_honoured_with_the_same_leeway_and_issued_at_is_not_judged() -> None:
    token = signed(good(nbf=NOW + 10, iat=NOW + 1e6, exp=NOW + 1000))
    assert read_token(token, [KEY], [AUDIENCE], NOW).all["nbf"] == NOW + 10
    early = refusal(token, leeway=5.0)
    assert (early.reason, str(early)) == (
        TokenFault.NOT_YET_VALID,
        "the access token is not valid before 10 s from now ('nbf')",
    )
    assert read_token(signed(good(nbf=None)), [KEY], [AUDIENCE], NOW).user_id is None


def test_a_wrong_audience_is_told_with_both_audiences() -> None:
    other = "https://demo.example/client/hubs/chat"
    refused = refusal(make_token(KEY, other, now=NOW))
    assert refused.reason == TokenFault.AUDIENCE
    assert str(refused) == (f"Failed to validate audience. Expected Audiences: {AUDIENCE}. Actual Audiences: {other}")
    assert (refused.expected, refused.actual) == ((AUDIENCE,), (other,))


def test_one_audience_out_of_several_is_enough() -> None:
    assert read_token(signed(good(aud=["x", AUDIENCE])), [KEY], ["y", AUDIENCE], NOW).audience == AUDIENCE
    assert "Actual Audiences: (none)" in str(refusal(signed({"exp": NOW + 60})))


def test_an_audience_of_others_making_is_shown_in_one_bounded_line() -> None:
    text = str(refusal(signed(good(aud=["evil\r\nline" + "x" * 3000] * 4))))
    assert text.isprintable()
    assert len(text) < 1200


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": 7},
        {"role": [1]},
        {"role": {"a": 1}},
        {"aud": 5},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 1e300},
        {"exp": math.inf},
        {"exp": math.nan},
        {"nbf": []},
        {"webpubsub.group": [None]},
    ],
)
def test_a_claim_of_the_wrong_kind_is_refused(claims: dict[str, Any]) -> None:
    assert refusal(signed(good(**claims))).reason == TokenFault.CLAIM


def test_one_string_counts_as_a_list_of_one() -> None:
    claims = read_token(signed(good(role="r", **{"webpubsub.group": "g"})), [KEY], [AUDIENCE], NOW)
    assert (claims.roles, claims.groups) == (("r",), ("g",))


def test_the_short_group_claim_is_taken_with_a_warning() -> None:
    claims = read_token(signed(good(group=["a", "b"], **{"webpubsub.group": ["b"]})), [KEY], [AUDIENCE], NOW)
    assert claims.groups == ("b", "a")
    assert len(claims.warnings) == 1
    assert "webpubsub.group" in claims.warnings[0]


def test_a_group_that_is_no_group_name_is_refused_by_its_own_reason() -> None:
    assert refusal(signed(good(**{"webpubsub.group": ["ok", ""]}))).reason == TokenFault.GROUP_NAME


def test_a_client_access_url_carries_the_token_for_its_hub() -> None:
    connection_string = f"Endpoint=http://localhost;Port=8080;AccessKey={KEY};Version=1.0;"
    url = client_access_url(connection_string, "chat", user_id="u", now=NOW)
    address, token = url.split("?access_token=")
    assert address == "ws://localhost:8080/clients/mqtt/hubs/chat"
    audience = ConnectionString.parse(connection_string).audience("chat")
    assert read_token(token, [KEY], [audience], NOW).user_id == "u"


def test_a_client_access_url_is_issued_now_unless_told_otherwise() -> None:
    url = client_access_url(ConnectionString("https://demo.example", KEY), "chat", lifetime=60)
    with pytest.raises(TokenRefused, match="expired"):
        read_token(url.split("=")[1], [KEY], [AUDIENCE], NOW * 2)


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=20))
def test_any_text_is_refused_and_nothing_else_happens(header: str, payload: str, signature: str) -> None:
    for token in (
        header,
        f"{header}.{payload}.{signature}",
        signed(payload.encode("utf-8", "replace"), header.encode("utf-8", "replace")),
    ):
        with pytest.raises(TokenRefused):
            read_token(token, [KEY], [AUDIENCE], NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(["aud", "exp", "nbf", "sub", "role", "group", "webpubsub.group"], JSON)
    )
)
def test_any_signed_claims_are_read_or_refused(claims: dict[str, Any]) -> None:
    try:
        read = read_token(signed({"aud": AUDIENCE, "exp": NOW} | claims), [KEY], [AUDIENCE], NOW)
        result: TokenFault | str = read.audience
    except TokenRefused as refused:
        result = refused.reason
    before_claims = {TokenFault.MISSING, TokenFault.TOO_LONG, TokenFault.MALFORMED, TokenFault.ALGORITHM}
    assert result == AUDIENCE or result in set(TokenFault) - before_claims - {TokenFault.HEADER, TokenFault.SIGNATURE}


def test_jwt_is_loaded_with_the_first_token_and_not_before() -> None:
    script = (
        "import sys, mqttws.webpubsub as w\n"
        "assert 'jwt' not in sys.modules\n"
        f"w.make_token('{KEY}', 'a', now=0)\n"
        "assert 'jwt' in sys.modules\n"
        "assert 'trio' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# What the holder of a token can tell without a key


def test_the_expiry_that_a_token_claims_is_read_without_a_key() -> None:
    assert claimed_expiry(make_token(KEY, AUDIENCE, now=NOW, lifetime=90)) == NOW + 90
    assert claimed_expiry(signed(good(exp=NOW + 0.5), header=b"nothing of use")) == NOW + 0.5


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("opaque", id="opaque"),
        pytest.param("a.b", id="two parts"),
        pytest.param(signed(good()) + ".x", id="four parts"),
        pytest.param("a.\N{EURO SIGN}.c", id="not base64"),
        pytest.param(signed(b"\xff"), id="not utf-8"),
        pytest.param(signed(b"[1]"), id="no object"),
        pytest.param(signed(b"[" * 10_000), id="deep"),
        pytest.param(signed({"aud": AUDIENCE}), id="no exp"),
        pytest.param(signed(good(exp="2027")), id="text"),
        pytest.param(signed(good(exp=True)), id="bool"),
        pytest.param(signed(b'{"exp":NaN}'), id="nan"),
        pytest.param(signed(good(x="x" * TOKEN_LIMIT)), id="too long"),
    ],
)
def test_a_token_that_claims_no_expiry_is_no_reason_to_fail(token: str | None) -> None:
    assert claimed_expiry(token) is None
