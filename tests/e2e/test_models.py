"""Proxy models end to end: the content pipeline with a real file server, the gate with real clients, prompts, a stand-in
model, and what is kept over restarts."""

import contextlib
import http.server
import json
import os
import random
import re
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import wire
from harness import BUILD, EXAMPLE, NODE, SANITIZED, Gateway, NodeClient, command_of, is_alive, quick, until
from test_crowd import cpu_s
from test_remote import Remote

FILESYSTEM = BUILD / "node/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"
MEGABYTES = 2
MORE_S, TIMES_MORE = 0.02, 5


def markdown(size, seed=7):
    """Text with everything that may trip a cutter: headings, fences, long lines, wide characters."""
    rng, parts, length = random.Random(seed), [], 0
    words = ["alpha", "größe", "日本語", "🙂", "beta", "x" * 40, "end.", "`code`", "#no", "- item"]
    while length < size:
        kind = rng.randrange(8)
        if kind == 0:
            part = "#" * rng.randint(1, 4) + " " + " ".join(rng.choices(words, k=3)) + "\n\n"
        elif kind == 1:
            part = "```sh\n# not a heading\n" + " ".join(rng.choices(words, k=30)) + "\n```\n"
        else:
            part = " ".join(rng.choices(words, k=rng.randint(1, 200))) + rng.choice(["\n", "\n\n", "\r\n"])
        parts.append(part)
        length += len(part.encode())
    return "".join(parts)


def use_model(gateway, model, project="demo"):
    answer = gateway.rest("PATCH", f"projects/{project}", {"proxyModel": model})
    assert answer.status == 200, answer


@contextlib.contextmanager
def fixture():
    with Gateway() as gateway:
        folder = gateway.dir / "files"
        folder.mkdir()
        gateway.text = markdown(MEGABYTES * 1024 * 1024)
        (folder / "big.md").write_bytes(gateway.text.encode())
        gateway.big = str(folder / "big.md")
        gateway.stdio("files", NODE, FILESYSTEM, folder)
        gateway.example("example")
        gateway.project("demo", "files", "example")
        gateway.reader = gateway.token("reader")
        gateway.ready(gateway.reader, "files", "example")
        yield gateway


def event_of(gateway, kind, token):
    """The last one."""
    return gateway.events(f"kind={kind}&tokenName={token}&limit=1")[0]


def id_in(text):
    return re.search(r"res_[a-z0-9]{20}", text)[0]


def read_big(client, **more):
    answer = client.call("files__read_text_file", {"path": client.path_of_big} | more)
    assert "result" in answer and not answer["result"].get("isError"), str(answer)[:500]
    return answer["result"]


def client_of(gateway, token=None, kind=wire.Modern):
    client = kind(gateway.port, token or gateway.reader)
    client.path_of_big = gateway.big
    return client


def fastest(measure, times=7):
    def once():
        start = time.monotonic()
        measure()
        return time.monotonic() - start

    return min(once() for _ in range(times))


def test_every_page_is_the_file(gateway):
    use_model(gateway, "content-pipeline")
    client = client_of(gateway)
    first = read_big(client)
    page, index = (part["text"] for part in first["content"])
    count = int(re.search(r"Page 1 of (\d+)", index)[1])
    assert count > 200 and f"{len(gateway.text.encode())} bytes in all" in index
    pages = [page] + [read_big(client, _resultId=id_in(index), _page=number)["content"][0]["text"] for number in range(2, count + 1)]
    assert "".join(pages) == gateway.text
    assert max(len(one.encode()) for one in pages) <= 8192
    assert read_big(client, _resultId=id_in(index), _page="all")["content"][0]["text"] == gateway.text
    # structuredContent says the same as the text, as the tool's outputSchema has it.
    assert first["structuredContent"]["content"] == page


def test_every_section_is_the_file(gateway):
    use_model(gateway, "subindex")
    client = client_of(gateway)
    index = read_big(client)["content"][0]["text"]
    names = re.findall(r"^- ([a-z0-9-]+)(?::| \()", index, re.M)
    assert len(names) > 100
    text = "".join(read_big(client, _resultId=id_in(index), _section=name)["content"][0]["text"] for name in names)
    assert text == gateway.text


def test_the_official_client_walks_the_pages(gateway):
    """It checks structured content against the tool's output schema, on every page."""
    use_model(gateway, "content-pipeline")
    for flavour in ("v1", "modern"):
        with NodeClient(gateway, gateway.reader, flavour) as client:
            client.do("list")
            first = client.call("files__read_text_file", path=gateway.big)
            found = id_in(first["parts"][1])
            parts = [first["parts"][0]]
            for number in range(2, 6):
                parts += client.call("files__read_text_file", path=gateway.big, _resultId=found, _page=number)["parts"]
            assert gateway.text.startswith("".join(parts))


def test_the_first_page_costs_little(gateway):
    """Beside the same call without a model, which has to bring all of the file to the client: 20 ms more by the clock, or, where
    others keep the machine busy, a few times of what that one takes of the processor."""
    client, times = client_of(gateway, gateway.token("first-page")), 10

    def cost(model):
        use_model(gateway, model)
        read_big(client)
        before = cpu_s(gateway)
        took = fastest(lambda: read_big(client), times)
        return (cpu_s(gateway) - before) / times, took

    def more():
        (plain, plain_took), (paged, paged_took) = cost("none"), cost("content-pipeline")
        print(f"without a model {plain * 1000:.1f} ms of the processor, {plain_took * 1000:.1f} ms by the clock, "
              f"first page {paged * 1000:.1f} ms, {paged_took * 1000:.1f} ms")
        return min((paged_took - plain_took) / MORE_S, paged / (TIMES_MORE * plain))

    quick(more, 10 if SANITIZED else 1)


def test_the_cache_outlives_a_restart(gateway):
    use_model(gateway, "content-pipeline")
    client = client_of(gateway)
    index = read_big(client)["content"][1]["text"]
    until(lambda: json.loads(gateway.mcpctl("cache", "stats", "-o", "json"))["diskEntries"] >= 2)
    gateway.stop()
    gateway.start()
    gateway.admin = gateway.login()
    gateway.ready(gateway.reader, "files")
    client = client_of(gateway)
    second = read_big(client, _resultId=id_in(index), _page=2)["content"][0]["text"]
    assert second in gateway.text  # the result of before the restart
    before = json.loads(gateway.mcpctl("cache", "stats", "-o", "json"))
    page, index = (part["text"] for part in read_big(client)["content"])
    after = json.loads(gateway.mcpctl("cache", "stats", "-o", "json"))
    assert after["hitsDisk"] == before["hitsDisk"] + 1
    assert gateway.text.startswith(page)
    last = lambda: gateway.events("kind=pipeline_execution&limit=1")[0]  # noqa: E731
    until(lambda: last()["payload"].get("cached") is True, why=last)
    assert "demo" in gateway.mcpctl("cache", "list", "-p", "demo")
    assert "cleared" in gateway.mcpctl("cache", "clear", "-p", "demo")
    assert client.call("files__read_text_file", {"path": gateway.big, "_resultId": id_in(index), "_page": 2})["result"]["isError"]


def test_another_token_knows_no_result(gateway):
    use_model(gateway, "content-pipeline")
    other = gateway.token("other")
    index = read_big(client_of(gateway))["content"][1]["text"]
    answer = client_of(gateway, other).call("files__read_text_file", {"path": gateway.big, "_resultId": id_in(index), "_page": 2})
    assert answer["result"]["isError"] and "not known" in answer["result"]["content"][0]["text"]


def test_a_changed_model_is_effective_at_once(gateway):
    made = gateway.rest("POST", "proxymodels", {"name": "short", "stages": [{"type": "truncate", "config": {"maxBytes": 100}}]})
    assert made.status == 201, made
    use_model(gateway, "short")
    client = client_of(gateway)
    assert len(read_big(client)["content"][0]["text"].encode()) <= 100
    assert gateway.rest("PATCH", "proxymodels/short", {"stages": [{"type": "truncate", "config": {"maxBytes": 50}}]}).status == 200
    assert len(read_big(client)["content"][0]["text"].encode()) <= 50
    assert gateway.rest("DELETE", "proxymodels/short").status == 409  # in use
    use_model(gateway, "none")
    assert gateway.rest("DELETE", "proxymodels/short").status == 200


def test_new_projects_have_the_default_model(gateway):
    gateway.mcpctl("create", "project", "fresh", "--server", "example")
    assert gateway.rest("GET", "projects/fresh").json["proxyModel"] == "default"
    client = wire.Modern(gateway.port, gateway.token("newcomer", "fresh"), "fresh")
    assert client.tools() == ["begin_session"]


# --- the gate


def make_prompts(gateway):
    for name, content, priority in (("lights", "Lights go out at ten.", 5), ("house-rules", "Be quiet at night.", 10),
                                    ("garden", "Water it in the morning.", 5)):
        gateway.rest("POST", "prompts", {"name": name, "project": "demo", "content": content, "priority": priority})


def test_the_gate_opens_for_a_token_and_stays_open(gateway):
    make_prompts(gateway)
    use_model(gateway, "default")
    for flavour in ("v1", "modern"):
        token, other = gateway.token(f"gate-{flavour}"), gateway.token(f"closed-{flavour}")
        with NodeClient(gateway, token, flavour) as client:
            assert client.do("list")["tools"] == ["begin_session"]
            begun = client.call("begin_session", tags=["lights", "evening", "scene"])
            assert "Lights go out at ten." in begun["text"] and "Be quiet at night." in begun["text"]
            assert "- garden:" in begun["text"] and "Water it" not in begun["text"].split("- garden:")[0]
            assert "example__echo" in client.do("list")["tools"]
            assert "Water it in the morning." in client.call("read_prompts", tags=["garden"])["text"]
        with NodeClient(gateway, token, flavour) as client:  # another session
            assert "example__echo" in client.do("list")["tools"]
        with NodeClient(gateway, other, flavour) as client:
            assert client.do("list")["tools"] == ["begin_session"]


def test_a_client_that_never_sends_its_session_does_not_loop(gateway):
    use_model(gateway, "default")
    client = wire.Legacy(gateway.port, gateway.token("forgetful"))
    client.session = None
    assert client.tools() == ["begin_session"]
    client.text("begin_session", {"tags": ["a", "b", "c"]})
    assert "example__echo" in client.tools()


def test_the_gate_stays_open_over_a_restart_and_ends_with_the_token(gateway):
    use_model(gateway, "default")
    token = gateway.token("lasting")
    wire.Modern(gateway.port, token).text("begin_session", {"tags": ["a", "b", "c"]})
    gateway.stop()
    gateway.start()
    gateway.admin = gateway.login()
    client = wire.Modern(gateway.port, token)
    assert "example__echo" in until(lambda: [tools for tools in [client.tools()] if len(tools) > 2], pause=0.2)[0]
    gateway.mcpctl("delete", "mcptoken", "lasting", "-p", "demo")
    with wire.Connection(gateway.port) as connection:
        message = client.message("tools/list", {})
        assert connection.request("POST", client.path, json.dumps(message), client.fields(message)).status == 401
    again = wire.Modern(gateway.port, gateway.token("lasting"))
    assert again.tools() == ["begin_session"]  # a new token of the same name


def test_calling_a_tool_opens_the_gate(gateway):
    make_prompts(gateway)
    use_model(gateway, "default")
    client = wire.Modern(gateway.port, gateway.token("hasty"))
    answer = client.call("example__echo", {"message": "turn the lights on"})["result"]["content"]
    assert "Lights go out at ten." in answer[0]["text"] and "turn the lights on" in answer[1]["text"]
    assert "example__echo" in client.tools()
    assert event_of(gateway, "gate_decision", "hasty")["tool"] == "tools/call"


def test_the_gate_in_the_gateway_role(gateway):
    make_prompts(gateway)
    use_model(gateway, "default")
    token = gateway.token("away")
    with Remote(gateway) as remote:
        client = wire.Modern(remote.port, token)
        assert client.tools() == ["begin_session"]
        assert "Lights go out at ten." in client.text("begin_session", {"tags": ["lights", "x", "y"]})
        assert "example__echo" in client.tools()
        paged = wire.Modern(remote.port, token)
        paged.path_of_big = gateway.big
        page, index = (part["text"] for part in read_big(paged)["content"])
        assert gateway.text.startswith(page + read_big(paged, _resultId=id_in(index), _page=2)["content"][0]["text"])
        # Open there, open here.
        assert "example__echo" in wire.Modern(gateway.port, token).tools()
        gateway.mcpctl("delete", "mcptoken", "away", "-p", "demo")
        until(lambda: status_of(client) == 401, 5)
        again = gateway.token("away")  # a new token of the same name
        assert wire.Modern(remote.port, again).tools() == ["begin_session"]
        replaced = wire.Modern(remote.port, again)
        replaced.text("begin_session", {"tags": ["lights", "x", "y"]})
        rotated = gateway.mcpctl("rotate", "mcptoken", "away", "-p", "demo", "--grace", "1h").split()[0]
        assert wire.Modern(remote.port, rotated).tools() == ["begin_session"] and "example__echo" in replaced.tools()
    with Remote(gateway) as remote:  # a gateway that has seen none of it
        assert "example__echo" in wire.Modern(remote.port, again).tools()
        assert wire.Modern(remote.port, rotated).tools() == ["begin_session"]


def status_of(client):
    message = client.message("tools/list", {})
    with wire.Connection(client.port) as connection:
        return connection.request("POST", client.path, json.dumps(message), client.fields(message)).status


# --- prompts


def test_a_gateway_elsewhere_knows_all_prompts_however_long_they_are(gateway):
    """More than one answer of the control plane holds."""
    gateway.project("long", "example")
    for number in range(80):
        made = gateway.rest("POST", "prompts", {"name": f"long-{number}", "project": "long", "content": f"word{number} " * 6500})
        assert made.status == 201, made
    use_model(gateway, "default", "long")
    token = gateway.token("long", "long")
    with Remote(gateway) as remote:
        client = wire.Modern(remote.port, token, "long")
        text = client.text("begin_session", {"tags": ["word79", "x", "y"]})
        assert "## long-79\n" in text and all(f"- long-{number}:" in text for number in range(79))
        prompts = client.request("prompts/list", {})["result"]["prompts"]
        assert {f"long-{number}" for number in range(80)} <= {one["name"] for one in prompts}


def test_a_proposal_becomes_a_prompt(gateway):
    use_model(gateway, "default")
    token = gateway.token("author")
    client = wire.Modern(gateway.port, token)
    client.text("begin_session", {"tags": ["a", "b", "c"]})
    assert "waits for approval" in client.text("propose_prompt", {"name": "from-a-model", "content": "# New\n\nLearnt today."})
    request = gateway.rest("GET", "promptrequests?project=demo").json["items"][0]
    assert (request["name"], request["createdByToken"]) == ("from-a-model", "author")
    assert gateway.rest("POST", f"promptrequests/{request['id']}/approve").status == 201
    assert "from-a-model" in [one["name"] for one in client.request("prompts/list", {})["result"]["prompts"]]
    got = client.request("prompts/get", {"name": "from-a-model"})["result"]["messages"][0]["content"]["text"]
    assert got == "# New\n\nLearnt today."
    bound = gateway.token("mute", "demo", "--bind", "role:view,resource:servers")
    muted = wire.Modern(gateway.port, bound)
    muted.text("begin_session", {"tags": ["a", "b", "c"]})
    refused = muted.call("propose_prompt", {"name": "no", "content": "x"})["result"]
    assert refused["isError"], refused
    assert muted.request("prompts/list", {})["result"]["prompts"][0]["name"].startswith("example__")


def test_texts_of_the_gate_can_be_replaced_and_come_back(gateway):
    use_model(gateway, "default")
    gateway.mcpctl("create", "project", "mcpctl-system", "--proxy-model", "none")
    words = {"name": "gate-encouragement", "project": "mcpctl-system"}
    refused = gateway.rest("POST", "prompts", words | {"content": "no variable"})
    assert refused.status == 400 and "{{prompts}}" in refused.json["message"], refused
    assert gateway.rest("POST", "prompts", {"name": "other", "project": "mcpctl-system", "content": "x"}).status == 400
    assert gateway.rest("POST", "prompts", words | {"content": "OURS {{prompts}}"}).status == 201
    make_prompts(gateway)

    def begin(name):
        return wire.Modern(gateway.port, gateway.token(name)).text("begin_session", {"tags": ["lights", "b", "c"]})

    assert "OURS - " in begin("replaced")
    assert gateway.rest("DELETE", "prompts/gate-encouragement?project=mcpctl-system").status == 200
    assert "OURS" not in begin("restored")


# --- a model


class Model(http.server.BaseHTTPRequestHandler):
    mode, seen = "good", []

    def drip(self):
        """A byte now and then, for ever: each of them in time."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(200):
            self.wfile.write(b" ")
            time.sleep(0.1)

    def huge(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(2_000):
            self.wfile.write(b" " * 65_536)

    broken = {
        "drip": drip,
        "huge": huge,
        "half": lambda self: self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{"choices":[{"mess'),
        "wrong": lambda self: self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 28\r\n\r\n{"choices":[{"message":[]}]}'),
        "silent": lambda self: None,
        "no-http": lambda self: self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n"),
    }

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Model.seen.append((self.path, self.headers["Authorization"], body))
        if Model.mode == "hang":
            time.sleep(20)
        if Model.mode in Model.broken:
            with contextlib.suppress(OSError):
                Model.broken[Model.mode](self)
            self.close_connection = True
            return
        words = body["messages"][0]["content"]
        says = json.dumps(["garden"]) if "JSON array of their names" in words else "A summary by the model."
        answer = {"choices": [{"message": {"role": "assistant", "content": says}}]}
        text = b"nonsense" if Model.mode == "nonsense" else json.dumps(answer).encode()
        with contextlib.suppress(OSError):
            self.send_response(500 if Model.mode == "error" else 200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    def do_GET(self):
        self.send_response(200 if self.path.endswith("/v1/models") else 404)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *words):
        pass


@contextlib.contextmanager
def stand_in():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        Model.mode = "good"


def test_a_model_selects_and_summarises_and_may_fail():
    with stand_in() as server:
        with Gateway(settings=["--upstream-allow", "127.0.0.0/8"]) as gateway:
            gateway.example("example")
            folder = gateway.dir / "files"
            folder.mkdir()
            (folder / "some.md").write_text("".join(f"# Part {i}\n\n" + "Plain words. " * 300 + "\n" for i in range(5)))
            gateway.stdio("files", NODE, FILESYSTEM, folder)
            gateway.rest("POST", "secrets", {"name": "keys", "data": {"k": "sk-secret"}})
            llm = {"baseUrl": f"http://127.0.0.1:{server.server_port}/v1", "model": "tiny", "timeoutMs": 700,
                   "apiKeySecret": {"name": "keys", "key": "k"}}
            gateway.rest("POST", "proxymodels", {"name": "smart", "extends": ["gate", "subindex"], "cacheable": False})
            made = gateway.rest("POST", "projects", {"name": "demo", "servers": ["example", "files"], "proxyModel": "smart", "llm": llm})
            assert made.status == 201, made
            make_prompts(gateway)
            gateway.ready_token = gateway.token("warm")
            wire.Modern(gateway.port, gateway.ready_token).text("begin_session", {"description": "warm up"})
            gateway.ready(gateway.ready_token, "files", "example")

            def begin(name):
                client = wire.Modern(gateway.port, gateway.token(name))
                start = time.monotonic()
                text = client.text("begin_session", {"description": "I will switch the lights."})
                index = client.text("files__read_text_file", {"path": str(folder / "some.md")})
                return text, index, time.monotonic() - start

            text, index, _ = begin("by-model")
            assert "## garden\n" in text and "## lights\n" not in text
            assert "A summary by the model." in index
            status = json.loads(gateway.mcpctl("status", "-o", "json"))
            assert status["role"] == "control plane" and status["execStages"] == "on", status
            assert status["llm"] == [{"state": "reachable", "project": "demo", "model": "tiny"}], status
            path, authorization, body = Model.seen[-1]
            assert (path, authorization, body["model"]) == ("/v1/chat/completions", "Bearer sk-secret", "tiny")
            for mode in ("hang", "error", "nonsense", *Model.broken):
                Model.mode = mode
                gateway.stop()
                gateway.start()  # forgets that the model failed
                gateway.admin = gateway.login()
                gateway.ready(gateway.ready_token, "files", "example")
                text, index, took = begin(f"without-{mode}")
                assert "## lights\n" in text and "## garden\n" not in text
                assert "Plain words." in index and "by the model" not in index
                assert took < 15 * (4 if SANITIZED else 1), took  # "hang" lasts 20 s, "drip" as long
                gate = event_of(gateway, "gate_decision", f"without-{mode}")
                assert gate["payload"]["selection"].startswith("deterministic: "), gate
                ran = event_of(gateway, "pipeline_execution", f"without-{mode}")
                assert ran["payload"]["fallback"].startswith("model: "), ran
            until(lambda: "last asked without success" in gateway.mcpctl("status", "-o", "json"))  # on the loop that asked
            logs = gateway.log.read_text()
            assert "sk-secret" not in logs


def test_a_token_of_ours_is_no_key_of_a_model(gateway):
    """Neither in a secret that a project names, nor in the program's own settings."""
    whole = gateway.rest("POST", "secrets", {"name": "mixed-up", "data": {"k": gateway.reader}})
    assert whole.status == 400 and "holds an mcpctl credential" in whole.json["message"], whole
    assert gateway.rest("POST", "secrets", {"name": "mixed-up", "data": {"k": "mcpctl_pat_half", "good": "sk-1"}}).status == 201
    llm = {"baseUrl": "http://127.0.0.1:1/v1", "model": "m", "apiKeySecret": {"name": "mixed-up", "key": "k"}}
    refused = gateway.rest("PATCH", "projects/demo", {"llm": llm})
    assert refused.status == 400 and "holds a token of this product" in refused.json["message"], refused
    llm["apiKeySecret"]["key"] = "good"
    assert gateway.rest("PATCH", "projects/demo", {"llm": llm}).status == 200
    status = json.loads(gateway.mcpctl("status", "-o", "json"))["llm"]
    assert [one["state"] for one in status] == ["unreachable"] and status[0]["detail"], status
    assert gateway.rest("PATCH", "projects/demo", {"llm": None}).status == 200
    assert json.loads(gateway.mcpctl("status", "-o", "json"))["llm"] == "off"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "llm.json")
        for text, why in ((json.dumps([{"baseUrl": "http://h/v1", "model": "m", "apiKey": gateway.reader}]), "token of this product"),
                          ('[{"baseUrl":"http://h/v1"}]', "[0]: model"), ('{"a":1}', "must be a list"), ("[", "llm.json"),
                          ('[{"baseUrl":"http://h/v1","model":"m","tier":"slow"}]', "tier: must be fast or heavy")):
            file.write_text(text)
            words = [*map(str, gateway.command(0, Path(folder, "data"))), "--llm-file", str(file)]
            done = subprocess.run(words, capture_output=True, text=True, timeout=60)
            assert done.returncode == 64 and why in done.stderr, (text, done.returncode, done.stderr)


def test_a_gateway_has_models_of_its_own_or_none():
    with stand_in() as server, Gateway() as plane, tempfile.TemporaryDirectory() as folder:
        plane.example("example")
        script = "import sys; sys.stdin.read(); print('{\"content\":\"by the program\"}')"
        stages = [{"type": "exec", "config": {"command": ["/usr/bin/python3", "-c", script]}},
                  {"type": "truncate", "config": {"maxBytes": 30}}]
        plane.rest("POST", "proxymodels", {"name": "smart", "extends": ["gate"], "stages": stages})
        assert plane.rest("POST", "projects", {"name": "demo", "servers": ["example"], "proxyModel": "smart"}).status == 201
        make_prompts(plane)
        file = Path(folder, "llm.json")
        base = f"http://127.0.0.1:{server.server_port}/v1"
        file.write_text(json.dumps([{"baseUrl": base, "model": "own", "tier": "heavy", "apiKey": "sk-own"},
                                    {"baseUrl": "http://127.0.0.1:1/v1", "model": "gone", "tier": "fast"}]))
        with Remote(plane, "--llm-file", file, "--upstream-allow", "127.0.0.0/8") as remote:
            status = json.loads(plane.mcpctl("status", "-o", "json", "--mcpd-url", f"http://127.0.0.1:{remote.port}"))
            assert (status["role"], status["execStages"]) == ("gateway", "off"), status
            assert status["llm"] == [{"state": "reachable", "tier": "heavy"}, {"state": "unreachable", "tier": "fast"}], status
            client = wire.Modern(remote.port, plane.token("far"))
            text = client.text("begin_session", {"description": "I will switch the lights."})
            assert "## garden\n" in text and "## lights\n" not in text
            assert Model.seen[-1][1:] == ("Bearer sk-own", Model.seen[-1][2]) and Model.seen[-1][2]["model"] == "own"
            # The program does not run here; the stage behind it does.
            shown = client.text("example__echo", {"message": "x" * 100})
            assert "by the program" not in shown and len(shown.encode()) <= 30, shown
            ran = event_of(plane, "pipeline_execution", "far")
            assert ran["payload"]["fallback"] == "exec: programs do not run in this gateway", ran
        with Remote(plane) as remote:
            status = json.loads(plane.mcpctl("status", "-o", "json", "--mcpd-url", f"http://127.0.0.1:{remote.port}"))
            assert (status["llm"], status["execStages"]) == ("off", "off"), status
            client = wire.Modern(remote.port, plane.token("tagged"))
            assert "## lights\n" in client.text("begin_session", {"tags": ["lights", "b", "c"]})
        # Where it may run, it runs.
        here = wire.Modern(plane.port, plane.token("near"))
        here.text("begin_session", {"tags": ["lights", "b", "c"]})
        assert here.text("example__echo", {"message": "x" * 100}) == "by the program"


# --- results that are kept


def test_results_of_a_tool_are_kept_where_the_operator_says_so(gateway):
    log = gateway.example("kept")
    assert gateway.rest("PATCH", "servers/kept", {"cache": {"tools": {"echo": 60}}}).status == 200
    assert gateway.rest("PATCH", "servers/kept", {"cache": {"tools": {"echo": 0}}}).status == 400
    gateway.project("keeping", "kept")
    calls = lambda: log.read_text().count('"tools/call"')
    one, other = (wire.Modern(gateway.port, gateway.token(name, "keeping"), "keeping") for name in ("k1", "k2"))
    assert [client.text("kept__echo", {"message": "a"}) for client in (one, one, one)] == ["a"] * 3 and calls() == 1
    assert one.text("kept__echo", {"message": "b"}) == "b" and calls() == 2  # other arguments
    assert other.text("kept__echo", {"message": "a"}) == "a" and calls() == 3  # another token
    assert "call" in gateway.mcpctl("cache", "list", "-p", "keeping")
    gateway.mcpctl("cache", "clear", "-p", "keeping")
    assert one.text("kept__echo", {"message": "a"}) == "a" and calls() == 4


# --- programs as stages


def test_a_program_as_a_stage(gateway):
    script = "import json,sys; print(json.dumps({'content': str(len(json.load(sys.stdin)['content']))}))"
    stage = {"type": "exec", "config": {"command": ["/usr/bin/python3", "-c", script]}}
    made = gateway.rest("POST", "proxymodels", {"name": "counted", "stages": [stage]})
    assert made.status == 201, made
    use_model(gateway, "counted")
    client = client_of(gateway)
    assert read_big(client)["content"][0]["text"] == str(len(gateway.text))
    use_model(gateway, "none")


LEAVING = """
import os, subprocess, sys, time
# One in a session of its own, one whose starter has gone, too, one that knows nothing of where it comes from.
subprocess.Popen(["setsid", "sleep", "%(seconds)s"])
subprocess.run(["sh", "-c", "setsid setsid -f sleep %(seconds)s"])
subprocess.run(["env", "-i", "/usr/bin/setsid", "-f", "sleep", "%(seconds)s"])
%(rest)s
"""


def sleeping(seconds):
    """Of any parent: what was left behind has another one."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if command_of(pid) == f"sleep\0{seconds}\0" and is_alive(pid)]


def test_what_a_program_leaves_behind_ends_with_it(gateway):
    """However it leaves: an answer, a crash, a deadline."""
    base = 1_000_000 + os.getpid() * 10
    rests = {"answer": "print('{\"content\": \"done\"}')", "crash": "sys.exit(3)", "hang": "time.sleep(60)"}
    for number, (name, rest) in enumerate(rests.items()):
        seconds = base + number
        script = LEAVING % {"seconds": seconds, "rest": rest}
        stage = {"type": "exec", "config": {"command": ["/usr/bin/python3", "-c", script], "timeoutMs": 8000}}
        made = gateway.rest("POST", "proxymodels", {"name": f"leaving-{name}", "cacheable": False, "stages": [stage]})
        assert made.status == 201, made
        use_model(gateway, f"leaving-{name}")
        client = client_of(gateway)
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(lambda: read_big(client)["content"][0]["text"])
            if name == "hang":
                until(lambda: len(sleeping(seconds)) >= 2)  # the last one is nobody's at once
            assert reading.result() == ("done" if name == "answer" else gateway.text)
        until(lambda: not sleeping(seconds), 5, why=lambda: f"{name}: {sleeping(seconds)} are left")
    use_model(gateway, "none")


def test_a_helper_of_a_running_server_stays_until_the_server_ends(gateway):
    seconds = 2_000_000 + os.getpid()
    gateway.stdio("starter", "sh", "-c", f"setsid -f sleep {seconds}; exec {EXAMPLE} --stdio")
    gateway.project("helped", "starter")
    client = wire.Modern(gateway.port, gateway.token("helped", "helped"), "helped")
    assert client.text("starter__echo", {"message": "x"}) == "x"
    until(lambda: sleeping(seconds))
    time.sleep(1.5)  # several looks at what was left behind
    assert len(sleeping(seconds)) == 1
    assert gateway.rest("PATCH", "servers/starter", {"replicas": 0}).status == 200
    until(lambda: not sleeping(seconds), 20)
