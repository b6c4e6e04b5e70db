"""The control plane over HTTP and from the command line: kinds, people, and the numbered cases of docs/security-cases.md
that need the whole product."""

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import wire
from harness import EMAIL, MCPD, PASSWORD, Gateway

ROUTES = re.findall(r"^\| (GET|POST|PUT|PATCH|DELETE) \| `(/api/v1/[^`]*)` \| ([^|]*) \| ([^|]*) \|",
                    (Path(__file__).resolve().parents[2] / "docs" / "http-api.md").read_text(), re.M)
PLANTED = "planted"
ROUNDS = 30


@contextmanager
def fixture():
    with Gateway(loops=2) as gateway:
        gateway.log_file = gateway.example("old", era="legacy")
        gateway.project("demo", "old")
        gateway.bob = person(gateway, "bob@example.com", "role:view,resource:projects,name:demo",
                             "role:create,resource:mcptokens,name:demo/*", "role:view,resource:servers")
        yield gateway


def ok(answer, status=200):
    assert answer.status == status, answer
    return answer.json


def login(gateway, email, password="correct horse"):
    return gateway.rest("POST", "auth/login", {"email": email, "password": password}, bearer=None)


def person(gateway, email, *bindings):
    """A user who holds these, and a session of his."""
    ok(gateway.rest("POST", "users", {"email": email, "password": "correct horse"}), 201)
    if bindings:
        ok(gateway.rest("POST", "rbac", {"name": "of-" + email.split("@")[0], "subjects": [f"User:{email}"],
                                         "roleBindings": list(bindings)}), 201)
    return ok(login(gateway, email))["token"]


def mint(gateway, name, bearer, **fields):
    return gateway.rest("POST", "mcptokens", {"name": name, "project": "demo", "ttl": "1h", **fields}, bearer=bearer)


def names(text):
    return text.split()


# --- kinds


def test_every_kind_from_the_command_line(gateway):
    make = {
        "template": ["--package-name", "pkg@1.0", "--env", "TOKEN", "--env", "URL=https://example.com"],
        "proxymodel": ["--stage", "paginate", "--stage", '{"type":"truncate","config":{"maxBytes":64}}', "--extends", "default"],
        "prompt": ["-p", "demo", "--content", "be kind", "--priority", "7", "--chapter", "one"],
        "promptrequest": ["-p", "demo", "--content", "be brief"],
        "group": ["--member", "bob@example.com"],
        "secret": ["--data", "k=v"],
    }
    for kind, flags in make.items():
        gateway.mcpctl("create", kind, "x1", *flags, "--label", "team=a")
        project = ["-p", "demo"] if "-p" in flags else []
        shown = json.loads(gateway.mcpctl("get", kind, "x1", *project, "-o", "json"))
        assert shown["name"] == "x1" and shown["kind"] == kind and shown["labels"] == {"team": "a"}, shown
        assert f"{kind}/x1" in names(gateway.mcpctl("get", kind + "s", *project, "-o", "name"))
        # What is shown can be sent back and changes nothing but the version.
        body = {name: value for name, value in shown.items()
                if name not in ("id", "version", "createdAt", "updatedAt", "createdBy", "createdByToken")}
        scope = "?project=demo" if project else ""
        back = ok(gateway.rest("PUT", f"{kind}s/x1{scope}", body, headers={"If-Match": str(shown["version"])}))
        assert {**back, "version": 0, "updatedAt": 0} == {**shown, "version": 0, "updatedAt": 0}, (back, shown)
        assert gateway.rest("PUT", f"{kind}s/x1{scope}", body, headers={"If-Match": "1"}).status == 409
        for selector, found in (("team=a", 1), ("team in (b, c)", 0), ("!team", 0)):
            listed = ok(gateway.rest("GET", f"{kind}s?labelSelector=" + selector.replace(" ", "%20")))["items"]
            assert sum(one["name"] == "x1" for one in listed) == found, (kind, selector, listed)
    gateway.mcpctl("approve", "promptrequest", "x1", "-p", "demo", code=1)  # the name is taken
    gateway.mcpctl("delete", "prompt", "x1", "-p", "demo")
    gateway.mcpctl("approve", "promptrequest/x1", "-p", "demo")
    assert json.loads(gateway.mcpctl("get", "prompt", "x1", "-p", "demo", "-o", "json"))["content"] == "be brief"
    for kind in ("template", "proxymodel", "group", "secret"):
        gateway.mcpctl("delete", kind, "x1")


# --- people


def test_disabling_a_user_refuses_tokens_and_sessions_at_once(gateway):
    session = person(gateway, "eve@example.com", "role:view,resource:projects,name:demo", "role:create,resource:mcptokens")
    token = ok(mint(gateway, "eves", session), 201)["token"]
    whoami = lambda bearer: gateway.rest("GET", "auth/whoami", bearer=bearer).status
    assert whoami(session) == whoami(token) == 200
    ok(gateway.rest("PATCH", "users/eve@example.com", {"disabled": True}))
    assert whoami(session) == whoami(token) == 401
    assert login(gateway, "eve@example.com").status == 401
    ok(gateway.rest("PATCH", "users/eve@example.com", {"disabled": False}))
    assert (whoami(session), whoami(token)) == (401, 200)  # CE-44: sessions have ended, tokens live with the user
    ok(login(gateway, "eve@example.com"))


def test_a_user_with_tokens_is_deleted_on_request_only(gateway):
    session = person(gateway, "dan@example.com", "role:view,resource:projects,name:demo", "role:create,resource:mcptokens")
    token = ok(mint(gateway, "dans", session), 201)["token"]
    refused = gateway.rest("DELETE", "users/dan@example.com")
    assert refused.status == 409 and '"dans"' in refused.json["message"], refused
    told = gateway.mcpctl("delete", "user", "dan@example.com", code=None)
    assert told.returncode == 1 and '"dans"' in told.stderr and "--cascade" in told.stderr, told
    gateway.mcpctl("delete", "server", "old", "--cascade", code=64)
    gateway.mcpctl("delete", "user", "dan@example.com", "--cascade")
    for bearer in (session, token):
        assert gateway.rest("GET", "auth/whoami", bearer=bearer).status == 401


def test_passwords_are_changed_by_oneself_and_by_an_administrator(gateway):
    one = person(gateway, "pam@example.com", "action:set-own-password")
    two = ok(login(gateway, "pam@example.com"))["token"]
    assert gateway.rest("POST", "users/me/password", {"current": "wrong horse", "password": "battery staple"}, bearer=one).status == 400
    ok(gateway.rest("POST", "users/me/password", {"current": "correct horse", "password": "battery staple"}, bearer=one))
    assert gateway.rest("GET", "auth/whoami", bearer=one).status == 200
    assert gateway.rest("GET", "auth/whoami", bearer=two).status == 401
    gateway.mcpctl("passwd", "pam@example.com", "--password-stdin", input="tr0ubador tr0ubador\n")
    assert gateway.rest("GET", "auth/whoami", bearer=one).status == 401
    assert login(gateway, "pam@example.com", "battery staple").status == 401
    ok(login(gateway, "pam@example.com", "tr0ubador tr0ubador"))


def test_wrong_passwords_have_to_wait(gateway):
    answers = [login(gateway, "mallory@example.com", "wrong horse") for _ in range(12)]
    assert [answer.status for answer in answers] == [401] * 10 + [429] * 2, answers
    assert answers[-1].json["error"] == "rate_limited" and 1 <= int(answers[-1].headers["Retry-After"]) <= 30, answers[-1]
    ok(login(gateway, "bob@example.com"))


def test_a_password_is_reset_offline(gateway):
    command = [str(MCPD), "admin", "reset-password", EMAIL, "--data-dir", str(gateway.data)]
    run = lambda text, *words: subprocess.run([*command, *words], input=text, capture_output=True, text=True, timeout=60)
    busy = run("battery staple\n")
    assert busy.returncode == 1 and "in use by process" in busy.stderr, busy
    assert gateway.stop() == 0
    short = run("short\n")
    assert short.returncode == 1 and "password: must have 8 to 1024 bytes" in short.stderr, short
    done = run(PASSWORD + "2\n")
    assert done.returncode == 0 and EMAIL in done.stdout and PASSWORD not in done.stdout + done.stderr, done
    gateway.start()
    assert gateway.rest("GET", "auth/whoami").status == 401
    assert login(gateway, EMAIL, PASSWORD).status == 401
    gateway.admin = ok(login(gateway, EMAIL, PASSWORD + "2"))["token"]
    assert gateway.stop() == 0
    assert run(PASSWORD + "\n").returncode == 0
    gateway.start()
    gateway.admin = gateway.login()
    gateway.mcpctl("login", "--email", EMAIL, "--password-stdin", input=PASSWORD + "\n")
    gateway.bob = ok(login(gateway, "bob@example.com"))["token"]


# --- numbered cases


def test_ce_26_27_28_68_a_token_walks_every_route_and_finds_nothing_planted(gateway):
    ok(gateway.rest("POST", "secrets", {"name": "planted-secret", "data": {"k": "planted-value"}}), 201)
    ok(gateway.rest("POST", "servers", {
        "name": "walked", "externalUrl": "https://planted.example.org/", "labels": {"planted": "x"},
        "headers": ["X-Planted=planted-header", {"name": "B", "valueFrom": {"secretRef": {"name": "planted-secret", "key": "k"}}}]}), 201)
    ok(gateway.rest("POST", "servers", {"name": "started", "command": ["planted-program"], "env": ["A=planted-env"]}), 201)
    ok(gateway.rest("POST", "projects", {"name": "walk", "proxyModel": "none", "servers": ["walked", "started"]}), 201)
    ok(gateway.rest("POST", "projects", {"name": "planted-q", "proxyModel": "none", "servers": []}), 201)
    ok(gateway.rest("POST", "prompts", {"name": "planted-prompt", "project": "planted-q", "content": "planted"}), 201)
    all_of = [f"role:{role},resource:*" for role in ("edit", "run")]
    strong = ok(gateway.rest("POST", "mcptokens", {"name": "strong", "project": "walk", "ttl": "1h", "bindings": all_of}), 201)
    empty = ok(gateway.rest("POST", "mcptokens", {"name": "empty", "project": "walk", "ttl": "1h"}), 201)
    assert len(ROUTES) > 60, "the documentation's table of routes was not found"
    reached = {"strong": 0, "empty": 0}
    for method, pattern, permission, column in ROUTES:
        if "/revoke" in pattern or (method == "DELETE" and "mcptokens" in pattern):
            continue  # would end the walk
        for project in ("walk", "planted-q", "none"):
            for other in ("walked", "planted-secret", strong["id"]):
                path = "/".join((project if part == ":project" else other) if part.startswith(":") else part
                                for part in pattern.removeprefix("/api/v1/").split("/"))
                body = None if method == "GET" else {"name": "t", "project": project}
                for record in (strong, empty):
                    answer = gateway.rest(method, path, body, bearer=record["token"])
                    text = str(answer.body)
                    assert PLANTED not in text.replace(PLANTED + "-q", ""), (method, path, answer)
                    if answer.status == 403:
                        continue
                    reached[record["name"]] += 1
                    own = column.strip() == "own project" and project == "walk" and record is strong
                    own |= column.strip() == "reports" and project == "walk"  # about itself, and to write only
                    own |= path == "projects/walk/gate"  # the state of its own gate, which needs no right
                    assert own or column.strip() in ("itself", "watch") or permission.strip() == "open", (method, path, answer)
    assert reached["strong"] > reached["empty"] > 0, reached
    for name in ("walk", "planted-q"):
        gateway.mcpctl("delete", "project", name, "--yes")


def test_ce_67_a_service_account_header_adds_nothing(gateway):
    token = ok(mint(gateway, "plain", gateway.admin), 201)["token"]
    ok(gateway.rest("POST", "rbac", {"name": "account", "subjects": ["ServiceAccount:project:demo"],
                                     "roleBindings": ["role:view,resource:*", "role:edit,resource:servers"]}), 201)
    header = {"X-Service-Account": "project:demo"}
    for bearer, expected in ((None, 401), (token, 403), (gateway.bob, 403)):
        assert gateway.rest("GET", "secrets", bearer=bearer, headers=header).status == expected
    asked = gateway.rest("POST", "authz/check", {"action": "view", "resource": "projects", "name": "demo"}, bearer=token, headers=header)
    assert ok(asked)["allowed"] is False, asked
    gateway.mcpctl("delete", "rbac", "account")


def test_ce_70_no_spelling_turns_another_route_into_an_open_one(gateway):
    for target in ("/api/v1/version/../servers", "/api/v1/version/%2e%2e/servers", "/api/v1/version;x", "/api/v1//version",
                   "/api/v1/version/", "/api/v1/Version", "/api/v1/version%2f..%2fservers", "/api/v1/auth/login/../../servers",
                   "/api/v1/servers/../version", "/api/v1/servers?x=/api/v1/version"):
        with wire.Connection(gateway.port) as connection:
            answer = connection.request("GET", target, None, {})
        assert answer.status in (400, 401, 404), (target, answer)
    for method in ("GET", "PUT", "DELETE"):
        assert gateway.rest(method, "auth/login", bearer=None).status == 405


def test_ce_41_44_48_groups_give_and_take_at_once(gateway):
    carl = person(gateway, "carl@example.com", "role:view,resource:projects,name:demo", "role:create,resource:mcptokens",
                  "role:edit,resource:rbac")
    ok(gateway.rest("POST", "groups", {"name": "team", "members": ["carl@example.com"]}), 201)
    ok(gateway.rest("POST", "rbac", {"name": "team", "subjects": ["Group:team"], "roleBindings": ["role:view,resource:servers"]}), 201)
    for subject in ("Group:team", "User:carl@example.com"):  # CE-48
        assert gateway.rest("POST", "rbac", {"name": "more", "subjects": [subject], "roleBindings": ["role:edit,resource:servers"]},
                            bearer=carl).status == 403
    token = ok(mint(gateway, "carls", carl, rbacMode="clone"), 201)["token"]
    sees = lambda: [one["name"] for one in ok(gateway.rest("GET", "projects/demo/servers", bearer=token))["items"]]
    assert sees() == ["old"]
    ok(gateway.rest("PATCH", "groups/team", {"members": []}))
    assert sees() == []
    ok(gateway.rest("PATCH", "groups/team", {"members": ["carl@example.com"]}))
    assert sees() == ["old"]


# --- races


def both(*tasks):
    with ThreadPoolExecutor(len(tasks)) as pool:
        return [done.result() for done in [pool.submit(task) for task in tasks]]


def test_ce_58_of_two_creates_of_one_name_one_succeeds(gateway):
    for i in range(ROUNDS):
        answers = both(*[lambda: mint(gateway, f"twin{i}", gateway.bob)] * 2)
        assert sorted(answer.status for answer in answers) == [201, 409], answers
        loser = next(answer for answer in answers if answer.status == 409)
        assert "mcpctl_pat_" not in str(loser.body)


def test_ce_62_room_for_tokens_is_not_overshot():
    room = 25
    with Gateway(settings=["--max-tokens", room]) as crowded, ThreadPoolExecutor(16) as pool:
        ok(crowded.rest("POST", "projects", {"name": "demo", "proxyModel": "none"}), 201)
        answers = list(pool.map(lambda i: mint(crowded, f"t{i}", crowded.admin), range(8 * room)))
        assert [answer.status for answer in answers].count(201) == room, answers
        assert {answer.json["error"] for answer in answers if answer.status != 201} == {"too_many_tokens"}


def test_ce_55_60_no_token_is_minted_with_a_right_that_is_gone(gateway):
    grant = {"name": "lent", "subjects": ["User:bob@example.com"], "roleBindings": ["role:run,resource:servers"]}
    for i in range(ROUNDS):
        ok(gateway.rest("POST", "rbac", grant), 201)
        first, gone = both(lambda: mint(gateway, f"race{i}", gateway.bob, bindings=["role:run,resource:servers"]),
                           lambda: gateway.rest("DELETE", "rbac/lent"))
        assert gone.status == 200 and first.status in (201, 403), (first, gone)
        assert mint(gateway, f"late{i}", gateway.bob, bindings=["role:run,resource:servers"]).status == 403
        if first.status == 201:  # minted before: the live ceiling takes it back
            asked = gateway.rest("POST", "authz/check", {"action": "run", "resource": "servers"}, bearer=first.json["token"])
            assert ok(asked)["allowed"] is False, asked


def test_ce_56_a_token_minted_while_its_owner_is_deleted_is_refused_or_goes_too(gateway):
    for i in range(ROUNDS // 3):
        session = person(gateway, f"gone{i}@example.com", "role:view,resource:projects,name:demo", "role:create,resource:mcptokens")
        made, gone = both(lambda: mint(gateway, f"orphan{i}", session),
                          lambda: gateway.rest("DELETE", f"users/gone{i}@example.com?cascade=true"))
        assert gone.status == 200, gone
        assert made.status in (201, 401, 403), made
        if made.status == 201:
            assert gateway.rest("GET", "auth/whoami", bearer=made.json["token"]).status == 401
        listed = ok(gateway.rest("GET", "mcptokens?project=demo&all=true"))["items"]
        assert not any(one["name"] == f"orphan{i}" for one in listed), listed


def test_ce_57_nothing_that_begins_after_a_revocation_succeeds(gateway):
    for i in range(ROUNDS):
        record = ok(mint(gateway, f"ended{i}", gateway.bob), 201)
        ask = lambda: gateway.rest("GET", "auth/whoami", bearer=record["token"])
        *_, gone = both(ask, ask, lambda: gateway.rest("DELETE", f"mcptokens/{record['id']}", bearer=gateway.bob))
        assert gone.status == 200, gone
        assert [answer.status for answer in both(*[ask] * 4)] == [401] * 4


def test_ce_59_a_replaced_token_is_never_there_twice_or_not_at_all(gateway):
    ok(mint(gateway, "swapped", gateway.bob), 201)

    def listed():
        items = ok(gateway.rest("GET", "mcptokens?project=demo", bearer=gateway.bob))["items"]
        return sum(one["name"] == "swapped" and one["status"] == "active" for one in items)

    for _ in range(ROUNDS):
        *counts, made = both(listed, listed, lambda: mint(gateway, "swapped", gateway.bob, force=True))
        assert made.status == 201 and counts == [1, 1], (counts, made)


# --- watching


@contextmanager
def watching(gateway, query="", bearer="admin"):
    """Events of the stream, as (name, data); comments are skipped."""
    bearer = gateway.admin if bearer == "admin" else bearer
    with wire.Connection(gateway.port) as connection:
        connection.send("GET", "/api/v1/watch" + query, None, {"Authorization": f"Bearer {bearer}"})
        response = connection.http.getresponse()
        assert response.status == 200 and response.headers["Content-Type"] == "text/event-stream", response.status

        def events():
            name = data = None
            for line in response:
                text = line.decode().rstrip("\n")
                if text.startswith("event: "):
                    name = text[7:]
                elif text.startswith("data: "):
                    data = json.loads(text[6:])
                elif not text and name:
                    yield name, data
                    name = data = None

        yield events()


def test_a_watcher_hears_what_he_may_view(gateway):
    assert gateway.stop() == 0
    gateway.start()  # what was before is not remembered
    since = ok(gateway.rest("GET", "servers"))["revision"]
    make = lambda kind, **body: ok(gateway.rest("POST", kind, body), 201)
    with watching(gateway, f"?since={since}&kind=server,prompt") as all_of, watching(gateway, bearer=gateway.bob) as some:
        make("servers", name="watched", externalUrl="https://example.com/")
        make("secrets", name="unheard", data={"k": "v"})
        make("prompts", name="seen", project="demo", content="x")
        ok(gateway.rest("DELETE", "servers/watched"))
        heard = [next(all_of) for _ in range(3)]
        assert [(name, data["change"], data["kind"], data["name"], data.get("project")) for name, data in heard] == [
            ("change", "created", "server", "watched", None), ("change", "created", "prompt", "seen", "demo"),
            ("change", "removed", "server", "watched", None)], heard
        # Bob may view servers, and nothing of secrets and prompts.
        assert [next(some)[1]["change"] for _ in range(2)] == ["created", "removed"]
    # The same again from the past, over another connection.
    with watching(gateway, f"?since={since}&kind=prompt") as again:
        assert next(again)[1]["name"] == "seen"
    with watching(gateway, "?since=0") as late:
        assert next(late)[0] == "reset"
    for query in ("?since=x", "?since=999999999", "?kind=mcptoken", "?kind=", "?what=1"):
        assert gateway.rest("GET", "watch" + query).status == 400, query
    assert gateway.rest("GET", "watch", bearer=None).status == 401
    assert gateway.rest("GET", "watch", bearer=ok(mint(gateway, "watcher", gateway.bob), 201)["token"]).status == 403


def test_a_watch_ends_with_its_credential(gateway):
    session = ok(login(gateway, "bob@example.com"))["token"]
    with watching(gateway, bearer=session) as events:
        ok(gateway.rest("POST", "servers", {"name": "before", "externalUrl": "https://example.com/"}), 201)
        assert next(events)[1]["name"] == "before"
        ok(gateway.rest("POST", "auth/logout", bearer=session))
        assert next(events, None) is None, "the stream outlives its session"
    ok(gateway.rest("DELETE", "servers/before"))


def test_what_has_no_meaning_is_refused_not_passed_over():
    with Gateway() as gateway:
        gateway.project("demo")
        gateway.token("kept")
        token = gateway.rest("GET", "mcptokens?project=demo").json["items"][0]["id"]
        assert gateway.rest("POST", "groups", {"name": "spare"}).status == 201
        for path in ("groups", "groups/spare", "groups/spare/describe", "status"):
            assert gateway.rest("GET", path, headers={"If-Match": "7"}).status == 400, path
        for method, path in (("POST", f"mcptokens/{token}/revoke"), ("DELETE", f"mcptokens/{token}"), ("DELETE", "groups/spare"),
                             ("POST", "auth/logout")):
            for body in ("{bad", "[]", '{"x":1}'):
                assert gateway.rest(method, path, body).status == 400, (method, path, body)
        assert gateway.rest("POST", f"mcptokens/{token}/revoke", "{}").status == 200
        assert gateway.rest("DELETE", "groups/spare").status == 200
        assert gateway.rest("POST", "auth/logout").status == 200
