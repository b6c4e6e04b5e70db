"""Requests with a token that are odd in some way, at the MCP endpoint: how they are delimited, and what is in them, in both
eras. Each has one answer; a call that hides behind one that is refused for its form is never made."""

import json
import re
import socket
from contextlib import contextmanager

import wire
from harness import PATIENCE_S, Gateway
from wire import LEGACY, META, MODERN, Connection

PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}'


@contextmanager
def fixture():
    with Gateway() as gateway:
        gateway.calls = gateway.example()
        gateway.project("demo", "example")
        gateway.bearer = gateway.token("odd")
        gateway.other = gateway.token("other")
        gateway.ready(gateway.bearer, "example")
        yield gateway


# --- form

def framed(gateway, fields=b"", body=PING.encode(), length=True, target=b"/projects/demo/mcp", version=b"HTTP/1.1", bearer=None):
    head = b"POST %b %b\r\nHost: 127.0.0.1:%d\r\n" % (target, version, gateway.port)
    head += b"Authorization: Bearer %b\r\n" % (bearer or gateway.bearer).encode() if bearer != "" else b""
    head += b"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
    return head + (b"Content-Length: %d\r\n" % len(body) if length else b"") + fields + b"\r\n" + body


def chunks(size=b"%x" % len(PING), end=b"0\r\n\r\n"):
    return dict(fields=b"Transfer-Encoding: chunked\r\n", length=False, body=size + b"\r\n" + PING.encode() + b"\r\n" + end)


# name, how it differs from a ping that is fine, allowed statuses
FORMS = [
    ("chunk size +", chunks(b"+28"), {400}),
    ("chunk size with a tab", chunks(b"28\t"), {400}),
    ("chunk size 0x", chunks(b"0x28"), {400}),
    ("chunk size too small", chunks(b"27"), {400}),
    ("chunk extension with a bare LF", chunks(b"28;a\nb"), {400}),
    ("trailer without a colon", chunks(end=b"0\r\nT x\r\n\r\n"), {400}),
    ("trailers without end", chunks(end=b"0\r\n" + b"T: x\r\n" * 5000), {400, 413, 431}),
    *[(f"length {value!r}", dict(fields=b"Content-Length: %b\r\n" % value, length=False), {400})
      for value in (b"40, 40", b"-1", b"+40", b"")],
    ("two lengths", dict(fields=b"Content-Length: 40\r\n"), {400}),
    ("length and chunks", dict(fields=b"Transfer-Encoding: chunked\r\n"), {400}),
    ("two bearers", dict(fields=b"Authorization: Bearer mcpctl_pat_x\r\n"), {400}),
    ("a bearer twice", dict(fields=b"AUTHORIZATION: Bearer mcpctl_pat_x\r\n"), {400}),
    ("two hosts", dict(fields=b"Host: 127.0.0.1\r\n"), {400}),
    ("absolute form", dict(target=b"http://127.0.0.1/projects/demo/mcp"), {400}),
    ("encoded slash in the project", dict(target=b"/projects/demo%2fmcp"), {400}),
    ("encoded slash behind the project", dict(target=b"/projects/demo%2Fx/mcp"), {400}),
    ("encoded backslash", dict(target=b"/projects/demo%5cmcp"), {400}),
    ("encoded NUL", dict(target=b"/projects/demo%00/mcp"), {400}),
    ("overlong dot", dict(target=b"/projects/%c0%ae/mcp"), {400}),
    ("bad triplet", dict(target=b"/projects/demo/mcp%GG"), {400}),
    ("half a triplet", dict(target=b"/projects/demo/mcp%2"), {400}),
    ("slash at the end", dict(target=b"/projects/demo/mcp/"), {400}),
    ("token in the query", dict(target=b"/projects/demo/mcp?access_token=x"), {400}),
    ("NUL in a field", dict(fields=b"X: a\0b\r\n"), {400}),
    ("5,000 fields", dict(fields=b"".join(b"F%d: x\r\n" % number for number in range(5000))), {431}),
    ("compressed", dict(fields=b"Content-Encoding: deflate\r\n"), {415}),
    ("another expectation", dict(fields=b"Expect: 200-ok\r\n"), {417}),
    ("HTTP/1.2", dict(version=b"HTTP/1.2"), {505}),
    ("HTTP/1.0 with chunks", chunks() | dict(version=b"HTTP/1.0"), {400}),
    ("unknown token", dict(bearer="mcpctl_pat_" + "A" * 43), {401}),
    ("no token", dict(bearer=""), {401}),
    ("too large", dict(fields=b"Content-Length: 5000000\r\n", length=False), {413}),
]
PASSING = [
    ("plain", {}), ("chunks", chunks()), ("extension", chunks(b"28;a=b")), ("zeros", chunks(b"0" * 100 + b"28")),
    ("trailer that names a length", chunks(end=b"0\r\nContent-Length: 5\r\n\r\n")),
    ("trailer that names a bearer", chunks(end=b"0\r\nAuthorization: Bearer x\r\n\r\n")),
    ("expectation", dict(fields=b"Expect: 100-continue\r\n")),
    ("upgrade that is not taken", dict(fields=b"Connection: Upgrade\r\nUpgrade: h2c\r\n")),
    ("encoded letters", dict(target=b"/projects/%64emo/%6dcp")), ("query", dict(target=b"/projects/demo/mcp?x=%2f..%2f")),
]


def sent(gateway, data, seconds):
    """Bytes in, bytes out until the server closes, be it with a reset: it has not read all that follows a refusal."""
    out = b""
    with socket.create_connection(("127.0.0.1", gateway.port), seconds) as connection:
        try:
            connection.sendall(data)
            while part := connection.recv(65536):
                out += part
        except (ConnectionError, TimeoutError):
            pass
    return out


def statuses(text):
    """Of the answers, each of which is JSON; but for interim ones."""
    return [int(code) for code in re.findall(rb"(?:^|[\n}])HTTP/1\.1 (\d{3}) ", text) if code != b"100"]


def marker(gateway, name):
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "example__echo", "arguments": {"message": name}}}
    return framed(gateway, b"Connection: close\r\n", json.dumps(call).encode())


def test_framing_with_a_token(gateway):
    for number, (name, how, allowed) in enumerate(FORMS):
        hidden = f"hidden-{number}-"
        told = sent(gateway, framed(gateway, **how) + marker(gateway, hidden), PATIENCE_S)
        codes = statuses(told)
        assert len(codes) == 1 and codes[0] in allowed, f"{name}: {told[:300]}"
        assert hidden.encode() not in told, name
    for number, (name, how) in enumerate(PASSING):
        shown = f"shown-{number}-"
        told = sent(gateway, framed(gateway, **how) + marker(gateway, shown), PATIENCE_S)
        assert statuses(told) == [200, 200] and shown.encode() in told, f"{name}: {told[:300]}"
    called = "kind=tool_call_trace&tokenName=odd&limit=1000"
    gateway.events(called, len(PASSING))
    wire.Modern(gateway.port, gateway.bearer).text("example__echo", {"message": "the last one"})
    assert len(gateway.events(called, len(PASSING) + 1)) == len(PASSING) + 1  # what was behind a refusal was not called


def test_a_type_that_is_not_taken_is_refused_on_the_head(gateway):
    """Before a body that the client holds back, and that nobody asks for."""
    for wanted in (b"text/plain", b"application/x-www-form-urlencoded", b"application/json, text/plain"):
        head = framed(gateway, b"Expect: 100-continue\r\nContent-Length: 40\r\n", b"", length=False)
        told = sent(gateway, head.replace(b"Content-Type: application/json\r\n", b"Content-Type: %b\r\n" % wanted), PATIENCE_S)
        assert told.startswith(b"HTTP/1.1 415 ") and statuses(told) == [415] and b"100 Continue" not in told, (wanted, told)


def test_a_preflight_names_the_fields_of_arguments():
    """Those that the page asks for, and no others."""
    origin = "https://app.example"
    with Gateway(settings=["--allowed-origins", origin], bootstrap=False) as gateway:
        def ask(wanted, origin=origin):
            with Connection(gateway.port) as connection:
                return connection.request("OPTIONS", "/projects/demo/mcp", headers={
                    "Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": wanted})

        plain = ask("content-type")
        assert plain.status == 204 and plain.headers["Access-Control-Allow-Origin"] == origin, plain
        always = plain.headers["Access-Control-Allow-Headers"]
        assert "mcp-param" not in always and "mcp-session-id" in always, plain
        asked = ask("authorization, mcp-param-region ,Mcp-Param-user_id, x-evil, mcp-param, mcp-param-a b, mcp-params-x")
        assert asked.status == 204, asked
        assert asked.headers["Access-Control-Allow-Headers"] == always + ", mcp-param-region, Mcp-Param-user_id", asked
        assert ask("mcp-param-region", "https://other.example").status == 403


# --- content

NAMED = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"example__echo","arguments":%s}}'


def with_id(text):
    return '{"jsonrpc":"2.0","id":%s,"method":"ping"}' % text


def with_params(text):
    return '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":%s}' % text


# body, status, code of the error or None, id of the answer; status 202: there is no answer
BOTH = [
    *[(with_id(one), 400, -32600, None) for one in ("null", "1.5", "1.0", "1e2", "true", "{}", "[]", "9007199254740992",
                                                   "-9007199254740992", "1" * 30, '"' + "x" * 257 + '"')],
    *[(with_id(one), 400, -32700, None) for one in ("01", "+1", "NaN", "Infinity", "0x1", ".5", "'a'", '"\\ud800"', '"\\udc00\\ud800"',
                                                   "1" * 33, "1e99999")],
    *[(with_params(one), 400, -32602, 7) for one in ("[]", "[1]", "null", "1", '"x"', "true")],
    *[(with_params('{"name":"example__echo","_meta":%s}' % one), 400, -32602, 7) for one in ("null", "[]", "1", '"x"')],
    ('{"id":7,"method":"ping"}', 400, -32600, 7),
    ('{"jsonrpc":"1.0","id":7,"method":"ping"}', 400, -32600, 7),
    ('{"jsonrpc":2.0,"id":7,"method":"ping"}', 400, -32600, 7),
    ('{"jsonrpc":"2.0","id":7}', 400, -32600, None),
    ('{"jsonrpc":"2.0","id":7,"method":null}', 400, -32600, 7),
    ('{"jsonrpc":"2.0","id":7,"method":"ping","result":{}}', 400, -32600, 7),
    ('{"jsonrpc":"2.0","id":7,"method":"ping","error":{"code":1,"message":"x"}}', 400, -32600, 7),
    ('{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1,"message":"x"}}', 400, -32600, None),
    ('{"jsonrpc":"2.0","id":null,"result":{}}', 400, -32600, None),
    ('{"jsonrpc":"2.0","result":{}}', 400, -32600, None),
    ('{"jsonrpc":"2.0","id":7,"method":"ping","Method":"tools/list"}', 400, -32600, 7),
    ('{"jsonrpc":"2.0","id":7,"ID":8,"method":"ping"}', 400, -32600, 7),
    (with_params('{"name":"example__echo","Name":"example__fail","arguments":{}}'), 400, -32600, 7),
    *[(one, 400, -32700, None) for one in (
        '{"jsonrpc":"2.0","id":7,"id":8,"method":"ping"}', '{"jsonrpc":"2.0","id":7,"method":"ping","method":"x"}',
        '{"jsonrpc":"2.0","id":7,"method":"ping","params":{},"params":{}}', NAMED % '{"message":"a","message":"b"}',
        NAMED % '{"message":"a","m\\u0065ssage":"b"}', NAMED % '{"message":"a","x":[{"y":{"z":1,"z":2}}]}',
        with_params('{"name":"example__echo","arguments":{},"arguments":{}}'),
        with_params('{"name":"example__echo","_meta":{"progressToken":1,"progressToken":2}}'),
        PING + PING, PING + "\0", PING + ",", PING[:-1] + ",}", PING[:-1] + "/**/}", "\ufeff" + PING, "", "  ", "{", "'x'",
        NAMED % '{"message":"\\ud800"}', NAMED % '{"message":"a\x01b"}', NAMED % '{"message":"a\nb"}', NAMED % '{"message":"\\x41"}',
        NAMED % ('{"x":%s1%s}' % ("[" * 90, "]" * 90)), '{"a":' * 50_000)],
    *[(one, 400, -32700, None) for one in (
        (NAMED % '{"message":"@"}').encode().replace(b"@", bad)
        for bad in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82"))],
    (PING.encode("utf-16"), 400, -32700, None),
    *[(one, 400, -32600, None) for one in ("1", '"x"', "null", "true", "[]", f"[{PING}]", f"[{PING},{PING}]", "[" * 100_000)],
]

LEGACY_ONLY = [
    *[(with_id(one), 200, None, json.loads(one)) for one in ("0", "-1", "9007199254740991", '""', '"a"', '"\\ud83d\\ude00"', '"1"',
                                                           '"' + "x" * 256 + '"')],
    *[('{"jsonrpc":"2.0","id":7,"method":"%s"}' % one, 200, -32601, 7) for one in (
        "", "no/such", "Ping", "ping ", "tools/call\\u0000", "server/discover", "subscriptions/listen", "tasks/get",
        "sampling/createMessage", "notifications/initialized", "notifications/cancelled")],
    *[('{"jsonrpc":"2.0","method":"%s","params":%s}' % one, 202, None, None) for one in (
        ("notifications/cancelled", '{"requestId":99}'), ("notifications/cancelled", '{"requestId":{}}'), ("notifications/cancelled", "{}"),
        ("notifications/progress", '{"progressToken":"1","progress":5}'), ("notifications/none", "{}"),
        ("tools/call", '{"name":"example__crash","arguments":{}}'))],
    ('{"jsonrpc":"2.0","id":"0.1.x","result":{}}', 202, None, None),
    ('{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}', 202, None, None),
    *[(with_params('{"name":%s}' % one), 200, -32602, 7) for one in (
        "null", "7", "[]", '""', '"example__"', '"__echo"', '"EXAMPLE__echo"', '"example__echo\\u0000"')],
    (with_params("{}"), 200, -32602, 7),
    *[('{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"cursor":%s}}' % one, 200, -32602, 7)
      for one in ('"x"', "1", '""', "null")],
    *[('{"jsonrpc":"2.0","id":7,"method":"logging/setLevel","params":{"level":%s}}' % one, 200, -32602, 7)
      for one in ('"LOUD"', "1", '""')],
    *[('{"jsonrpc":"2.0","id":7,"method":"ping","params":{"_meta":{"progressToken":%s}}}' % one, 400, -32602, 7)
      for one in ("null", "true", "{}", "[]")],
    ('{"jsonrpc":"2.0","id":7,"method":"initialize"}', 400, -32602, 7),
    ('{"jsonrpc":"2.0","id":7,"method":"initialize","params":{"protocolVersion":5}}', 400, -32602, 7),
]


def send(gateway, fields, body):
    body = body if isinstance(body, bytes) else body.encode(errors="surrogatepass")
    with Connection(gateway.port) as connection:
        return connection.request("POST", "/projects/demo/mcp", body, fields)


def check(gateway, fields, rows):
    for body, status, code, id in rows:
        answer = send(gateway, fields, body)
        shown = f"{body[:120]!r}: {answer}"
        assert answer.status == status, shown
        if status == 202:
            assert answer.body == b"", shown
            continue
        assert answer.json["id"] == id and answer.json["jsonrpc"] == "2.0", shown
        assert (answer.json["error"]["code"] if "error" in answer.json else None) == code, shown


LISTENING = [("1999-01-01", 400), ("", 400), (MODERN, 405)]


def test_odd_messages_of_legacy_clients(gateway):
    client = wire.Legacy(gateway.port, gateway.bearer)
    check(gateway, client.fields(None), BOTH + LEGACY_ONLY)
    for fields in ({"MCP-Protocol-Version": "1999-01-01"}, {"MCP-Protocol-Version": ""}, {"MCP-Protocol-Version": MODERN}):
        assert send(gateway, client.fields(None) | fields, PING).status == 400, fields
    # Method, the revision in the header (None: no such header), status. The modern era has neither method.
    for method, revision, status in [(method, *row) for method in ("GET", "DELETE") for row in LISTENING] + [
            ("GET", LEGACY, 200), ("DELETE", LEGACY, 204)]:
        fields = client.fields(None) | {"Accept": "text/event-stream", "MCP-Protocol-Version": revision}
        with Connection(gateway.port) as connection:
            connection.send(method, client.path, headers={name: value for name, value in fields.items() if value is not None})
            assert connection.http.getresponse().status == status, (method, revision)
    client = wire.Legacy(gateway.port, gateway.bearer)
    for session in ("x", "", "x" * 5000, client.session[:-1], client.session + "A", client.session.swapcase()):
        assert send(gateway, client.fields(None) | {"Mcp-Session-Id": session}, PING).status == 404, session
    other = wire.Legacy(gateway.port, gateway.other)
    assert send(gateway, client.fields(None) | {"Mcp-Session-Id": other.session}, PING).status == 404
    for name in ("Mcp-Session-Id", "MCP-Protocol-Version", "Content-Type"):  # twice, though equal
        fields = list(client.fields(None).items())
        fields.append(next(one for one in fields if one[0] == name))
        assert send(gateway, fields, PING).status in (400, 415), name
    assert client.text("example__echo", {"message": "still here"}) == "still here"


def test_cancelling_and_answering_for_others_does_nothing(gateway):
    mine, theirs = wire.Legacy(gateway.port, gateway.bearer), wire.Legacy(gateway.port, gateway.other)
    slow = {"name": "example__slow", "arguments": {"seconds": 1.5, "steps": 3}, "_meta": {"progressToken": "t"}}
    with Connection(gateway.port) as connection:
        events = mine.post(mine.message("tools/call", slow, id=5), connection)
        for _ in range(5):
            assert theirs.notify("notifications/cancelled", {"requestId": 5}) == 202
            assert theirs.notify("notifications/progress", {"progressToken": "t", "progress": 99}) == 202
            assert theirs.deliver({"jsonrpc": "2.0", "id": 5, "result": {"content": []}}) == 202
            assert mine.notify("notifications/cancelled", {"requestId": "5"}) == 202  # another type is another id
        heard = list(events)
    assert "result" in heard[-1] and heard[-1]["id"] == 5, heard
    assert [one["params"]["progress"] for one in heard[:-1]] == [1, 2, 3], heard


# method, what of the headers is other (None: it is missing), what of `_meta` is other, status, code
MODERN_ROWS = [
    ("server/discover", {}, {}, 200, None),
    ("server/discover", {"MCP-Protocol-Version": None}, {}, 400, -32020),
    ("server/discover", {"MCP-Protocol-Version": LEGACY}, {}, 400, -32020),
    ("server/discover", {"MCP-Protocol-Version": "2099-01-01"}, {}, 400, -32020),
    ("server/discover", {"MCP-Protocol-Version": f" {MODERN} "}, {}, 200, None),
    ("server/discover", {"Mcp-Method": None}, {}, 400, -32020),
    ("server/discover", {"Mcp-Method": "tools/list"}, {}, 400, -32020),
    ("server/discover", {"Mcp-Method": "Server/Discover"}, {}, 400, -32020),
    ("server/discover", {"Mcp-Method": "=?base64?c2VydmVyL2Rpc2NvdmVy?="}, {}, 200, None),
    ("server/discover", {"Mcp-Session-Id": "whatever"}, {}, 200, None),
    ("server/discover", {"MCP-Protocol-Version": "2099-01-01"}, {"protocolVersion": "2099-01-01"}, 400, -32022),
    ("server/discover", {"MCP-Protocol-Version": LEGACY}, {"protocolVersion": LEGACY}, 400, -32022),
    ("server/discover", {}, {"protocolVersion": 20260728}, 400, -32602),
    ("server/discover", {}, {"clientCapabilities": []}, 400, -32602),
    ("server/discover", {}, {"clientCapabilities": None}, 400, -32602),
    ("tools/call", {}, {}, 200, None),
    ("tools/call", {"Mcp-Name": None}, {}, 400, -32020),
    ("tools/call", {"Mcp-Name": "example__fail"}, {}, 400, -32020),
    ("tools/call", {"Mcp-Name": "EXAMPLE__ECHO"}, {}, 400, -32020),
    ("tools/call", {"Mcp-Name": "=?base64?ZXhhbXBsZV9fZWNobw==?="}, {}, 200, None),
    ("tools/call", {"Mcp-Name": "=?base64?ZXhhbXBsZV9fZWNobw?="}, {}, 400, -32020),
    ("tools/call", {"Mcp-Name": "=?BASE64?ZXhhbXBsZV9fZWNobw==?="}, {}, 400, -32020),
    ("tools/call", {"Mcp-Name": "=?base64?DQo=?="}, {}, 400, -32020),
    ("tools/call", {}, {"logLevel": "debug"}, 200, None),
    *[("tools/call", {}, {"logLevel": level}, 400, -32602) for level in ("LOUD", "Debug", "", 7, None)],
    ("tools/call", {}, {"clientInfo": 5}, 200, None),
    *[(method, {}, {}, 404, -32601) for method in ("initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe",
                                                  "no/such", "notifications/initialized", "tasks/get", "roots/list")],
]


def test_odd_messages_of_modern_clients(gateway):
    client = wire.Modern(gateway.port, gateway.bearer)
    params = {"tools/call": {"name": "example__echo", "arguments": {"message": "x"}}}
    for method, headers, meta, status, code in MODERN_ROWS:
        message = client.message(method, params.get(method), id=7)
        fields = {name: value for name, value in (client.fields(message) | headers).items() if value is not None}
        message["params"]["_meta"] = message["params"]["_meta"] | {META + name: value for name, value in meta.items()}
        answer = send(gateway, fields, json.dumps(message))
        shown = f"{method} {headers} {meta}: {answer}"
        assert answer.status == status and answer.json["id"] == 7, shown
        assert (answer.json["error"]["code"] if "error" in answer.json else None) == code, shown
        if status == 400 and code == -32022:
            assert MODERN in answer.json["error"]["data"]["supported"], shown
    message = client.message("server/discover", id=7)
    fields = client.fields(message)
    for body, status, code, id in BOTH:  # whatever the headers say, it is the body that cannot be read
        answer = send(gateway, fields, body)
        assert (answer.status, answer.json["error"]["code"], answer.json["id"]) == (status, code, id), f"{body[:120]!r}: {answer}"
    for name in ("MCP-Protocol-Version", "Mcp-Method"):  # twice, though equal
        pairs = list(fields.items())
        pairs.append(next(one for one in pairs if one[0] == name))
        answer = send(gateway, pairs, json.dumps(message))
        assert answer.status == 400 and answer.json["error"]["code"] == -32020, answer
    del message["params"]["_meta"]
    assert send(gateway, fields, json.dumps(message)).json["error"]["code"] == -32602
    notified = client.message("notifications/cancelled", {"requestId": 1})
    del notified["id"]
    assert send(gateway, client.fields(notified), json.dumps(notified)).status == 202
    named = client.fields(notified)
    del notified["params"]["_meta"]
    assert send(gateway, named, json.dumps(notified)).status == 202  # requests alone have to name their revision
    notified = client.message("notifications/cancelled", {"requestId": 1})
    del notified["id"]
    bare = {"Authorization": f"Bearer {gateway.bearer}", "Content-Type": "application/json"}
    assert send(gateway, bare, json.dumps(notified)).status == 400
    assert client.text("example__echo", {"message": "still here"}) == "still here"
