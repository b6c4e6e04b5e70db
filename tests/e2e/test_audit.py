"""The audit record as administrators see it: checked from near and far, purged, and what is kept for nobody any more."""

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
        time.sleep(0.3)
        assert reason() == "revoked"
        with stopped(gateway) as database:
            sessions = database.execute("SELECT count(*) FROM sessions").fetchone()[0]
            database.execute("UPDATE tokens SET revoked_ms = revoked_ms - ?", (2 * day,))
        until(lambda: reason() == "unknown", 10)
        assert sessions == 1 and gateway.rest("GET", "mcptokens?all=true").json["items"] == []
