"""Backups between installations, and while everything goes on."""

import json
import stat
import threading
import time

import wire
from harness import EMAIL, PASSWORD, Gateway

SECRET = "Bearer planted-secret-of-an-upstream"
BACKUP_PASSWORD = "the password of the backup"


def filled(gateway):
    """A server that gets a secret, its project, and two tokens: one that lives, one that was revoked."""
    gateway.mcpctl("create", "secret", "upstream", "--data", f"bearer={SECRET}")
    log = gateway.example_http("web", flags=("--header", "Authorization=secret:upstream/bearer"))
    gateway.project("demo", "web")
    token, revoked = gateway.token("agent"), gateway.token("gone")
    gateway.mcpctl("delete", "mcptoken", "gone", "-p", "demo")
    return log, token, revoked


def password_file(gateway):
    path = gateway.dir / "backup.pw"
    path.write_text(BACKUP_PASSWORD + "\n")
    path.chmod(0o600)
    return path


def works(gateway, token):
    return wire.Modern(gateway.port, token).text("web__echo", {"message": "hi"})


def test_a_backup_moves_to_another_installation():
    with Gateway() as there, Gateway() as here:
        log, token, revoked = filled(there)
        assert "hi" in works(there, token)
        path, password = there.dir / "a.backup", password_file(there)
        there.mcpctl("backup", "-o", path, "--password-file", password)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        text = path.read_text()
        for planted in (SECRET, token, "$argon2id", BACKUP_PASSWORD, PASSWORD):
            assert planted not in text, planted
        assert (there.data / "keys/master.key").read_bytes() != (here.data / "keys/master.key").read_bytes()

        wrong = there.dir / "wrong.pw"
        wrong.write_text("another password\n")
        wrong.chmod(0o600)
        refused = here.mcpctl("restore", path, "--password-file", wrong, code=None)
        assert refused.returncode == 1 and "password: is not that of the backup" in refused.stderr, refused
        # The first user is of this name here, too, with another hash.
        refused = here.mcpctl("restore", path, "--password-file", password, code=None)
        assert refused.returncode == 1 and f"user/{EMAIL}" in refused.stderr and "--conflict" in refused.stderr, refused
        assert here.rest("GET", "servers").json["items"] == []

        dry = here.mcpctl("restore", path, "--password-file", password, "--conflict", "skip", "--dry-run")
        assert "mcptoken/demo/agent created" in dry and here.rest("GET", "servers").json["items"] == []
        done = here.mcpctl("restore", path, "--password-file", password, "--conflict", "skip")
        assert done == dry
        assert f"user/{EMAIL} skipped (differs in password)" in done, done

        log.write_text("")
        assert "hi" in works(here, token)
        assert f"header authorization: {SECRET}" in log.read_text()  # under the other master key
        assert here.rest("GET", "mcptokens/introspect", bearer=revoked).json["reason"] == "revoked"
        # Revoked here, and restored once more.
        here.mcpctl("delete", "mcptoken", "agent", "-p", "demo")
        again = here.mcpctl("restore", path, "--password-file", password, "--conflict", "overwrite")
        assert "mcptoken/demo/agent unchanged (is revoked here, and stays so)" in again, again
        assert here.rest("GET", "mcptokens/introspect", bearer=token).json["reason"] == "revoked"


def test_the_files_of_mcpctl():
    with Gateway() as gateway:
        filled(gateway)
        path = gateway.dir / "plain.backup"
        done = gateway.mcpctl("backup", "-o", path, code=None)
        assert done.returncode == 0 and done.stdout == "", done
        assert "Not in the backup: secret/upstream: values (the backup has no password)" in done.stderr, done.stderr
        before = path.read_bytes()
        refused = gateway.mcpctl("backup", "-o", path, code=None)
        assert refused.returncode == 1 and "--force" in refused.stderr and path.read_bytes() == before, refused
        gateway.mcpctl("backup", "-o", path, "--force")
        assert json.loads(gateway.mcpctl("backup"))["format"] == 1
        # What is here already is the same.
        report = json.loads(gateway.mcpctl("restore", path, "-o", "json"))
        assert set(item["effect"] for item in report["items"]) == {"unchanged"}, report

        def refuses(text, why, *words):
            path.write_bytes(text)
            done = gateway.mcpctl("restore", path, *words, code=None)
            assert done.returncode == 1 and why in done.stderr, done

        refuses(before[:-100], "is not valid JSON")
        refuses(b'{"kind": "List", "items": []}', "this is no backup")
        readable = gateway.dir / "readable.pw"
        readable.write_text(BACKUP_PASSWORD)
        readable.chmod(0o644)
        refuses(before, "others may read it", "--password-file", readable)
        done = gateway.mcpctl("restore", path, "--password-stdin", input=BACKUP_PASSWORD, code=None)
        assert done.returncode == 1 and "the backup has none" in done.stderr, done
        # A sealed one asks, and where nobody can be asked says so.
        gateway.mcpctl("backup", "-o", path, "--force", "--password-stdin", input=BACKUP_PASSWORD)
        done = gateway.mcpctl("restore", path, code=None)
        assert done.returncode == 64 and "--password-file" in done.stderr, done


def announced(gateway, path, size, bearer):
    """The answer to a request whose body is announced and does not come."""
    return wire.raw(gateway.port, f"POST /api/v1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {bearer}\r\n"
                                  f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n".encode())


def test_a_large_backup_is_taken_from_whoever_may_restore_alone():
    with Gateway() as gateway:
        objects = [{"kind": "template", "name": f"t{i}", "description": "x" * 1000, "command": ["x"] + ["y" * 8000] * 6}
                   for i in range(150)]
        backup = {"format": 1, "server": "1", "createdAt": "2026-01-01T00:00:00Z", "revision": 1, "objects": objects}
        body = json.dumps({"backup": backup})
        assert len(body) > 5 << 20
        assert announced(gateway, "templates", len(body), gateway.admin).startswith(b"HTTP/1.1 413 ")
        gateway.mcpctl("create", "user", "weak@example.com")
        assert gateway.rest("PATCH", "users/weak@example.com", {"password": PASSWORD}).status == 200
        weak = gateway.rest("POST", "auth/login", {"email": "weak@example.com", "password": PASSWORD}, bearer=None).json["token"]
        assert announced(gateway, "restore", len(body), weak).startswith(b"HTTP/1.1 413 ")
        assert gateway.rest("POST", "restore", {"backup": backup | {"objects": []}}, bearer=weak).status == 403
        answer = gateway.rest("POST", "restore", body)
        assert answer.status == 200 and answer.json["counts"]["created"] == 150, answer
        assert announced(gateway, "restore", 33 << 20, gateway.admin).startswith(b"HTTP/1.1 413 ")
        made = gateway.rest("GET", "backup")
        assert made.status == 200 and len(made.body) > 5 << 20
        path = gateway.dir / "large.backup"
        gateway.mcpctl("backup", "-o", path)
        assert "template/t1 unchanged" in gateway.mcpctl("restore", path)


def test_a_backup_during_writes_is_of_one_moment():
    """RB-22: two objects are written in turns, so that in every moment the first is equal or one ahead."""
    with Gateway() as gateway:
        for name in ("first", "second"):
            assert gateway.rest("POST", "groups", {"name": name, "description": "0"}).status == 201
        gateway.project("demo")
        stop, times, failures = threading.Event(), [], []

        def turn():
            with wire.Connection(gateway.port) as connection:
                fields = {"Authorization": f"Bearer {gateway.admin}", "Content-Type": "application/json"}
                number = 0
                while not stop.is_set():
                    number += 1
                    for name in ("first", "second"):
                        begun = time.monotonic()
                        answer = connection.request("PATCH", f"/api/v1/groups/{name}", json.dumps({"description": str(number)}), fields)
                        times.append(time.monotonic() - begun)
                        if answer.status != 200:
                            failures.append(answer)
                            return

        def mint():
            number = 0
            while not stop.is_set():
                number += 1
                made = gateway.rest("POST", "mcptokens", {"name": f"t{number}", "project": "demo", "ttl": "1h"})
                purge = "true" if number % 2 else "false"
                if made.status != 201 or gateway.rest("DELETE", f"mcptokens/{made.json['id']}?purge={purge}").status != 200:
                    failures.append(made)
                    return

        threads = [threading.Thread(target=work) for work in (turn, mint)]
        for thread in threads:
            thread.start()
        try:
            backups, seen = 0, set()
            while backups < 20 or len(seen) < 5 or len(times) <= 40:
                body = {"password": BACKUP_PASSWORD} if backups % 5 == 0 else {}
                made = gateway.rest("POST", "backup", body)
                assert made.status == 200, made
                objects = made.json["objects"]
                value = {one["name"]: int(one["description"]) for one in objects if one["kind"] == "group"}
                assert value["first"] - value["second"] in (0, 1), value
                for token in (one for one in objects if one["kind"] == "mcptoken"):
                    assert ("revokedAt" in token) == ("revokeReason" in token), token
                seen.add(value["first"])
                backups += 1
                assert threads[0].is_alive() and threads[1].is_alive(), failures
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert not failures, failures
        assert gateway.rest("GET", "audit/verify").json["intact"] is True
        times.sort()
        print(f"{backups} backups, {len(times)} writes, p50 {times[len(times) // 2] * 1000:.1f} ms, "
              f"p99 {times[len(times) * 99 // 100] * 1000:.1f} ms")
        # The last one is the state, and restores to it.
        last = gateway.rest("GET", "backup").json
        answer = gateway.rest("POST", "restore", {"backup": last})
        assert answer.status == 200 and answer.json["counts"]["unchanged"] == len(last["objects"]), answer
