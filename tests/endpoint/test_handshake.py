"""Rows 1 to 18 of the emulation contract, as far as they can be judged without a socket."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from mqttws.endpoint import Admission, Door, Refusal, Service
from mqttws.endpoint.handshake import local_audiences
from mqttws.redaction import redact
from mqttws.webpubsub import Roles, make_token

KEY = "k" * 44
SECONDARY = "s" * 44
ENDPOINT = "http://127.0.0.1:8080"
NOW = 1_700_000_000.0
PATH = "/clients/mqtt/hubs/chat"


def token(audience: str = ENDPOINT + PATH, key: str = KEY, **options: Any) -> str:
    return make_token(key, audience, now=NOW, **options)


def judge(
    path: str = PATH,
    query: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    subprotocols: tuple[str, ...] = ("mqtt",),
    *,
    connections: int = 0,
    hubs: tuple[str, ...] | None = None,
    **settings: Any,
) -> Admission | Refusal:
    door = Door(Service(**settings), ENDPOINT, (KEY, SECONDARY), hubs)
    asked = f"access_token={token()}" if query is None else query
    return door.judge(path, asked, headers, subprotocols, connections=connections, now=NOW)


def refused(*args: Any, **kwargs: Any) -> Refusal:
    verdict = judge(*args, **kwargs)
    assert isinstance(verdict, Refusal)
    assert verdict.body == verdict.text.encode() + b"\n"
    return verdict


def admitted(*args: Any, **kwargs: Any) -> Admission:
    verdict = judge(*args, **kwargs)
    assert isinstance(verdict, Admission), verdict
    return verdict


def test_row_1_a_valid_token_opens_its_hub() -> None:
    assert admitted().hub == "chat"


def test_row_2_the_token_may_stand_in_the_header() -> None:
    assert admitted(query="", headers=(("Authorization", f"Bearer {token()}"),)).hub == "chat"
    assert admitted(query="a=b", headers=(("authorization", f"bEARER  {token()}"),)).hub == "chat"


def test_row_2_the_query_comes_first() -> None:
    good = (("authorization", f"Bearer {token()}"),)
    assert refused(query="access_token=nonsense", headers=good).status == 401


def test_row_2_or_the_header_if_the_setting_says_so() -> None:
    good = (("authorization", f"Bearer {token()}"),)
    assert admitted(query="access_token=nonsense", headers=good, access_from="header").hub == "chat"
    assert admitted(access_from="header").hub == "chat"


def test_row_3_without_a_token_401_says_where_it_belongs() -> None:
    verdict = refused(query="")
    assert verdict.status == 401
    assert "access_token" in verdict.text
    assert redact(verdict.text) == verdict.text  # as our client shows it
    assert "Bearer" in verdict.text
    assert ("www-authenticate", "Bearer") in verdict.all_headers
    assert refused(query="access_token=").status == 401
    assert refused(query="", headers=(("authorization", "Basic abc"),)).status == 401
    assert refused(query="", headers=(("authorization", "Bearer"),)).status == 401


def test_row_4_anonymous_clients_have_no_roles() -> None:
    admission = admitted(query="", anonymous=True)
    assert not admission.grants.may_publish("a")
    assert not admission.grants.may_subscribe("a")
    assert admission.user_id is None


def test_row_4_or_all_roles_if_the_setting_says_so() -> None:
    assert admitted(query="", anonymous=True, anonymous_roles="everything").grants.may_publish("a")


def test_row_4_a_bad_token_is_not_anonymous() -> None:
    assert refused(query="access_token=nonsense", anonymous=True).status == 401


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (token(key="x" * 44), "not signed with this service's access key"),
        (make_token(KEY, ENDPOINT + PATH, now=NOW - 7200, lifetime=60), "expired"),
        ("a.b.c", "no JSON Web Token"),
    ],
    ids=["other key", "expired", "no token"],
)
def test_row_5_bad_tokens_get_401_with_the_reason(bad: str, words: str) -> None:
    verdict = refused(query=f"access_token={bad}")
    assert verdict.status == 401
    assert words in verdict.text
    assert bad not in verdict.text


def test_row_5_an_algorithm_other_than_hs256_is_refused() -> None:
    for algorithm in ("none", "HS384", "HS512", "RS256", "hs256"):
        head = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "typ": "JWT"}).encode()).rstrip(b"=").decode()
        _, payload, signature = token().split(".")
        for end in (signature, ""):
            assert refused(query=f"access_token={head}.{payload}.{end}").status == 401


def test_row_5_and_10_the_status_is_a_setting_but_not_where_it_is_documented() -> None:
    assert refused(query="access_token=a.b.c", bad_token_status=403).status == 403
    assert refused(query="", bad_token_status=403).status == 401
    wrong = token("http://127.0.0.1:8080/clients/mqtt/hubs/other")
    assert refused(query=f"access_token={wrong}", bad_token_status=403).status == 401


def test_row_10_a_token_that_never_expires_gets_401() -> None:
    verdict = refused(query=f"access_token={token(claims={'exp': None})}")
    assert verdict.status == 401
    assert "no expiry" in verdict.text


def test_row_15_a_token_for_the_native_path_gets_401() -> None:
    verdict = refused(query=f"access_token={token('http://127.0.0.1:8080/client/hubs/chat')}")
    assert verdict.status == 401
    assert "Actual Audiences: http://127.0.0.1:8080/client/hubs/chat" in verdict.text


def test_row_6_it_does_not_if_the_setting_says_so() -> None:
    assert refused(query=f"access_token={token(key=SECONDARY)}", secondary_key=False).status == 401
    assert admitted(secondary_key=False).hub == "chat"


def test_row_6_the_secondary_key_counts() -> None:
    assert admitted(query=f"access_token={token(key=SECONDARY)}").hub == "chat"


@pytest.mark.parametrize(
    "audience",
    [
        "http://127.0.0.1:8080/client/hubs/chat",
        "http://127.0.0.1:8080/clients/mqtt/hubs/other",
        "ws://127.0.0.1:8080/clients/mqtt/hubs/chat",
        "http://localhost:8080/clients/mqtt/hubs/chat",
        "http://127.0.0.1:9090/clients/mqtt/hubs/chat",
    ],
    ids=["row 15: native path", "other hub", "ws", "other name", "other port"],
)
def test_row_7_another_audience_gets_401_with_expected_and_actual(audience: str) -> None:
    verdict = refused(query=f"access_token={token(audience)}")
    assert verdict.status == 401
    assert verdict.text.startswith("Failed to validate audience.")
    assert f"Expected Audiences: {ENDPOINT}{PATH}" in verdict.text
    assert f"Actual Audiences: {audience}" in verdict.text


def test_row_8_the_lenient_switch_takes_ws_and_local_names_but_not_another_hub_or_port() -> None:
    for audience in ("ws://127.0.0.1:8080", "https://localhost:8080", "wss://[::1]:8080"):
        assert admitted(query=f"access_token={token(audience + PATH)}", lenient_audience=True).hub == "chat"
    for audience in (ENDPOINT + "/clients/mqtt/hubs/other", "http://localhost:9" + PATH, "http://example.org" + PATH):
        assert refused(query=f"access_token={token(audience)}", lenient_audience=True).status == 401


def test_row_8_an_endpoint_without_a_port_has_audiences_without_one() -> None:
    assert "ws://localhost" in local_audiences("https://example.org")
    assert "wss://example.org" in local_audiences("https://example.org")
    assert "https://example.org" not in local_audiences("https://example.org")


def test_row_9_an_expired_token_counts_within_the_skew() -> None:
    late = make_token(KEY, ENDPOINT + PATH, now=NOW - 120, lifetime=60)
    assert admitted(query=f"access_token={late}").hub == "chat"
    assert refused(query=f"access_token={late}", clock_skew=30.0).status == 401


@pytest.mark.parametrize("hub", ["1chat", "", "a/b", "a%20b", "x" * 129, "%00"])
def test_row_11_an_invalid_hub_name_gets_400(hub: str) -> None:
    assert refused(f"/clients/mqtt/hubs/{hub}").status == 400


def test_row_11_a_percent_encoded_hub_name_is_decoded() -> None:
    asked = token(f"{ENDPOINT}/clients/mqtt/hubs/a,b[1]")
    assert admitted("/clients/mqtt/hubs/a,b%5B1%5D", query=f"access_token={asked}").hub == "a,b[1]"


@pytest.mark.parametrize("path", ["/", "/client/hubs/chat", "/clients/mqtt/hub/chat", "/clients/mqtt/hubs", ""])
def test_row_12_another_path_gets_404_that_names_the_right_one(path: str) -> None:
    verdict = refused(path)
    assert verdict.status == 404
    assert "/clients/mqtt/hubs/{hub}" in verdict.text


def test_row_12_the_status_is_a_setting() -> None:
    assert refused("/", unknown_path_status=410).status == 410


def test_row_12_other_paths_may_lead_to_a_hub() -> None:
    for path in ("/", "/mqtt", "/a/b", ""):
        assert admitted(path, other_paths="chat").hub == "chat"
    assert admitted("/mqtt", other_paths="chat", hubs=("one", "chat")).hub == "chat"
    asked = token(f"{ENDPOINT}/clients/mqtt/hubs/one")
    assert admitted("/mqtt", f"access_token={asked}", other_paths="chat", hubs=("one", "two")).hub == "one"


def test_a_hub_that_is_not_configured_gets_404_by_name() -> None:
    verdict = refused(hubs=("other",))
    assert verdict.status == 404
    assert "'chat'" in verdict.text
    assert "other" not in verdict.text
    assert admitted(hubs=("other", "chat")).hub == "chat"


def test_row_14_the_subprotocol_mqtt_has_to_be_offered() -> None:
    assert refused(subprotocols=()).status == 400
    assert refused(subprotocols=("mqttv3.1",)).status == 400
    assert admitted(subprotocols=("mqttv3.1", "mqtt")).warnings == ()


def test_row_14_the_lenient_switch_lets_it_pass_with_a_warning() -> None:
    assert "no subprotocol" in admitted(subprotocols=(), lenient_subprotocol=True).warnings[0]


def test_row_16_beyond_the_connection_limit_there_is_429() -> None:
    assert admitted(connections=9, connection_limit=10).hub == "chat"
    verdict = refused(connections=10, connection_limit=10)
    assert verdict.status == 429
    assert verdict.text == "Connection count reaches limit"
    assert ("retry-after", "1") in verdict.all_headers


def test_row_16_the_status_is_a_setting() -> None:
    assert refused(connections=1, connection_limit=1, connection_limit_status=503).status == 503


def test_row_16_a_stranger_does_not_learn_of_the_limit() -> None:
    assert refused(query="", connections=10, connection_limit=10).status == 401


def test_row_17_an_invalid_group_name_gets_400() -> None:
    bad = token(claims={"webpubsub.group": [" "]})
    assert refused(query=f"access_token={bad}").status == 400
    assert refused(query=f"access_token={bad}", group_name_status=401).status == 401


def test_row_18_the_short_group_claim_counts_with_a_warning() -> None:
    admission = admitted(query=f"access_token={token(claims={'group': ['g1']})}")
    assert admission.groups == ("g1",)
    assert "webpubsub.group" in admission.warnings[0]


def test_row_18_or_is_passed_over_if_the_setting_says_so() -> None:
    for claims, groups in (({"group": ["g1"]}, ()), ({"webpubsub.group": ["g1"]}, ("g1",))):
        admission = admitted(query=f"access_token={token(claims=claims)}", short_group_claim=False)
        assert (admission.groups, admission.warnings) == (groups, ())


def test_what_event_handlers_see_of_a_handshake_holds_no_token() -> None:
    headers = (("host", "x"), ("authorization", f"Bearer {token()}"), ("a", "b"))
    admission = admitted(query=f"k=v&access_token={token(user_id='u1')}&k=w", headers=headers)
    assert admission.query == (("k", "v"), ("k", "w"))
    assert admission.headers == (("host", "x"), ("a", "b"))
    assert admission.subprotocols == ("mqtt",)
    assert admission.claims["sub"] == "u1"
    assert admission.lifetime == 3600
    assert "eyJ" not in repr(admission)


def test_who_is_in_keeps_nothing_of_the_handshake_but_what_still_counts() -> None:
    asked = token(user_id="u1", roles=Roles.everything(), groups=["g1"])
    admission = admitted(query=f"k=v&access_token={asked}", headers=(("host", "x"),))
    settled = admission.settled()
    assert (settled.claims, settled.query, settled.headers) == ({}, (), ())
    for name in ("hub", "user_id", "grants", "groups", "warnings", "subprotocols", "lifetime"):
        assert getattr(settled, name) == getattr(admission, name)


def test_clients_with_the_same_roles_share_what_these_allow() -> None:
    first, second = (admitted(query=f"access_token={token(user_id=u, roles=Roles.publish('a'))}") for u in "ab")
    assert first.grants is second.grants
    other = admitted(query=f"access_token={token(roles=Roles.publish('b'))}")
    assert not other.grants.may_publish("a")


def test_row_40_user_id_roles_and_groups_come_from_the_token() -> None:
    asked = token(user_id="u1", roles=[*Roles.publish("a"), "strange"], groups=["g1", "g2"])
    admission = admitted(query=f"access_token={asked}")
    assert admission.user_id == "u1"
    assert admission.groups == ("g1", "g2")
    assert admission.grants.may_publish("a")
    assert not admission.grants.may_subscribe("a")
    assert "strange" in admission.warnings[0]


def test_origins_are_checked_only_if_there_is_a_list_and_a_header() -> None:
    page = (("Origin", "https://evil.example"),)
    assert admitted(headers=page).hub == "chat"
    assert admitted(origins=frozenset({"https://good.example"})).hub == "chat"
    assert refused(headers=page, origins=frozenset({"https://good.example"})).status == 403
    assert admitted(headers=page, origins=frozenset({"https://evil.example"})).hub == "chat"


def test_a_query_of_very_many_parameters_is_refused() -> None:
    assert refused(query="&".join(f"p{n}=1" for n in range(101))).status == 400
