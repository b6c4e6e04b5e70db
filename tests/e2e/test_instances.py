"""What runs: instances over REST and from the command line, of real server processes."""

import json
import os
import re
import signal
import sys
import threading
from contextlib import contextmanager

import wire
from harness import EMAIL, EXAMPLE, MCPCTL, PATIENCE_S, Gateway, is_alive, until
from test_control import ok, person

SECRET = "correct-horse-battery"


@contextmanager
def fixture():
    with Gateway(loops=2) as gateway:
        gateway.mcpctl("create", "secret", "keys", "--data", f"key={SECRET}")
        gateway.example()
        gateway.example_http()
        script = f'echo "started with $KEY, $PLAIN" >&2; printf "\\033[31mred\\n" >&2; exec {EXAMPLE} --stdio'
        gateway.stdio("talks", "sh", "-c", script, flags=["--env", "KEY=secret:keys/key", "--env", "PLAIN=plain-value"])
        gateway.project("demo", "example", "web", "talks")
        gateway.bearer = gateway.token("instances")
        yield gateway


def instances(gateway, server=None, bearer="admin"):
    items = ok(gateway.rest("GET", "instances" + (f"?server={server}" if server else ""), bearer=bearer))["items"]
    return [item for item in items if item["status"] != "STOPPED"]


def echo(gateway, server, kind=wire.Modern):
    return kind(gateway.port, gateway.bearer).call(f"{server}__echo", {"message": "x"})


def called(gateway, server):
    """A call that succeeds, when the server's backoff is over."""
    until(lambda: "result" in echo(gateway, server), pause=0.05)


def test_an_instance_appears_with_the_first_call_and_lives_through_a_kill(gateway):
    assert instances(gateway, "example") == []
    called(gateway, "example")
    (first,) = instances(gateway, "example")
    assert first["status"] == "RUNNING" and first["health"] == "healthy" and first["restarts"] == 0, first
    assert first["share"] == "project" and not first["stale"] and first["name"].startswith("example-"), first
    assert is_alive(first["pid"])
    os.kill(first["pid"], signal.SIGKILL)
    until(lambda: instances(gateway, "example")[0]["status"] == "ERROR")
    called(gateway, "example")
    (again,) = instances(gateway, "example")
    assert (again["id"], again["name"]) == (first["id"], first["name"]) and again["restarts"] >= 1, again
    assert again["pid"] != first["pid"] and is_alive(again["pid"])
    told = " | ".join(event["text"] for event in again["events"])
    assert "killed by signal 9" in told and f"process {again['pid']}" in told, told
    assert ok(gateway.rest("GET", "instances/" + first["name"])) == again


def test_packages_and_images_are_run_with_their_arguments(gateway):
    folder = gateway.dir / "launchers"
    folder.mkdir()
    for name in ("npx", "uvx", "docker"):
        (folder / name).write_text(f'#!/bin/sh\nfor word; do echo "[$word]" >&2; done\nexec {EXAMPLE} --stdio\n')
        (folder / name).chmod(0o755)
    sources = {"node": (["--package-name", "@a/b@1"], ["-y", "@a/b@1"]),
               "python": (["--package-name", "a[x,y]@1", "--runtime", "python"], ["a[x,y]==1"]),
               "image": (["--docker-image", "a/b:1"], ["run", "-i", "--rm", "-e", "PATH", "a/b:1"])}
    for name, (flags, _) in sources.items():
        gateway.mcpctl("create", "server", name, *flags, "--env", f"PATH={folder}:/usr/bin:/bin", "--", "--root", "/a b")
    gateway.project("packed", *sources)
    client = wire.Modern(gateway.port, gateway.token("packer", "packed"), "packed")
    for name, (_, words) in sources.items():
        assert "result" in client.call(f"{name}__echo", {"message": "x"}), name
        every = [f"[{word}]" for word in (*words, "--root", "/a b")]
        assert gateway.mcpctl("logs", name).splitlines()[:len(every)] == every, name
    refused = gateway.mcpctl("create", "server", "no", "--package-name", "a@1", "--command", "/bin/true", code=None)
    assert refused.returncode == 64 and "cannot be combined" in refused.stderr, refused


def test_deleting_an_instance_ends_its_process_and_its_calls(gateway):
    called(gateway, "example")
    (running,) = instances(gateway, "example")
    answers = []
    call = threading.Thread(target=lambda: answers.append(
        wire.Modern(gateway.port, gateway.bearer).call("example__slow", {"seconds": 60, "steps": 1})))
    call.start()
    until(lambda: instances(gateway, "example")[0]["calls"] == 1)
    gateway.mcpctl("delete", "instance", running["name"])
    call.join(PATIENCE_S / 2)  # the call itself would take a minute
    assert answers and "the server was stopped" in json.dumps(answers[0]["error"]), answers
    until(lambda: not is_alive(running["pid"]))
    until(lambda: instances(gateway, "example") == [])
    # It stays for its log, until that is deleted, too.
    assert ok(gateway.rest("GET", "instances/" + running["id"]))["status"] == "STOPPED"
    assert gateway.rest("GET", f"instances/{running['id']}/logs").status == 200
    assert gateway.rest("DELETE", "instances/" + running["id"]).status < 300
    assert gateway.rest("DELETE", "instances/" + running["id"]).status == 404
    called(gateway, "example")
    (fresh,) = instances(gateway, "example")
    assert fresh["id"] != running["id"]
    changes = lambda: ok(gateway.rest("GET", "audit/events?kind=object_changed&server=example"))["items"]  # noqa: E731
    until(lambda: (events := changes()) and (events[0]["tool"], events[0]["user"]) == ("instance/" + running["name"], EMAIL), why=changes)


def test_logs_show_stderr_without_secrets(gateway):
    called(gateway, "talks")
    (one,) = instances(gateway, "talks")
    logged = lambda: ok(gateway.rest("GET", f"instances/{one['id']}/logs"))  # noqa: E731
    until(lambda: len(logged()["lines"]) >= 2, why=logged)  # the other pipe is read when its turn comes
    log = logged()
    assert [line["text"] for line in log["lines"]][:2] == ["started with [redacted], plain-value", "\x1b[31mred"], log
    raw = gateway.rest("GET", f"instances/{one['id']}/logs?tail=1").body
    assert b"\\u001b[31mred" in raw and b"\x1b" not in raw and b"started" not in raw
    shown = gateway.mcpctl("logs", "talks", "--tail", "5")
    assert "started with [redacted], plain-value\n" in shown and "\x1b" not in shown, shown
    assert gateway.mcpctl("logs", one["name"], "--timestamps").startswith("20")
    assert gateway.mcpctl("logs", "nothing", code=None).returncode == 1
    assert gateway.mcpctl("logs", "talks", "--tail", "many", code=None).returncode == 64
    assert SECRET not in gateway.process.text()


def test_logs_of_a_server_that_was_never_started_are_waited_for(gateway):
    gateway.stdio("later", "sh", "-c", f"echo here it is >&2; exec {EXAMPLE} --stdio")
    gateway.http("far", 9)
    gateway.project("lately", "later")
    for words, why in ((["later"], "the server has not been started"), (["far", "-f"], "it runs elsewhere")):
        done = gateway.mcpctl("logs", *words, code=None)
        assert done.returncode == 1 and why in done.stderr, done
    environment = {**os.environ, "HOME": str(gateway.dir), "XDG_CONFIG_HOME": str(gateway.dir / "config"), "MCPCTL_SERVER": gateway.url}
    follower = gateway.spawn([MCPCTL, "logs", "later", "-f"], "later.out", env=environment)
    client = wire.Modern(gateway.port, gateway.token("late", "lately"), "lately")
    assert "result" in client.call("later__echo", {"message": "x"})
    until(lambda: follower.text() == "here it is\n", why=follower.text)
    assert follower.popen.poll() is None


def test_logs_go_on_with_what_comes_and_repeat_nothing(gateway):
    called(gateway, "talks")
    (one,) = instances(gateway, "talks")
    environment = {**os.environ, "HOME": str(gateway.dir), "XDG_CONFIG_HOME": str(gateway.dir / "config"), "MCPCTL_SERVER": gateway.url}
    follower = gateway.spawn([MCPCTL, "logs", "talks", "-f", "--tail", "2"], "follow.out", env=environment)
    said = "started with [redacted], plain-value\n"
    until(lambda: said in follower.text(), why=follower.text)
    for times in (2, 3):
        os.kill(one["pid"], signal.SIGKILL)
        until(lambda: not is_alive(one["pid"]))
        called(gateway, "talks")
        (one,) = instances(gateway, "talks")
        until(lambda: follower.text().count(said) >= times, why=follower.text)  # noqa: B023
    assert follower.text().count(said) == 3 and follower.text().count("red\n") == 3, follower.text()
    follower.popen.send_signal(signal.SIGINT)
    assert follower.wait() in (130, -signal.SIGINT)


def test_logs_leave_out_nothing_of_a_burst_and_say_what_is_no_longer_kept(gateway):
    fifo = gateway.dir / "burst"
    os.mkfifo(fifo)
    script = f'(while read count; do seq $count | sed "s/^/line /" >&2; done <> {fifo}) & exec {EXAMPLE} --stdio'
    gateway.stdio("bursts", "sh", "-c", script)
    gateway.project("bursts", "bursts")
    gateway.ready(gateway.token("bursts", "bursts"), "bursts", project="bursts")
    environment = {**os.environ, "HOME": str(gateway.dir), "XDG_CONFIG_HOME": str(gateway.dir / "config"), "MCPCTL_SERVER": gateway.url}
    follower = gateway.spawn([MCPCTL, "logs", "bursts", "-f"], "bursts.out", env=environment)

    every = "".join(f"line {number}\n" for number in range(1, 4001))  # many of one instant, over several looks
    for times in (1, 2):
        fifo.write_text("4000\n")
        until(lambda: len(follower.text()) >= times * len(every), why=lambda: follower.text()[-100:])  # noqa: B023
        assert follower.text() == every * times
    follower.popen.send_signal(signal.SIGSTOP)
    fifo.write_text("60000\n")
    until(lambda: "line 60000" in gateway.mcpctl("logs", "bursts", "--tail", "1"), pause=0.2)
    follower.popen.send_signal(signal.SIGCONT)
    until(lambda: follower.text().endswith("line 60000\n"), why=lambda: follower.text()[-100:])
    gap, *rest = follower.text()[2 * len(every):].splitlines()
    lost = int(re.fullmatch(r"\((\d+) lines are no longer kept\)", gap)[1])
    assert lost > 1000 and rest == [f"line {number}" for number in range(lost + 1, 60001)], (gap, rest[:3])


def test_a_changed_secret_ends_the_process_that_has_the_old_one(gateway):
    called(gateway, "talks")
    (old,) = instances(gateway, "talks")
    gateway.rest("PATCH", "secrets/keys", {"data": {"key": SECRET + "-2"}})
    until(lambda: not is_alive(old["pid"]))
    called(gateway, "talks")
    (new,) = instances(gateway, "talks")
    assert new["id"] != old["id"]
    logged = lambda: ok(gateway.rest("GET", f"instances/{new['id']}/logs"))  # noqa: E731
    until(lambda: logged()["lines"], why=logged)
    log = logged()
    assert log["lines"][0]["text"] == "started with [redacted], plain-value", log
    # The log of the one that has ended can still be read.
    assert ok(gateway.rest("GET", f"instances/{old['id']}"))["status"] == "STOPPED"
    assert ok(gateway.rest("GET", f"instances/{old['id']}/logs"))["lines"]


def test_rights(gateway):
    called(gateway, "example")
    called(gateway, "talks")
    (example,), (talks,) = instances(gateway, "example"), instances(gateway, "talks")
    none = person(gateway, "none@example.com", "role:view,resource:servers")
    some = person(gateway, "some@example.com", "role:view,resource:instances,name:example", "action:logs")
    ends = person(gateway, "ends@example.com", "role:delete,resource:instances,name:talks")
    status = lambda method, path, bearer: gateway.rest(method, path, bearer=bearer).status
    assert [one["server"] for one in instances(gateway, bearer=some)] == ["example"]
    for bearer, wanted in ((none, (403, 403, 403, 403)), (some, (200, 200, 200, 403))):
        path = f"instances/{example['id']}"
        assert (status("GET", "instances", bearer), status("GET", path, bearer), status("GET", path + "/logs", bearer),
                status("DELETE", path, bearer)) == wanted
    for path in (f"instances/{talks['id']}", f"instances/{talks['id']}/logs"):
        assert status("GET", path, some) == 403
    assert status("DELETE", f"instances/{example['id']}", ends) == 403
    for method, path in (("GET", "instances"), ("GET", f"instances/{example['id']}"),
                         ("GET", f"instances/{example['id']}/logs"), ("DELETE", f"instances/{example['id']}")):
        assert status(method, path, gateway.bearer) == 403 and status(method, path, None) == 401
    assert status("DELETE", f"instances/{talks['id']}", ends) == 200
    assert is_alive(example["pid"])


def test_answers_hold_nothing_of_how_a_server_is_reached(gateway):
    gateway.stdio("missing", "/nonexistent/planted-program", "--planted")
    gateway.http("away", 9, flags=["--header", "X-Key=secret:keys/key"])
    gateway.project("broken", "missing", "away", "web")
    client = wire.Modern(gateway.port, gateway.token("broken", "broken"), "broken")
    client.request("tools/list")
    client.text("web__echo", {"message": "x"})
    for server in ("missing", "away"):
        until(lambda: [one["status"] for one in instances(gateway, server)][:1] == ["ERROR"])
    assert instances(gateway, "web")[0]["status"] == "RUNNING" and "pid" not in instances(gateway, "web")[0]
    body = gateway.rest("GET", "instances").body
    for planted in (b"planted", b"nonexistent", b"127.0.0.1", b"/mcp", SECRET.encode(), b"X-Key", b"PLAIN", b"plain-value",
                    str(EXAMPLE).encode()):
        assert planted not in body, (planted, body)


def test_the_command_line_shows_them(gateway):
    called(gateway, "example")
    table = gateway.mcpctl("get", "instances")
    assert table.split("\n")[0].split() == ["NAME", "SERVER", "STATUS", "HEALTH", "PID", "RESTARTS", "AGE"], table
    (one,) = instances(gateway, "example")
    assert one["name"] in table
    shown = json.loads(gateway.mcpctl("get", "instance", one["name"], "-o", "json"))
    assert shown["id"] == one["id"] and shown["events"], shown
    assert gateway.mcpctl("get", "inst", "-o", "name").split()[0].startswith("instance/")


def test_probes_find_out_without_a_call(gateway):
    """A server that stops (SIGSTOP) is unhealthy after its threshold, and healthy again when it goes on."""
    gateway.example("probed")
    gateway.project("probes", "probed")
    check = {"tool": "echo", "arguments": {"message": "probe"}, "intervalSeconds": 1, "timeoutSeconds": 1,
             "failureThreshold": 2}
    ok(gateway.rest("PATCH", "servers/probed", {"healthCheck": check}))
    token = gateway.token("probes", "probes")
    wire.Modern(gateway.port, token, "probes").text("probed__echo", {"message": "x"})
    log = (gateway.logs / "probed.log").read_text
    until(lambda: log().count("probe") >= 2 or instances(gateway, "probed")[0]["health"] == "healthy")
    (one,) = instances(gateway, "probed")
    os.kill(one["pid"], signal.SIGSTOP)
    try:
        until(lambda: instances(gateway, "probed")[0]["health"] == "unhealthy")
    finally:
        os.kill(one["pid"], signal.SIGCONT)
    until(lambda: instances(gateway, "probed")[0]["health"] == "healthy")
    told = " | ".join(event["text"] for event in instances(gateway, "probed")[0]["events"])
    assert "unhealthy: " in told and "no answer within 1000 ms" in told and "healthy again" in told, told
    ok(gateway.rest("PATCH", "servers/probed", {"healthCheck": check | {"tool": "fail", "failureThreshold": 1}}))
    wire.Modern(gateway.port, token, "probes").text("probed__echo", {"message": "x"})
    until(lambda: any(one["health"] == "unhealthy" and "the tool fail has failed" in str(one["events"])
                      for one in instances(gateway, "probed")))


# Lists the tools that a file names, by line, as they are when it starts.
NAMED_TOOLS = """
import json, sys
tools = [{"name": name, "inputSchema": {"type": "object"}} for name in open(sys.argv[1]).read().split()]
RESULTS = {"initialize": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "n", "version": "1"}},
           "tools/list": {"tools": tools}, "tools/call": {"content": []}}
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        said = RESULTS.get(message["method"])
        body = {"result": said} if said else {"error": {"code": -32601, "message": "no"}}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **body}), flush=True)
"""


def test_a_process_that_is_started_again_may_have_other_tools(gateway):
    names = gateway.logs / "names"
    names.write_text("first")
    gateway.stdio("named", sys.executable, "-c", NAMED_TOOLS, names)
    gateway.project("naming", "named")
    client = wire.Legacy(gateway.port, gateway.token("naming", "naming"), project="naming")
    until(lambda: client.tools() == ["named__first"])
    names.write_text("first second")
    gateway.mcpctl("delete", "instance", instances(gateway, "named")[0]["name"])
    until(lambda: "result" in client.call("named__first"))
    until(lambda: client.tools() == ["named__first", "named__second"])


def test_a_health_check_says_how_a_server_is_that_answers_calls(gateway):
    check = {"tool": "fail", "intervalSeconds": 1, "failureThreshold": 1}
    gateway.example("checked", flags=["--health-check", json.dumps(check)])
    gateway.project("checking", "checked")
    bearer = gateway.token("checking", "checking")
    call = lambda: wire.Modern(gateway.port, bearer, project="checking").call("checked__echo", {"message": "x"})
    until(lambda: "result" in call())
    until(lambda: instances(gateway, "checked")[0]["health"] == "unhealthy")
    for _ in range(20):
        assert "result" in call()
        assert instances(gateway, "checked")[0]["health"] == "unhealthy"
    told = [event["text"] for event in instances(gateway, "checked")[0]["events"]]
    assert len([text for text in told if text.startswith("unhealthy")]) == 1, told
