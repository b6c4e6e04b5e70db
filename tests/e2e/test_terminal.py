"""mcpctl as a program among others: pipes that close, colours, terminals that are not there, records that come in bursts."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess

import wire
from harness import MCPCTL, PATIENCE_S, Gateway, until, whole_lines


@contextlib.contextmanager
def fixture():
    with Gateway() as gateway:
        gateway.example()
        gateway.project("demo", "example")
        gateway.agent = gateway.token("agent")
        gateway.ready(gateway.agent, "example")
        yield gateway


def environment(gateway, **more):
    return {"HOME": str(gateway.dir), "XDG_CONFIG_HOME": str(gateway.dir / "config"), "PATH": os.environ["PATH"],
            "MCPCTL_SERVER": gateway.url, **more}


def run(gateway, *words, stdin="", **more):
    return subprocess.run([str(MCPCTL), *words], input=stdin, capture_output=True, text=True, timeout=PATIENCE_S,
                          env=environment(gateway, **more))


def test_who_reads_no_more_ends_the_program_quietly(gateway):
    for words in (["get", "all", "-o", "json"], ["--help"], ["completion", "bash"], ["audit", "-o", "json"]):
        read, write = os.pipe()
        os.close(read)
        process = subprocess.Popen([str(MCPCTL), *words], stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.PIPE,
                                   env=environment(gateway))
        os.close(write)
        _, said = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, said) == (-signal.SIGPIPE, b""), (words, process.returncode, said)
    # What it starts is not deaf to the same signal.
    plugin = gateway.dir / "mcpctl-blocked"
    plugin.write_text("#!/bin/sh\ngrep SigIgn /proc/self/status\n")
    plugin.chmod(0o755)
    ignored = run(gateway, "blocked", PATH=f"{gateway.dir}:{os.environ['PATH']}").stdout.split()[1]
    assert not int(ignored, 16) >> (signal.SIGPIPE - 1) & 1, ignored


def test_a_closed_stream_is_no_file_of_the_program_s(gateway):
    """What is opened later would else get its number, and be written to."""
    for words, code, said in ((["get", "servers", ">&-"], 1, "cannot write the output"), (["version", "<&-", "2>&-"], 0, ""),
                              (["get", "servers", "<&-", "2>&-"], 0, ""), (["get", "nothing", ">&-", "2>&-", "<&-"], 64, "")):
        done = subprocess.run(["sh", "-c", " ".join([str(MCPCTL), *words])], capture_output=True, text=True, timeout=PATIENCE_S,
                              env=environment(gateway))
        assert done.returncode == code and said in done.stderr, (words, done)


def test_colours_are_for_status_words_alone(gateway):
    gateway.token("ended")
    gateway.mcpctl("delete", "mcptoken", "ended", "-p", "demo")

    def plain():
        return gateway.mcpctl("get", "mcptokens", "--all")

    until(lambda: not re.search(r"^agent .* never ", plain(), re.M), why=plain)  # its last use is written down a little later
    assert "\x1b" not in plain() and "revoked" in plain()
    for words, more in ((["--color", "always"], {}), ([], {"CLICOLOR_FORCE": "1"}), (["--color=always"], {"NO_COLOR": "1"})):
        shown = run(gateway, "get", "mcptokens", "--all", *words, **more).stdout
        coloured = set(re.findall(r"\x1b\[[0-9;]+m(.*?)\x1b\[0m", shown))
        assert coloured == {"active", "revoked"}, shown
        assert re.sub(r"\x1b\[[0-9;]*m", "", shown) == plain(), shown
    for words, more in (([], {"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}), (["--color", "never"], {"CLICOLOR_FORCE": "1"}), ([], {})):
        assert run(gateway, "get", "mcptokens", "--all", *words, **more).stdout == plain()


def test_nothing_waits_for_a_terminal_that_is_not_there(gateway):
    for words, said in ((["edit", "server", "example"], "there is no terminal"), (["delete", "project", "demo"], "add --yes"),
                        (["login", "--email", "x@example.com"], "--password-stdin"), (["passwd"], "--password-stdin"),
                        (["console"], "needs a terminal")):
        done = run(gateway, *words)
        assert done.returncode == 64 and said in done.stderr, (words, done)
    assert gateway.mcpctl("get", "project", "demo", "-o", "name") == "project/demo\n"


def test_the_project_of_the_environment_is_what_is_cleared(gateway):
    assert run(gateway, "cache", "clear", MCPCTL_PROJECT="demo").stdout == "cleared 0 entries of project demo\n"
    assert run(gateway, "cache", "clear", "-p", "demo", MCPCTL_PROJECT="x").stdout == "cleared 0 entries of project demo\n"
    assert run(gateway, "cache", "clear").stdout == "cleared 0 entries\n"


def test_following_the_record_leaves_nothing_out(gateway):
    """More events between two looks than one page has, and none of them twice."""
    log = gateway.dir / "follow.out"
    follower = gateway.spawn([MCPCTL, "audit", "-f", "--tail", "0", "--kind", "tool_call_trace", "-o", "json"], log.name,
                             env=environment(gateway))
    client = wire.Modern(gateway.port, gateway.agent)

    calls = []

    def call(message):
        client.call("example__echo", {"message": message})
        calls.append(message)

    until(lambda: (call("x"), log.read_text())[1], pause=0.2)
    follower.popen.send_signal(signal.SIGSTOP)
    for number in range(450):
        call(str(number))
    client.connection.close()

    def numbers(text):
        return [json.loads(line)["seq"] for line in whole_lines(text)]

    def recorded():
        found = numbers(gateway.mcpctl("audit", "--tail", "2000", "--kind", "tool_call_trace", "-o", "json"))
        return found if len(found) == len(calls) else None
    every = until(recorded, pause=0.2)
    follower.popen.send_signal(signal.SIGCONT)
    until(lambda: every[-1] in numbers(log.read_text()), pause=0.2, why=log.read_text)
    told = numbers(log.read_text())
    assert told == [seq for seq in every if seq >= told[0]] and len(told) > 450, (len(told), len(every))


def test_a_bad_number_is_refused(gateway):
    for words in (["audit", "--tail", "-5"], ["audit", "--tail", "x"], ["logs", "example", "--tail", "0"]):
        done = run(gateway, *words)
        assert done.returncode == 64 and "--tail" in done.stderr, (words, done)


def on_terminal(gateway, *words):
    """What it writes to a terminal, and its exit code."""
    main, side = pty.openpty()
    process = subprocess.Popen([str(MCPCTL), *words], stdin=side, stdout=side, stderr=side, env=environment(gateway, TERM="xterm"))
    os.close(side)
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while part := os.read(main, 4096):
            shown += part
    os.close(main)
    return shown.decode(), process.wait(PATIENCE_S)


def test_a_long_wait_is_seen_on_a_terminal_and_leaves_no_trace(gateway):
    shown, code = on_terminal(gateway, "wait", "server/example", "--for=deleted", "--timeout", "1.5")
    assert code == 1 and "\r|" in shown and "\r \rerror: " in shown, repr(shown)
    shown, code = on_terminal(gateway, "get", "servers", "-o", "name")
    assert (shown, code) == ("server/example\r\n", 0), repr(shown)
    done = run(gateway, "wait", "server/example", "--for=deleted", "--timeout", "1")
    assert "\r" not in done.stderr, done


def test_debug_shows_messages_of_endpoints_and_no_token(gateway):
    url = gateway.endpoint()
    call = ["--tool", "example__echo", "--args", '{"message":"hi"}']
    tested = run(gateway, "test", "mcp", url, "--debug", *call, MCPCTL_TOKEN=gateway.agent)
    assert tested.returncode == 0, tested
    for text in ("> GET ", "/healthz", f"> POST {url} tools/list", "< 200 in ", "example__echo", '> {"message":"hi"}'):
        assert text in tested.stderr, (text, tested.stderr)
    hello = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"}}}}
    bridged = run(gateway, "mcp", "-p", "demo", "--debug", stdin=json.dumps(hello) + "\n", MCPCTL_TOKEN=gateway.agent)
    assert f"> POST {url}" in bridged.stderr and "tools/list" in bridged.stderr and "< 200 in " in bridged.stderr, bridged
    assert bridged.stdout.count("\n") == 1 and "example__echo" in bridged.stdout, bridged
    assert gateway.agent not in tested.stderr + bridged.stderr
    silent = run(gateway, "test", "mcp", url, MCPCTL_TOKEN=gateway.agent)
    assert silent.stderr == "", silent
