"""What is looked into page by page is what the server said, byte for byte: odd files through a real file server, odd
results of a server of our own, through mcpd and through a gateway elsewhere; stages that misbehave."""

import base64
import contextlib
import json
import re
import sys
import time
import unicodedata
from pathlib import Path

import wire
from harness import BUILD, NODE, SANITIZED, Gateway, NodeClient, until
from test_models import FILESYSTEM, id_in, markdown, use_model
from test_remote import Remote

COMBINED = "e" + "\u0301\u0323" * 5 + "👩‍👩‍👧‍👦" + unicodedata.normalize("NFD", "größe") + "🏳️‍🌈\u200d\ufeff"
FILES = {
    "crlf.md": "# Head\r\n\r\n" + "Some words of it.\r\n" * 5_000,
    "cr.txt": "old lines\r" * 5_000,
    "no-newline.md": markdown(50_000, seed=1) + "# The end",
    "one-line.txt": "x" * 200_000,
    "one-line-wide.txt": "🙂" * 40_000,
    "combined.txt": COMBINED * 2_000,
    "headings.md": "".join(f"{'#' * (1 + i % 6)} Heading {i}\n" for i in range(4_000)),
    "same-headings.md": "# Same\n\n" * 100 + ("# Same\n\n" + "words " * 600 + "\n") * 20,
    "blank.txt": "\n" * 50_000,
    "spaces.txt": " \t\n" * 30_000,
    "array.json": json.dumps([{"n": i, "text": "a, [b] {c} \"d\\" + COMBINED} for i in range(2_000)]),
    "array-indented.json": json.dumps([{"n": i, "deep": {"a": [1, [2, [i]]]}} for i in range(2_000)], indent=2),
    "broken.json": "[" + json.dumps({"a": "b" * 100}) * 1_000,
    "numbers.json": json.dumps(list(range(50_000))),
    "lines.jsonl": "".join(json.dumps({"n": i, "s": "ü" * (i % 50)}) + "\n" for i in range(3_000)),
    "code.py": "".join(f"def function_{i}(x):\n    # not a heading\n    return x + {i}\n\n\n" for i in range(2_000)),
    "table.md": "# Table\n\n" + "| a | b |\n" * 8_000,
    "nul.txt": "a\0b\u0001\u001f\u007f" * 10_000,
    "separators.txt": "a\u2028b\u2029c\u0085d" * 10_000,
    "empty.md": "",
    "small.md": "# Small\n",
    "at-the-threshold.txt": "y" * 16_384,
    "above-the-threshold.txt": "y" * 16_385,
}

# Answers each tool with the file of its name, which is a complete result.
SHAPES = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    method, said = asked["method"], {"error": {"code": -32601, "message": "x"}}
    if method == "initialize":
        said = {"result": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}}
    if method == "tools/list":
        said = {"result": {"tools": [{"name": one.name, "inputSchema": {"type": "object"}} for one in sorted(folder.iterdir())]}}
    if method == "tools/call":
        said = {"result": json.loads((folder / asked["params"]["name"]).read_text())}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **said}), flush=True)
"""


def text(content, **more):
    return {"type": "text", "text": content} | more


LONG = markdown(60_000, seed=5)
BLOB = base64.b64encode(bytes(range(256)) * 400).decode()
RESULTS = {
    "none": {"content": []},
    "empty": {"content": [text("")]},
    "many": {"content": [text(f"block {i} " + "z" * 20_000) for i in range(30)]},
    "many-small": {"content": [text(f"block {i}") for i in range(2_000)]},
    "image": {"content": [{"type": "image", "data": BLOB, "mimeType": "image/png"}, text(LONG)]},
    "audio": {"content": [{"type": "audio", "data": BLOB, "mimeType": "audio/wav"}]},
    "base64": {"content": [text(BLOB)]},
    "blob": {"content": [{"type": "resource", "resource": {"uri": "x:y", "blob": BLOB}}]},
    "inside": {"content": [{"type": "resource", "resource": {"uri": "x:y", "text": LONG}}]},
    "link": {"content": [{"type": "resource_link", "uri": "x:y", "name": "y"}]},
    "error": {"content": [text(LONG)], "isError": True},
    "beside": {"content": [text(LONG)], "structuredContent": {"other": [1, 2.5, {"a": None}]}},
    "same": {"content": [text(json.dumps({"rows": list(range(9_000))}))], "structuredContent": {"rows": list(range(9_000))}},
    "repeated": {"content": [text(LONG)], "structuredContent": {"content": LONG, "n": 1}},
    "marked": {"content": [text(LONG, annotations={"priority": 1}, _meta={"a": 1})], "_meta": {"b": 2}},
}


@contextlib.contextmanager
def fixture():
    with Gateway() as gateway:
        folder, shapes = gateway.dir / "files", gateway.dir / "shapes"
        folder.mkdir()
        shapes.mkdir()
        for name, content in FILES.items():
            (folder / name).write_bytes(content.encode())
        for name, result in RESULTS.items():
            (shapes / name).write_text(json.dumps(result))
        gateway.folder = folder
        gateway.stdio("files", NODE, FILESYSTEM, folder)
        gateway.stdio("shapes", sys.executable, "-c", SHAPES, shapes)
        gateway.example("example")
        gateway.project("demo", "files", "shapes", "example")
        gateway.reader = gateway.token("reader")
        gateway.ready(gateway.reader, "files", "shapes", "example")
        with Remote(gateway) as gateway.remote:
            yield gateway


def clients(gateway):
    """Both roles, both eras."""
    return [kind(port, gateway.reader) for port in (gateway.port, gateway.remote.port) for kind in (wire.Legacy, wire.Modern)]


def put_together(client, tool, arguments, first, index):
    """All pages or sections that the index names, as one text, and what "all" says."""
    found = id_in(index)
    part = lambda **which: client.call(tool, arguments | {"_resultId": found} | which)["result"]["content"][0]["text"]
    if pages := re.search(r"^Page 1 of (\d+) is above", index, re.M):
        walked = first + "".join(part(_page=n) for n in range(2, int(pages[1]) + 1))
    else:
        walked = "".join(part(_section=name) for name in re.findall(r"^- ([a-z0-9-]+)(?::| \()", index, re.M))
    return walked, part(_page="all")


def test_odd_files_come_back_byte_for_byte(gateway):
    for model in ("content-pipeline", "subindex"):
        use_model(gateway, model)
        for client in clients(gateway):
            split = 0
            for name, content in FILES.items():
                arguments = {"path": str(gateway.folder / name)}
                result = client.call("files__read_text_file", arguments)["result"]
                texts = [one["text"] for one in result["content"]]
                assert result["structuredContent"]["content"] == texts[0], name
                if "res_" not in texts[-1]:
                    assert texts == [content], (model, name)
                    continue
                split += 1
                index = texts[-1]
                for whole in put_together(client, "files__read_text_file", arguments, texts[0], index):
                    assert whole == content, (model, name, len(whole), len(content))
                    whole.encode()  # no half of a character
            assert split >= len(FILES) / 2, (model, split)


def test_odd_results_stay_what_they_are(gateway):
    use_model(gateway, "content-pipeline")
    for client in clients(gateway):
        said = {name: client.call(f"shapes__{name}")["result"] for name in RESULTS}
        for name in ("none", "empty", "many-small", "audio"):
            assert said[name]["content"] == RESULTS[name]["content"], name
        assert said["link"]["content"] == [RESULTS["link"]["content"][0] | {"uri": "m.shapes+x:y"}]
        assert said["blob"]["content"][0]["resource"] == {"uri": "m.shapes+x:y", "blob": BLOB}
        assert said["image"]["content"][0] == RESULTS["image"]["content"][0]
        assert said["inside"]["content"][0]["resource"]["text"] == LONG  # nobody could ask for more of it
        assert said["error"]["isError"] is True
        assert said["beside"]["structuredContent"] == RESULTS["beside"]["structuredContent"]
        for name, where in (("image", 1), ("error", 0), ("base64", 0), ("marked", 0), ("beside", 0)):
            first, index = said[name]["content"][where]["text"], said[name]["content"][where + 1]["text"]
            for whole in put_together(client, f"shapes__{name}", {}, first, index):
                assert whole == RESULTS[name]["content"][where]["text"], name
        assert said["marked"]["content"][0]["annotations"] == {"priority": 1} and said["marked"]["_meta"]["b"] == 2
        assert said["repeated"]["structuredContent"] == {"content": said["repeated"]["content"][0]["text"], "n": 1}
        assert said["same"]["content"] == RESULTS["same"]["content"]
        assert said["same"]["structuredContent"] == RESULTS["same"]["structuredContent"]
        # Thirty large blocks, each with an index of its own behind it.
        blocks = said["many"]["content"]
        assert len(blocks) == 60
        for at in (0, 29):
            for whole in put_together(client, "shapes__many", {}, blocks[2 * at]["text"], blocks[2 * at + 1]["text"]):
                assert whole == RESULTS["many"]["content"][at]["text"]


def test_the_gate_with_real_clients_in_both_roles(gateway):
    use_model(gateway, "default")
    ports = {"here": gateway.port, "away": gateway.remote.port}
    for role, port in ports.items():
        place = f"http://127.0.0.1:{port}/projects/demo/mcp"
        for flavour in ("v1", "legacy", "modern"):
            token, other = gateway.token(f"{role}-{flavour}"), gateway.token(f"{role}-{flavour}-other")
            with NodeClient(gateway, token, flavour, place=place) as client:
                assert client.do("list")["tools"] == ["begin_session"], (role, flavour)
                client.call("begin_session", tags=["a", "b", "c"])
                assert "example__echo" in client.do("list")["tools"], (role, flavour)
            for again in ports.values():  # another session, and the other role
                with NodeClient(gateway, token, flavour, place=f"http://127.0.0.1:{again}/projects/demo/mcp") as client:
                    assert "example__echo" in client.do("list")["tools"], (role, flavour)
            with NodeClient(gateway, other, flavour, place=place) as client:
                assert client.do("list")["tools"] == ["begin_session"], (role, flavour)
    # One that never sends its session: each request begins another one, and none of them is asked to begin again.
    for role, port in ports.items():
        client = wire.Legacy(port, gateway.token(f"{role}-forgetful"))
        client.session = None
        assert client.tools() == ["begin_session"]
        client.text("begin_session", {"tags": ["a", "b", "c"]})
        assert all("example__echo" in client.tools() for _ in range(3))
    # The token that takes the place of a rotated one is another token.
    old = gateway.token("rotated")
    wire.Modern(gateway.port, old).text("begin_session", {"tags": ["a", "b", "c"]})
    made = gateway.rest("POST", "mcptokens/" + next(
        one["id"] for one in gateway.rest("GET", "mcptokens?project=demo&limit=200").json["items"] if one["name"] == "rotated") + "/rotate",
        {"grace": "1h"})
    assert made.status in (200, 201), made
    assert "example__echo" in wire.Modern(gateway.port, old).tools()
    assert wire.Modern(gateway.port, made.json["token"]).tools() == ["begin_session"]


def test_prompts_and_resources_are_looked_into_in_both_roles(gateway):
    content = markdown(50_000, seed=9)
    made = gateway.rest("POST", "prompts", {"name": "long", "project": "demo", "content": content})
    assert made.status == 201, made
    stages = [{"type": "paginate", "config": {"pageSize": 4_096}}]
    gateway.rest("POST", "proxymodels", {"name": "paged", "appliesTo": ["prompt", "resource"], "stages": stages})
    use_model(gateway, "paged")
    for client in clients(gateway):
        listed = next(one for one in client.request("prompts/list", {})["result"]["prompts"] if one["name"] == "long")
        assert [one["name"] for one in listed["arguments"]] == ["_resultId", "_page", "_section"]
        get = lambda **more: [one["content"]["text"] for one in
                              client.request("prompts/get", {"name": "long", "arguments": more})["result"]["messages"]]
        first, index = get()
        pages = int(re.search(r"Page 1 of (\d+) ", index)[1])
        whole = first + "".join(get(_resultId=id_in(index), _page=str(n))[0] for n in range(2, pages + 1))
        assert whole == content
        assert get(_resultId=id_in(index), _page="all") == [content]
        read = lambda uri: [one["text"] for one in client.request("resources/read", {"uri": uri})["result"]["contents"]]
        uri = next(one["uri"] for one in client.request("resources/list", {})["result"]["resources"] if one["uri"].startswith("m.example+"))
        assert len(read(uri)) == 1  # small ones stay whole


def test_a_program_that_misbehaves_costs_its_deadline_and_leaves_nothing(gateway):
    """Also one whose grandchild keeps the pipe, ignores SIGTERM, or fills the other pipe."""
    mark = "stage-of-this-test"
    scripts = {
        "hang": "sleep 98765",
        "stubborn": "trap '' TERM HUP INT; while :; do sleep 1; done",
        "grandchild": "(trap '' TERM HUP; sleep 98765) & echo '{\"content\":\"from the parent\"}'",
        "closed": "exec >&- 2>&-; sleep 98765",
        "flood": "yes x",
        "flood-errors": "yes x >&2",
        "flood-without-lines": "tr '\\0' x < /dev/zero",
        "crash": "kill -SEGV $$",
        "garbage": "head -c 5000 /dev/urandom",
        "deaf": "exec <&-; echo nonsense",
    }
    client = wire.Modern(gateway.port, gateway.reader)
    for name, script in scripts.items():
        command = ["/bin/sh", "-c", f": {mark}; {script}"]
        stage = {"type": "exec", "config": {"command": command, "timeoutMs": 1_000, "maxBytes": 100_000}}
        made = gateway.rest("POST", "proxymodels", {"name": f"bad-{name}", "cacheable": False, "stages": [stage]})
        assert made.status == 201, made
        use_model(gateway, f"bad-{name}")
        began = time.monotonic()
        shown = client.text("example__echo", {"message": name})
        took = time.monotonic() - began
        assert shown == name or (name == "grandchild" and shown == "from the parent"), (name, shown)
        assert took < 20 * (4 if SANITIZED else 1), (name, took)  # without a deadline it is a day
        if shown == name:
            # What another test's gateway reports may come after it.
            ran = until(lambda: [one for one in gateway.rest("GET", "audit/events?kind=pipeline_execution&limit=50").json["items"]
                                 if one["payload"]["model"] == f"bad-{name}"])[0]
            assert ran["payload"]["fallback"].startswith("exec: "), ran
    use_model(gateway, "none")

    def left():
        found = []
        for one in Path("/proc").iterdir():
            if one.name.isdigit():
                with contextlib.suppress(OSError):
                    words = (one / "cmdline").read_bytes()
                    if mark.encode() in words or words == b"sleep\x0098765\x00":
                        found.append(words)
        return found

    until(lambda: not left(), why=lambda: left())
