"""The audit record as administrators see it: checked from near and far, purged, and what is kept for nobody any more."""

import json
import sqlite3
import subprocess
import time
from contextlib import contextmanager

import wire
from harness import MCPD, Gateway, until


@contextmanager
def stopped(gateway):
    """The database, while no server has it."""
    assert gateway.stop() == 0
    with sqlite3.connect(gateway.data / "mcptoken.db") as database:
        yield database
    database.close()
    gateway.start()


def verify(gateway, *flags):
    """`mcpd admin audit-verify`: exit code, output, errors."""
    done = subprocess.run([str(MCPD), "admin", "audit-verify", "--data-dir", str(gateway.data), *flags], capture_output=True,
                          text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def head_of(text):
    return text.rsplit("head: ", 1)[1].strip()


def test_the_record_is_checked_from_near_and_far():
    with Gateway() as gateway:
        gateway.project("demo")
        token = gateway.token("t")
        wire.Modern(gateway.port, token).call("nowhere__tool")
        until(lambda: gateway.rest("GET", "audit/events?kind=rbac_decision").json["items"])
        noted = head_of(gateway.mcpctl("audit", "verify"))
        assert gateway.mcpctl("audit", "verify", "--expect-head", noted, "-o", "json").find('"intact": true') >= 0
        code, _, errors = verify(gateway)
        assert code == 1 and "in use" in errors, errors
        with stopped(gateway) as database:
            code, out, errors = verify(gateway, "--expect-head", noted)
            assert code == 0 and "is intact" in out, (out, errors)
            last = int(head_of(out).split(":")[0])
            other = f"{noted.split(':')[0]}:{'0' * 64}"
            assert verify(gateway, "--expect-head", other)[0] == 1
            assert verify(gateway, "--expect-head", "7")[0] == 1 and verify(gateway, "--expect-head")[0] == 64
            newest, = database.execute("SELECT version FROM schema_versions WHERE name = 'audit'").fetchone()
            for version, advice in ((newest - 1, "start mcpd once"), (newest + 1, "a newer one")):
                with database:
                    database.execute("UPDATE schema_versions SET version = ? WHERE name = 'audit'", (version,))
                code, _, errors = verify(gateway)
                assert code == 1 and f"has schema {version}" in errors and advice in errors, errors
            with database:
                database.execute("UPDATE schema_versions SET version = ? WHERE name = 'audit'", (newest,))
            # Behind the end, where it would be taken for the next event.
            columns = ", ".join(name for _, name, *_ in database.execute("PRAGMA table_info(audit)") if name != "seq")
            database.execute(f"INSERT INTO audit ({columns}) SELECT {columns} FROM audit WHERE seq = 1")
            database.commit()
            code, _, errors = verify(gateway)
            assert code == 1 and f"not intact at event {last + 1}" in errors, errors
        assert "were not written by this server" in gateway.process.text()
        gateway.mcpctl("create", "project", "more", "--proxy-model", "none")
        done = gateway.mcpctl("audit", "verify", code=None)
        assert done.returncode == 1 and f"not intact at event {last + 1}" in done.stderr, done
        with stopped(gateway) as database:
            database.execute("UPDATE audit SET user = 'somebody@example.com' WHERE seq = 2")
            database.commit()
            assert "not intact at event 2" in verify(gateway)[2]
        assert verify(gateway, "--data-dir", "/nowhere")[0] == 1


def test_the_beginning_is_purged_and_the_rest_verifies():
    with Gateway() as gateway:
        gateway.project("demo")
        time.sleep(0.01)
        answer = gateway.rest("DELETE", f"audit/events?before={time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}")
        removed = answer.json["removed"]
        count = len(gateway.rest("GET", "audit/events").json["items"])
        last = gateway.rest("GET", "audit/verify").json["head"]["seq"]
        assert answer.status == 200 and removed + count == last, (answer, count, last)
        assert gateway.rest("DELETE", f"audit/events?before={last}").json["removed"] == count - 1
        kinds = [event["kind"] for event in gateway.rest("GET", "audit/events").json["items"]]
        # The last one stays, and what tells of the purge when anything went.
        assert "audit_purged" in kinds and len(kinds) == min(count, 2), kinds
        assert "is intact" in gateway.mcpctl("audit", "verify")
        with stopped(gateway) as database:
            assert verify(gateway)[0] == 0
            database.execute("UPDATE audit_checkpoint SET seq = seq - 1")
            database.commit()
            code, _, errors = verify(gateway)
            assert code == 1 and "checkpoint is not genuine" in errors, errors


def test_what_is_kept_for_nobody_any_more_goes_at_the_start():
    day = 24 * 3600 * 1000
    with Gateway() as gateway:
        gateway.project("demo")
        token = gateway.token("old")
        record = gateway.rest("GET", "mcptokens?project=demo").json["items"][0]["id"]
        assert gateway.rest("DELETE", f"mcptokens/{record}").status == 200

        def reason():
            return gateway.rest("GET", "mcptokens/introspect", bearer=token).json["reason"]

        assert reason() == "revoked"
        with stopped(gateway) as database:
            database.execute("UPDATE tokens SET revoked_ms = revoked_ms - ?", (29 * day,))
            database.execute("UPDATE sessions SET last_used_ms = last_used_ms - ?", (day,))
        gateway.admin = gateway.login()

        def only_the_last_session():  # the housekeeping of a start has time until the stop
            time.sleep(0.3)
            assert reason() == "revoked"
            with stopped(gateway) as database:
                return database.execute("SELECT count(*) FROM sessions").fetchone() == (1,)

        until(only_the_last_session)
        with stopped(gateway) as database:
            database.execute("UPDATE tokens SET revoked_ms = revoked_ms - ?", (2 * day,))
        until(lambda: reason() == "unknown")
        assert gateway.rest("GET", "mcptokens?all=true").json["items"] == []


def test_no_raw_credential_is_kept_or_told_back_wherever_it_was_put():
    """A token that was pasted into the wrong place: into an address, a name, a header, a query, a field."""
    with Gateway() as gateway:
        gateway.example()
        gateway.project("demo", "example")
        token, pasted = gateway.token("asks"), gateway.token("pasted")
        gateway.ready(token, "example")
        answers = [gateway.rest("DELETE", f"servers/{pasted}", bearer=token),
                   gateway.rest("GET", f"servers/{pasted}"),
                   gateway.rest("GET", f"projects/{pasted}/servers", bearer=token),
                   gateway.rest("GET", "servers", bearer=token, headers={"User-Agent": f"mine {pasted}"}),
                   gateway.rest("GET", f"servers?limit={pasted}x"),
                   gateway.rest("GET", f"auth/whoami?token={pasted}"),
                   gateway.rest("POST", "auth/login", {"email": pasted, "password": "wrong horse"}, bearer=None),
                   gateway.rest("POST", "auth/login", {"email": f"{pasted}@example.com", "password": "x" * 9}, bearer=None),
                   gateway.rest("POST", "servers", {"name": "s", "externalUrl": f"https://example.com/?t={pasted}"}),
                   gateway.rest("POST", "groups", {"name": "g", "description": f"uses {pasted}"}),
                   gateway.rest("POST", "groups", {"name": "g", pasted: 1}),
                   gateway.rest("POST", "mcptokens", {"name": "x", "project": "demo", "ttl": "1h", "description": pasted})]
        assert [answer.status for answer in answers] == [403, 404, 403, 403, 400, 400, 401, 401, 400, 400, 400, 400], answers
        modern = wire.Modern(gateway.port, token)
        answers.append(modern.call(f"{pasted}"))
        answers.append(modern.call(f"example__{pasted}"))
        named = {"io.modelcontextprotocol/clientInfo": {"name": f"client {pasted}", "version": pasted}}
        answers.append(modern.request("tools/call", {"name": "example__nothing", "arguments": {}, "_meta": named}))
        said = gateway.mcpctl("get", "server", pasted, code=None)
        assert said.returncode != 0 and pasted not in said.stdout + said.stderr, said
        assert not any(pasted[11:] in repr(answer) for answer in answers), answers

        def leak():
            return gateway.rest("GET", "audit/events?kind=token_leak_suspected&tokenName=pasted").json["items"]

        event = until(leak)[0]
        assert event["rule"] == "the token was sent in a query" and event["outcome"] == "denied", event
        kept = json.dumps([gateway.rest("GET", "audit/events?limit=1000").json, gateway.rest("GET", "audit/sessions").json])
        assert "mcpctl_pat_[redacted]" in kept and pasted[11:] not in kept
        assert gateway.stop() == 0
        holding = [path.name for path in gateway.data.rglob("*") if path.is_file() and pasted.encode() in path.read_bytes()]
        assert not holding, holding


def test_failed_logins_with_huge_addresses_leave_little():
    with Gateway() as gateway:
        before = sum(path.stat().st_size for path in gateway.data.rglob("*") if path.is_file())
        for letter in "abcde":
            answer = gateway.rest("POST", "auth/login", {"email": letter * (3 << 20) + "\u202e@example.com", "password": "x" * 9},
                                  bearer=None)
            assert answer.status == 401, answer
        gateway.events("kind=login_failed", 5)
        found = gateway.rest("GET", "audit/events?kind=login_failed")
        assert len(found.json["items"]) == 5 and len(found.body) < 4_000, found
        after = sum(path.stat().st_size for path in gateway.data.rglob("*") if path.is_file())
        assert after - before < 1 << 20, (before, after)


def test_a_session_belongs_to_its_token():
    """What one token's gateway reports says nothing about the sessions of another."""
    with Gateway() as gateway:
        gateway.example()
        gateway.project("demo", "example")
        mine, other = gateway.token("mine"), gateway.token("other")
        gateway.ready(mine, "example")
        client = wire.Legacy(gateway.port, mine)
        client.call("example__nothing")
        whole = lambda: [one for one in gateway.rest("GET", "audit/sessions?tokenName=mine").json["items"] if one["events"] == 2]
        summary = until(whole)[0]  # its beginning and its call
        forged = {"stream": "s", "next": 2, "events": [
            {"seq": 1, "time": "2026-01-01T00:00:00Z", "kind": "tool_call_trace", "outcome": "denied",
             "session": summary["session"], "clientName": "forged"}]}
        assert gateway.rest("POST", "projects/demo/audit", forged, bearer=other).json["written"] == 1
        now = gateway.rest("GET", "audit/sessions?tokenName=mine").json["items"]
        assert now == [summary], (now, summary)
        theirs = gateway.rest("GET", "audit/sessions?tokenName=other").json["items"]
        assert [one["session"] for one in theirs] == [summary["session"]] and theirs[0]["clientName"] == "forged", theirs


def test_a_cut_end_shows_when_the_head_is_set_back_to_it():
    with Gateway() as gateway:
        gateway.project("demo")
        for name in "abc":
            gateway.mcpctl("create", "group", name)
        with stopped(gateway) as database:
            last, = database.execute("SELECT max(seq) FROM audit").fetchone()
            for table in ("audit", "audit_chain"):
                database.execute(f"DELETE FROM {table} WHERE seq > {last - 2}")
            database.execute("UPDATE audit_head SET (seq, link) = (SELECT seq, link FROM audit_chain ORDER BY seq DESC LIMIT 1)")
            database.commit()
            code, _, errors = verify(gateway)
            assert code == 1 and "head is not genuine" in errors, errors
        gateway.mcpctl("create", "group", "d")  # what is written since does not heal it
        done = gateway.mcpctl("audit", "verify", code=None)
        assert done.returncode == 1 and "head is not genuine" in done.stderr, done


def test_an_allowed_call_tells_its_rule_and_its_client_and_the_record_is_exported():
    with Gateway() as gateway:
        gateway.example()
        gateway.project("demo", "example")
        token = gateway.token("narrow", "demo", "--bind", "role:run,resource:tools,name:example/ec*")
        gateway.ready(gateway.token("warm"), "example")
        for client in (wire.Legacy(gateway.port, token), wire.Modern(gateway.port, token)):
            assert client.text("example__echo", {"message": "x"}) == "x"
        query = "audit/events?kind=tool_call_trace&tokenName=narrow&tool=echo"
        events = until(lambda: (found := gateway.rest("GET", query).json["items"]) and len(found) == 2 and found)
        for event in events:
            assert event["rule"].endswith(": role:run,resource:tools,name:example/ec*"), event
            assert (event["clientName"], event["clientVersion"]) == ("e2e", "1"), event
        listed, after = [], 0
        while items := (page := gateway.rest("GET", f"audit/export?limit=3&after={after}").json)["items"]:
            listed, after = listed + items, page["next"]
        assert [one["seq"] for one in listed] == sorted(one["seq"] for one in listed) and len(listed) > 6, listed
        assert listed[-1]["link"] == page["head"]["hash"] and listed[-1]["seq"] == page["head"]["seq"], (listed[-1], page["head"])
        assert {event["seq"] for event in events} <= {one["seq"] for one in listed}
        assert gateway.rest("GET", "audit/export", bearer=token).status == 403
