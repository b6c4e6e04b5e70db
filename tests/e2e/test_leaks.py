"""What must not be seen: planted secrets, URLs and commands by a token, and raw credentials by anybody."""

import json
from contextlib import contextmanager
from pathlib import Path

import wire
from harness import EMAIL, EXAMPLE, PASSWORD, Gateway, children_of, free_port, is_alive

PLANTED = {name: f"planted-{name}-9f3c1a" for name in
           ("secret-value", "secret-name", "secret-key", "env-value", "env-name", "header-value", "url", "command", "argument")}
PLANTED["env-name"] = "PLANTED_ENV_9F3C1A"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@contextmanager
def fixture():
    with Gateway(loops=2) as gateway:
        secret = f"secret:{PLANTED['secret-name']}/{PLANTED['secret-key']}"
        gateway.mcpctl("create", "secret", PLANTED["secret-name"], "--data",
                       f"{PLANTED['secret-key']}={PLANTED['secret-value']}", "--data", "other=x")
        gateway.stdio("commanded", EXAMPLE, "--stdio", "--log", gateway.logs / PLANTED["argument"],
                      flags=("--env", f"{PLANTED['env-name']}={PLANTED['env-value']}", "--env", f"SEALED={secret}"))
        gateway.stdio("missing", f"/nonexistent/{PLANTED['command']}", PLANTED["argument"])
        for name, more in (("refusing", ()), ("sealed", ("--header", f"Authorization={secret}")),
                           ("headed", ("--header", f"X-Key={PLANTED['header-value']}"))):
            gateway.mcpctl("create", "server", name, "--transport", "STREAMABLE_HTTP", "--allow-private", "--external-url",
                           f"http://127.0.0.1:{free_port()}/{PLANTED['url']}", *more)
        gateway.servers = ("commanded", "missing", "refusing", "sealed", "headed")
        gateway.project("demo", *gateway.servers)
        gateway.project("other", *gateway.servers)
        gateway.bearer = gateway.token("walker")
        gateway.token("bystander")
        gateway.token("stranger", "other")
        yield gateway


def world(gateway):
    """Everything that a write could change."""
    kinds = [kind["plural"] for kind in gateway.rest("GET", "kinds").json["kinds"] if not kind["virtual"]]
    found = {kind: gateway.rest("GET", kind).json["items"] for kind in kinds}
    for project in ("demo", "other"):
        found[f"tokens of {project}"] = gateway.rest("GET", f"mcptokens?project={project}").json["items"]
    for items in found.values():
        for item in items:
            item.pop("lastUsedAt", None)
            item.pop("lastUsedFrom", None)
    return found


def routes(gateway):
    """Every address of the control plane, with names that exist, here and elsewhere."""
    found = world(gateway)
    for kind in gateway.rest("GET", "kinds").json["kinds"]:
        yield kind["plural"]
        for item in found.get(kind["plural"], []):
            for key in {item[kind.get("nameField", "name")], item["id"]}:
                yield f"{kind['plural']}/{key}"
    for project in ("demo", "other", "nowhere"):
        for below in ("describe", "servers", "servers/commanded", "servers/commanded/mcp", "servers/commanded/tools", "tools",
                      "prompts/visible", "promptrequests", "gate", "audit", "mcptokens"):
            yield f"projects/{project}/{below}"
    for record in found["tokens of demo"] + found["tokens of other"]:
        if record["name"] != "walker":
            yield from (f"mcptokens/{record['id']}{below}" for below in ("", "/revoke", "/rotate"))
    yield from ("mcptokens/introspect", "mcptokens/changes", "auth/bootstrap", "auth/login", "auth/logout", "auth/whoami",
                "users/me/password", f"users/{EMAIL}/password", "authz/check", "kinds", "version", "watch", "audit/events",
                "audit/sessions", "audit/export", "audit/verify", "backup", "restore", "instances", "instances/commanded/logs")


# A body that would do harm where it is taken.
BODIES = {
    "projects": {"name": "mine", "proxyModel": "none", "prompt": "written by a token", "servers": []},
    "servers": {"name": "mine", "transport": "STDIO", "command": ["/bin/true"]},
    "secrets": {"name": "mine", "data": {"k": "v"}},
    "users": {"email": "mine@example.com", "password": "written by a token", "disabled": False},
    "groups": {"name": "mine", "members": []},
    "rbac": {"name": "mine", "subjects": [{"kind": "User", "name": EMAIL}],
             "roleBindings": [{"role": "edit", "resource": "*"}]},
    "mcptokens": {"name": "mine", "project": "demo", "ttl": "1h", "rbac": "clone"},
    "authz": {"action": "view", "resource": "servers"},
}
# What a token may ask: (status, address). All else is refused.
ALLOWED = {("GET", "projects/demo/gate"), ("GET", "projects/demo"), ("GET", "projects/demo/servers"),
           ("GET", "projects/demo/prompts/visible"), ("GET", "projects/demo/describe"), ("GET", "projects/demo/tools"),
           ("GET", "projects/demo/servers/commanded/tools"), ("GET", "mcptokens/introspect"),
           ("GET", "auth/whoami"), ("POST", "authz/check")}


def show_nothing_planted(text, where):
    for name, value in PLANTED.items():
        assert value not in text, f"{where} shows the planted {name}: {text[:2000]}"


def test_a_token_changes_nothing_and_sees_nothing_of_the_servers_on_any_route(gateway):
    before = world(gateway)
    assert PLANTED["url"] in json.dumps(before), "what is planted is there for those who may see it"
    answered = set()
    own = f"projects/{next(p['id'] for p in before['projects'] if p['name'] == 'demo')}"
    for path in routes(gateway):
        for method in METHODS:
            body = None if method in ("GET", "DELETE") else BODIES.get(path.split("/")[0], {"name": "mine"})
            answer = gateway.rest(method, path, body, bearer=gateway.bearer)
            where = f"{method} {path}"
            show_nothing_planted(f"{answer.headers} {answer.body.decode()}", where)
            if answer.status < 400:
                answered.add((method, path))
            else:
                assert answer.status in (400, 403, 404, 405), f"{where}: {answer}"
    assert answered - {("GET", own)} == ALLOWED, answered
    assert world(gateway) == before


def test_mcp_answers_show_nothing_of_the_servers(gateway):
    wire.recorded.clear()
    for kind in (wire.Modern, wire.Legacy):
        client = kind(gateway.port, gateway.bearer)
        client.tools()
        for server in gateway.servers:
            for tool in ("echo", "nothing"):
                client.call(f"{server}__{tool}", {"message": "x"})
            client.request("tools/list")
    shown = b"\n".join(wire.recorded).decode(errors="replace")
    assert all(server in shown for server in gateway.servers)
    show_nothing_planted(shown, "an MCP answer")


def test_an_unresolved_secret_fails_the_start_and_is_not_named(gateway):
    gateway.mcpctl("create", "secret", "brief", "--data", "key=value")
    gateway.stdio("unresolved", EXAMPLE, "--stdio", flags=("--env", "KEY=secret:brief/key"))
    gateway.project("third", "unresolved")
    changed = gateway.rest("PUT", "secrets/brief", {"name": "brief", "data": {"another": "value"}})
    assert changed.status == 200, changed
    answer = wire.Modern(gateway.port, gateway.token("third", "third"), "third").call("unresolved__echo", {"message": "x"})
    assert "error" in answer and "brief" not in json.dumps(answer), answer


def holds(data, values):
    return [value for value in values if value.encode() in data]


def files_that_hold(gateway, values):
    """Of the database with its journal, the keys, and the logs."""
    files = [path for path in gateway.data.rglob("*") if path.is_file()] + [gateway.log]
    assert any(b"SQLite format 3" == path.read_bytes()[:15] for path in files), files
    return [(path.name, holds(path.read_bytes(), values)) for path in files if holds(path.read_bytes(), values)]


def test_br_34_no_raw_credential_is_left_anywhere():
    """A run of everything that handles credentials, and then a look at all it has written and said."""
    sealed = "canary-sealed-value-77aa"
    with Gateway(loops=2, settings=("--log-level", "debug")) as gateway:
        code = (gateway.data / "bootstrap-code")
        assert not code.exists() or not code.read_text().strip(), "the code is used up"
        gateway.mcpctl("create", "secret", "keeper", "--data", f"key={sealed}")
        gateway.stdio("old", EXAMPLE, "--stdio", "--era", "legacy", flags=("--env", "SEALED=secret:keeper/key"))
        web_log = gateway.example_http(flags=("--header", "X-Key=secret:keeper/key"))
        gateway.project("demo", "old", "web")
        minted = gateway.rest("POST", "mcptokens", {"name": "canary", "project": "demo", "ttl": "1h", "rbacMode": "clone"})
        token = minted.json["token"]
        assert minted.status == 201 and minted.headers["Cache-Control"] == "no-store" and token.startswith("mcpctl_pat_")
        session = gateway.login()
        credentials = (token, session, gateway.admin, PASSWORD)
        gateway.ready(token, "old", "web")
        client = wire.Legacy(gateway.port, token)
        shown = client.text("old__env")
        assert f"SEALED={sealed}" in shown and not holds(shown.encode(), credentials)

        # From here on no answer may hold a credential; the two above and the tool that shows its environment do.
        wire.recorded.clear()
        for server in ("old", "web"):
            client.text(f"{server}__echo", {"message": "x"})
            client.call(f"{server}__fail")
            client.call(f"{server}__nothing")
        for path in (f"/projects/demo/mcp?access_token={token}", "/projects/other/mcp", "/nowhere", f"/{token}"):
            with wire.Connection(gateway.port) as connection:
                connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        for path in ("secrets/keeper", "secrets", "servers", "servers/old", "users", "rbac", "mcptokens?project=demo"):
            assert gateway.rest("GET", path).status == 200
        gateway.rest("GET", "auth/whoami", bearer=session)
        gateway.rest("GET", "mcptokens/introspect", bearer=token)
        gateway.rest("POST", "auth/login", {"email": EMAIL, "password": PASSWORD + "x"}, bearer=None)
        gateway.rest("POST", "auth/login", {"email": EMAIL, "password": PASSWORD, "more": 1}, bearer=None)
        gateway.rest("POST", "mcptokens", {"name": "canary", "project": "demo", "ttl": "1h"})
        said = b"\n".join(wire.recorded)
        assert not holds(said, credentials) and not holds(said, [sealed])
        assert token[:15].encode() in said, "the scan would see it: the prefix, which may be shown, is there"

        children = [child for child in children_of(gateway.process.pid) if is_alive(child)]
        assert children
        for child in children:
            given = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
            assert b"SEALED=" + sealed.encode() in given
            rest = b"\0".join(one for one in given if not one.startswith(b"SEALED=")) + Path(f"/proc/{child}/cmdline").read_bytes()
            assert not holds(rest, (*credentials, sealed)), "a child was given a credential"
        asked = web_log.read_bytes()
        assert sealed.encode() in asked and b"mcpctl_" not in asked, "the caller's token went upstream"

        live = files_that_hold(gateway, (*credentials, sealed))
        assert gateway.stop() == 0
        assert live == files_that_hold(gateway, (*credentials, sealed)) == [], live
