"""Tokens seen from outside: the changes feed that remote gateways follow, rotation, and what guessing meets."""

import json
import select
import time
from contextlib import contextmanager

import wire
from harness import Gateway, quick, until
from test_identity import refused, REALM


@contextmanager
def fixture():
    with Gateway(loops=2) as gateway:
        gateway.project("demo")
        assert gateway.stop() == 0
        gateway.start()  # the feed of a new store would remember everything
        yield gateway


def introspect(gateway, token):
    return gateway.rest("GET", "mcptokens/introspect", bearer=token)


def poll(gateway, ticket, since):
    return gateway.rest("GET", f"mcptokens/changes?since={since}", bearer=ticket)


def record(gateway, name):
    items = gateway.rest("GET", "mcptokens?project=demo&all=true").json["items"]
    return next(item for item in items if item["name"] == name)


def waiting(gateway, ticket, since):
    """The connection of a poll under way."""
    connection = wire.Connection(gateway.port)
    assert connection.request("GET", "/healthz").status == 200  # it has been accepted
    connection.send("GET", f"/api/v1/mcptokens/changes?since={since}", None, {"Authorization": f"Bearer {ticket}"})
    return connection


def test_a_refused_introspection_says_why_in_one_word(gateway):
    token = gateway.token("refused")
    id = record(gateway, "refused")["id"]
    assert gateway.rest("DELETE", f"mcptokens/{id}").status == 200
    unknown = token[:-1] + ("0" if token[-1] != "0" else "1")
    for bearer, error, reason in ((token, "invalid_token", "revoked"), (unknown, "invalid_token", "unknown"),
                                  ("x", "invalid_token", "malformed"), (None, "unauthorized", "unauthorized")):
        answer = introspect(gateway, bearer)
        assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith(REALM), answer
        told = answer.json
        assert told["ok"] is False and told["reason"] == reason and told["error"] == error, told


def test_a_poll_sees_a_revocation_within_100_ms(gateway):
    def latency():
        token = gateway.token("followed")
        told = introspect(gateway, token).json
        assert token not in str(told) and told["watchTicket"].startswith("mcpctl_wat_"), told
        id = record(gateway, "followed")["id"]
        polls = [waiting(gateway, told["watchTicket"], told["revision"]) for _ in range(2)]  # one waits on each loop, perhaps
        time.sleep(0.2)
        start = time.monotonic()
        assert gateway.rest("DELETE", f"mcptokens/{id}?purge=true").status == 200
        for connection in polls:
            answer = connection.answer()
            took = time.monotonic() - start
            assert answer.status == 200 and answer.json["changed"] == [told["watchId"]], answer
            assert answer.json["revision"] > told["revision"], answer
            connection.close()
        assert poll(gateway, told["watchTicket"], told["revision"]).json["changed"] == [told["watchId"]]
        return took

    for _ in range(2):
        quick(latency, 0.1)


def test_what_the_feed_does_not_remember_is_a_reset(gateway):
    told = introspect(gateway, gateway.token("reset")).json
    for since in (0, told["revision"] + 1000):
        answer = poll(gateway, told["watchTicket"], since)
        assert answer.status == 200 and answer.json["reset"] is True and "changed" not in answer.json, answer
        assert answer.json["revision"] >= told["revision"], answer


def test_the_feed_takes_its_tickets_and_tokens_alone(gateway):
    token = gateway.token("alone")
    told = introspect(gateway, token).json
    ticket = told["watchTicket"]
    assert poll(gateway, token, 0).json["reset"] is True
    why = "the watch ticket is not one of this server's"
    forged = ticket[:-1] + ("0" if ticket[-1] != "0" else "1")
    refused(poll(gateway, forged, 0), 401, f'{REALM}, error="invalid_token", error_description="{why}"', "invalid_token", why)
    refused(poll(gateway, None, 0), 401, REALM, "unauthorized")
    refused(gateway.rest("GET", "servers", bearer=ticket), 403, f'{REALM}, error="insufficient_scope"', "forbidden")
    with wire.Connection(gateway.port) as connection:
        answer = connection.request("POST", "/mcp", "{}", {"Authorization": f"Bearer {ticket}", "Content-Type": "application/json"})
        assert answer.status == 401 and "not tickets of the changes feed" in answer.json["message"], answer


def test_polls_are_limited_per_address_and_free_their_place(gateway):
    told = introspect(gateway, gateway.token("many")).json
    polls = [waiting(gateway, told["watchTicket"], told["revision"]) for _ in range(5)]  # the last one to come is refused
    answered = lambda: [one for one in polls if select.select([one.socket], [], [], 0)[0]]  # noqa: E731
    until(answered)
    (one_more,) = answered()
    refused(one_more.answer(), 429, None, "rate_limited")
    for connection in polls:
        connection.cut()
        connection.close()
    until(lambda: poll(gateway, told["watchTicket"], 0).status == 200)


def test_a_poll_ends_when_the_server_stops(gateway):
    told = introspect(gateway, gateway.token("stopping")).json
    connection = waiting(gateway, told["watchTicket"], told["revision"])
    time.sleep(1)
    start = time.monotonic()
    assert gateway.stop() == 0
    answer = connection.answer()
    assert answer.status == 503 and answer.headers["Retry-After"] == "1", answer
    assert time.monotonic() - start < 15  # a poll waits for longer
    connection.close()
    gateway.start()
    # Tickets outlive the process; the log does not.
    assert poll(gateway, told["watchTicket"], told["revision"] - 1).json["reset"] is True


def test_br_38_rotation_and_the_alarm_when_the_old_token_is_kept(gateway):
    first = gateway.token("turned", "demo", "--ttl", "1h")
    old = gateway.mcpctl("rotate", "mcptoken", "turned", "-p", "demo", "--grace", "1h").strip()
    assert old != first and [introspect(gateway, token).status for token in (first, old)] == [200, 200]
    new = gateway.mcpctl("rotate", "mcptoken", "turned", "-p", "demo").strip()

    def alarms():
        return gateway.rest("GET", "audit/events?kind=token_leak_suspected&tokenName=turned").json["items"]

    assert introspect(gateway, first).status == 200 and not alarms()
    refusal = introspect(gateway, old)
    assert refusal.status == 401 and refusal.json["reason"] == "superseded", refusal
    found = until(alarms)
    for _ in range(10):
        assert introspect(gateway, old).status == 401
    time.sleep(0.3)
    assert len(alarms()) <= 2, "once an hour on each loop"
    event = found[0]
    assert event["outcome"] == "denied" and event["project"] == "demo" and event["user"] == "admin@example.com", event
    assert "127.0.0.1" in json.dumps(event) and old not in json.dumps(event), event
    assert introspect(gateway, new).status == 200

    again = json.loads(gateway.mcpctl("rotate", "mcptoken", "turned", "-p", "demo", "--ttl", "5m", "-o", "json"))
    assert again["name"] == "turned" and again["token"] not in (first, old, new), again
    assert introspect(gateway, new).status == 401 and introspect(gateway, again["token"]).status == 200
    gateway.mcpctl("rotate", "mcptoken", "nobody", "-p", "demo", code=1)
    gateway.mcpctl("rotate", "mcptoken", "turned", "-p", "demo", "--ttl", "soon", code=64)

    def listed(*flags):
        return gateway.mcpctl("get", "mcptokens", "-p", "demo", "-o", "name", *flags).split().count("mcptoken/turned")

    assert (listed(), listed("--all"), listed("--expiring", "10m"), listed("--unused", "1h")) == (2, 4, 1, 0)
    gateway.mcpctl("get", "servers", "--unused", "1h", code=64)


def test_br_22_who_guesses_tokens_waits_and_nobody_else_does(gateway):
    good, revoked = gateway.token("good"), gateway.token("ended")
    assert gateway.rest("DELETE", f"mcptokens/{record(gateway, 'ended')['id']}").status == 200

    def ask(connection, token, path="/api/v1/auth/whoami"):
        return connection.request("GET", path, None, {"Authorization": f"Bearer {token}"})

    guess = good[:-1] + ("0" if good[-1] != "0" else "1")
    with wire.Connection(gateway.port) as connection:  # one connection is on one loop
        answers = [ask(connection, guess).status for _ in range(1000)]
        assert set(answers) == {401}, answers
        limited = until(lambda: (answer := ask(connection, guess)).status == 429 and answer)
        refused(limited, 429, None, "rate_limited")
        assert int(limited.headers["Retry-After"]) >= 1, limited
        # A credential that was given to somebody is no guess, and whoever asks about others' is answered.
        assert ask(connection, good).status == 200
        assert ask(connection, revoked).status == 401
        assert ask(connection, guess, "/api/v1/mcptokens/introspect").json["reason"] == "unknown"
        assert connection.request("GET", "/api/v1/auth/whoami").status == 401
        time.sleep(0.3)
        assert 401 in [ask(connection, guess).status for _ in range(2)], "it is forgotten"
