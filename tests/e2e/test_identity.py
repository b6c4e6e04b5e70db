"""Who is let in: the answers to every kind of credential, byte for byte, and what a revocation ends."""

import base64
import json
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

import wire
from harness import Gateway, quick, until

LIST = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/list"})
REALM = 'Bearer realm="mcpctl"'
NO_SIGN_IN = b"this server has no sign-in: it takes project tokens"


@contextmanager
def fixture():
    with Gateway(loops=2) as gateway:
        gateway.log_file = gateway.example("old", era="legacy")
        gateway.project("demo", "old")
        gateway.project("other", "old")
        gateway.bearer = gateway.token("good")
        gateway.ready(gateway.bearer, "old")
        yield gateway


def ask(gateway, headers=(), path="/projects/demo/mcp", method="POST", body=LIST):
    headers = list(headers.items() if isinstance(headers, dict) else headers)
    headers += [("Accept", wire.RPC_ACCEPT)] + ([("Content-Type", "application/json")] if body else [])
    with wire.Connection(gateway.port) as connection:
        return connection.request(method, path, body, headers)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def refused(answer, status, challenge, error, message=None):
    assert answer.status == status, answer
    assert answer.headers.get_all("WWW-Authenticate", []) == ([challenge] if challenge else []), answer
    assert answer.headers["Cache-Control"] == "no-store", answer
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8", answer
    told = answer.json
    assert set(told) == {"error", "message", "hint", "request_id"} and told["request_id"], told
    assert told["error"] == error and (message is None or told["message"] == message), told


def invalid(answer, why):
    refused(answer, 401, f'{REALM}, error="invalid_token", error_description="{why}"', "invalid_token", why)


def test_br_08_a_good_token_is_let_in(gateway):
    for path in ("/projects/demo/mcp", "/mcp"):
        for scheme in ("Bearer", "bearer", "BEARER "):
            answer = ask(gateway, {"Authorization": f"{scheme} {gateway.bearer}"}, path)
            assert answer.status == 200 and answer.json["id"] == 7, answer


def test_br_13_no_credentials(gateway):
    basic = base64.b64encode(b"admin:admin").decode()
    for headers in ({}, {"Authorization": f"Basic {basic}"}, {"Cookie": f"token={gateway.bearer}"}):
        for path in ("/projects/demo/mcp", "/projects/nowhere/mcp", "/mcp", "/api/v1/servers"):
            refused(ask(gateway, headers, path), 401, REALM, "unauthorized")


def test_br_14_malformed_tokens(gateway):
    token = gateway.bearer
    for text in ("", "x", "mcpctl_pat_", token[:-1], token + "0", token.upper(), token[:-1] + "-", f"{token} x"):
        invalid(ask(gateway, bearer(text)), "the token is malformed")


def test_br_15_unknown_token(gateway):
    other = gateway.bearer[:-1] + ("0" if gateway.bearer[-1] != "0" else "1")
    invalid(ask(gateway, bearer(other)), "the token is unknown")


def test_br_15_revoked_token(gateway):
    token = gateway.token("to-revoke")
    assert ask(gateway, bearer(token)).status == 200
    gateway.mcpctl("delete", "mcptoken", "to-revoke", "-p", "demo", "--yes")
    invalid(ask(gateway, bearer(token)), "the token was revoked")


def test_br_15_expired_token(gateway):
    for seconds in (3, 10, 30):
        end = datetime.now(timezone.utc) + timedelta(seconds=seconds)
        token = gateway.token(f"short-{seconds}", "demo", "--rbac", "clone", "--ttl", end.isoformat(timespec="milliseconds"))
        if (before := ask(gateway, bearer(token))).status == 200 or datetime.now(timezone.utc) < end:
            break  # else it has taken longer than the token lives
    assert before.status == 200, before
    time.sleep(max(0.0, (end - datetime.now(timezone.utc)).total_seconds()) + 0.01)
    invalid(ask(gateway, bearer(token)), "the token has expired")


def test_br_40_login_sessions_are_not_for_mcp(gateway):
    invalid(ask(gateway, bearer(gateway.admin)), "MCP endpoints take project tokens, not login sessions")


def test_br_17_wrong_project_is_told_the_right_one(gateway):
    challenge = f'{REALM}, error="insufficient_scope", error_description="The token is not valid for this project"'
    bodies = set()
    for project in ("other", "nowhere"):
        for method, body in (("POST", LIST), ("GET", None), ("DELETE", None)):
            answer = ask(gateway, bearer(gateway.bearer), f"/projects/{project}/mcp", method, body)
            refused(answer, 403, challenge, "wrong_project", 'this token is for project "demo"')
            bodies.add(json.dumps({name: value for name, value in answer.json.items() if name != "request_id"}))
    assert len(bodies) == 1, "whether a project exists can be told apart"


def test_br_09_10_16_two_credentials_and_tokens_in_the_query(gateway):
    two = [("Authorization", f"Bearer {gateway.bearer}")] * 2
    joined = {"Authorization": f"Bearer {gateway.bearer}, Bearer {gateway.bearer}"}
    for headers in (two, joined):
        refused(ask(gateway, headers), 400, f'{REALM}, error="invalid_request", error_description="two credentials"',
                "invalid_request", "two credentials")
    why = "a token in the query is refused, and may have leaked: revoke it"
    for headers in ({}, bearer(gateway.bearer)):
        answer = ask(gateway, headers, f"/projects/demo/mcp?access_token={gateway.bearer}")
        refused(answer, 400, f'{REALM}, error="invalid_request", error_description="{why}"', "invalid_request", why)


def test_br_19_20_host_and_origin(gateway):
    for host in ("evil.example", f"evil.example:{gateway.port}", "127.0.0.1.evil.example", "127.0.0.2.nip.example"):
        refused(ask(gateway, bearer(gateway.bearer) | {"Host": host}), 421, None, "host_denied")
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{gateway.port}.evil.example",
                   f"http://127.0.0.1:{gateway.port + 1}"):
        refused(ask(gateway, bearer(gateway.bearer) | {"Origin": origin}), 403, None, "origin_denied")
    own = {"Origin": f"http://127.0.0.1:{gateway.port}"}
    assert ask(gateway, bearer(gateway.bearer) | own).status == 200


def test_sign_in_addresses_say_how_to_get_a_token(gateway):
    for path, status in (("/.well-known/oauth-protected-resource", 404),
                         ("/.well-known/oauth-protected-resource/projects/demo/mcp", 404),
                         ("/.well-known/oauth-authorization-server", 404), ("/.well-known/openid-configuration", 404),
                         ("/register", 400), ("/authorize", 400), ("/token", 400)):
        for method, body in (("GET", None), ("POST", "{}")):
            answer = ask(gateway, {}, path, method, body)
            assert answer.status == status and NO_SIGN_IN in answer.body, answer
            assert answer.headers["WWW-Authenticate"] is None, answer
            assert set(answer.json) == {"error", "error_description"}, answer


def test_br_25_introspection(gateway):
    answer = gateway.rest("GET", "mcptokens/introspect", bearer=gateway.bearer)
    told = answer.json
    assert answer.status == 200 and told["ok"] is True, answer
    assert (told["tokenName"], told["projectName"], told["owner"]) == ("good", "demo", "admin@example.com"), told
    assert len(told["tokenSha"]) == 64 and gateway.bearer not in answer.body.decode()
    assert {"role": "view", "resource": "projects", "name": "demo"} in told["permissions"], told
    unknown = gateway.bearer[:-1] + ("0" if gateway.bearer[-1] != "0" else "1")
    for headers, reason in ((bearer(unknown), "unknown"), (bearer("x"), "malformed"), ({}, "unauthorized")):
        answer = ask(gateway, headers, "/api/v1/mcptokens/introspect", "GET", None)
        told = answer.json
        assert answer.status == 401 and told["ok"] is False and told["reason"] == reason, answer


def test_an_empty_token_can_do_nothing(gateway):
    client = wire.Modern(gateway.port, gateway.token("empty", "demo", "--rbac", "empty"))
    result = client.request("tools/list")["result"]
    assert result["tools"] == [] and result["_meta"].get("io.mcptoken/reason"), result
    denied, absent = (client.call(tool) for tool in ("old__echo", "old__nothing"))
    assert denied["error"]["code"] == absent["error"]["code"] == -32602, (denied, absent)
    assert denied["error"]["message"].replace("old__echo", "X") == absent["error"]["message"].replace("old__nothing", "X")


def test_a_bound_token_sees_what_it_was_given(gateway):
    client = wire.Modern(gateway.port, gateway.token("echo-only", "demo", "--bind", "role:run,resource:tools,name:old/ec*"))
    assert client.tools() == ["old__echo"]
    assert client.text("old__echo", {"message": "hi"}) == "hi"
    assert client.call("old__add", {"a": 1, "b": 2})["error"]["code"] == -32602


def revocation_latency(gateway, number):
    """From the answer to the DELETE to the end of the token's listening stream; its running call has ended, too."""
    name = f"cut-{number}"
    token = gateway.token(name)
    client = wire.Legacy(gateway.port, token)
    with wire.Connection(gateway.port) as listening, wire.Connection(gateway.port) as calling:
        stream = wire.Listener(client.listen(listening))
        before = gateway.log_file.stat().st_size
        message = client.message("tools/call", {"name": "old__slow", "arguments": {"seconds": 60, "steps": 600},
                                                "_meta": {"progressToken": 1}})
        messages = iter(client.post(message, calling))
        assert next(messages)["method"] == "notifications/progress"
        running = wire.Listener(messages)
        records = gateway.rest("GET", "mcptokens?project=demo").json["items"]
        id = next(record["id"] for record in records if record["name"] == name)
        assert gateway.rest("DELETE", f"mcptokens/{id}").status in (200, 204)
        answered = time.monotonic()
        invalid(ask(gateway, bearer(token)), "the token was revoked")
        last = max(stream.end(), running.end())
        assert not any("result" in message for message in running.messages), running.messages
        until(lambda: b"\ncancelled" in gateway.log_file.read_bytes()[before:])
        return last - answered


def test_time_ends_streams_and_calls_too(gateway):
    end = (datetime.now(timezone.utc) + timedelta(seconds=8)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    token = gateway.rest("POST", "mcptokens", {"name": "ends", "project": "demo", "ttl": end, "rbacMode": "clone"}).json["token"]
    client = wire.Legacy(gateway.port, token)
    with wire.Connection(gateway.port) as listening, wire.Connection(gateway.port) as calling:
        stream = wire.Listener(client.listen(listening))
        message = client.message("tools/call", {"name": "old__slow", "arguments": {"seconds": 60, "steps": 600},
                                                "_meta": {"progressToken": 1}})
        messages = iter(client.post(message, calling))
        assert next(messages)["method"] == "notifications/progress"
        running = wire.Listener(messages)
        until(lambda: ask(gateway, bearer(token)).status == 401)
        refused_at = time.monotonic()
        assert max(stream.end(), running.end()) - refused_at < 10  # the call runs for a minute
        assert not any("result" in message for message in running.messages), running.messages
        invalid(ask(gateway, bearer(token)), "the token has expired")


def test_a_body_that_comes_after_the_revocation_is_not_obeyed(gateway):
    for place, body in (("/projects/demo/mcp", LIST), ("/api/v1/projects/demo/promptrequests", '{"name":"late","content":"x"}')):
        token = gateway.token("slow-" + place.split("/")[1])
        with wire.Connection(gateway.port) as connection:
            connection.send("POST", place, None, [("Authorization", f"Bearer {token}"), ("Content-Type", "application/json"),
                                                  ("Accept", wire.RPC_ACCEPT), ("Content-Length", str(len(body)))])
            time.sleep(0.2)  # until the head has been judged
            gateway.mcpctl("delete", "mcptoken", "slow-" + place.split("/")[1], "-p", "demo", "--yes")
            connection.socket.sendall(body.encode())
            invalid(connection.answer(), "the token was revoked")
    assert "late" not in [one["name"] for one in gateway.rest("GET", "promptrequests").json["items"]]


def test_a_revocation_ends_streams_and_calls_within_100_ms(gateway):
    numbers = iter(range(100_000))
    print(f"after {1000 * quick(lambda: revocation_latency(gateway, next(numbers)), 0.1):.0f} ms")


def test_a_token_may_revoke_itself(gateway):
    token = gateway.token("leaving")
    id = next(record["id"] for record in gateway.rest("GET", "mcptokens?project=demo").json["items"]
              if record["name"] == "leaving")
    assert gateway.rest("DELETE", f"mcptokens/{id}", bearer=token).status in (200, 204)
    invalid(ask(gateway, bearer(token)), "the token was revoked")


def test_logging_out_ends_the_session(gateway):
    session = gateway.login()
    assert gateway.rest("GET", "auth/whoami", bearer=session).json["email"] == "admin@example.com"
    assert gateway.rest("POST", "auth/logout", bearer=session).status in (200, 204)
    refused(gateway.rest("GET", "auth/whoami", bearer=session), 401,
            f'{REALM}, error="invalid_token", error_description="the session has ended"', "invalid_token")


def test_exit_codes_of_test_mcp(gateway):
    def code(*words):
        return gateway.mcpctl("test", "mcp", gateway.endpoint(), *words, code=None).returncode

    good = ("--token", gateway.bearer)
    assert code(*good) == 0
    assert code(*good, "--expect-tools", "old__echo,old__add", "--tool", "old__echo", "--args", '{"message":"hi"}') == 0
    for era in ("legacy", "modern"):
        assert code(*good, "--era", era, "--tool", "old__echo", "--args", '{"message":"hi"}') == 0
    assert code("--token", gateway.bearer[:-1] + "-") == 1
    assert code("--token", gateway.admin) == 1
    assert code() == 1
    assert code(*good, "--expect-tools", "nonexistent") == 2
    assert code(*good, "--tool", "old__fail") == 2
    assert code(*good, "--tool", "nonexistent") == 2
