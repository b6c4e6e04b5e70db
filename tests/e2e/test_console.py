"""mcpctl console, driven in a terminal by tmux."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import time

import wire
from harness import MCPCTL, Gateway, NodeClient, children_of, command_of, quick, until

HOSTILE = "\x1b[2J\x1b[1;1Hevil\u202e\x07\x9b31m"


@contextlib.contextmanager
def fixture():
    with Gateway() as gateway:
        gateway.example()
        gateway.project("demo", "example")
        gateway.agent = gateway.token("agent")
        gateway.ready(gateway.agent, "example")
        yield gateway


class Terminal:
    """One program in a tmux of its own."""

    def __init__(self, gateway, *words, columns=80, rows=24, **more):
        self.socket = str(gateway.dir / f"tmux-{time.monotonic_ns()}")
        environment = {"HOME": str(gateway.dir), "XDG_CONFIG_HOME": str(gateway.dir / "config"), "MCPCTL_SERVER": gateway.url,
                       "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **more}
        setting = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
        program = shlex.join(str(word) for word in (MCPCTL, *words))
        command = f"cd {gateway.dir}; env -i TERM=screen-256color {setting} {program}; echo ended $?; cat"
        self.tmux("new-session", "-d", "-s", "x", "-x", str(columns), "-y", str(rows), command)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if failure[0]:
            print(self.text())
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True)

    def tmux(self, *words):
        done = subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null", *words], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "LANG": "C.UTF-8"})
        assert done.returncode == 0, done
        return done.stdout

    def text(self):
        return self.tmux("capture-pane", "-p", "-t", "x")

    def keys(self, *keys):
        self.tmux("send-keys", "-t", "x", *keys)

    def shows(self, *texts, without=""):
        """What is there, once it has these and not that."""
        def found():
            shown = self.text()
            return shown if all(text in shown for text in texts) and not (without and without in shown) else None
        return until(found, why=self.text)

    def hides(self, text):
        until(lambda: text not in self.text(), why=self.text)

    def resize(self, columns, rows):
        self.tmux("resize-window", "-t", "x", "-x", str(columns), "-y", str(rows))


def call(gateway, token=None, tool="example__echo", **arguments):
    client = wire.Legacy(gateway.port, token or gateway.agent)  # in whose requests a name is in the body alone
    answer = client.request("tools/call", {"name": tool, "arguments": arguments or {"message": "hi"}})
    client.connection.close()
    return answer


def test_a_call_of_a_real_client_is_seen_within_a_second(gateway):
    with Terminal(gateway, "console", "--audit") as terminal:
        terminal.shows("TIME", "TOKEN", "OUTCOME", gateway.url, "following")
        with NodeClient(gateway, gateway.token("robot"), "v1") as client:

            def seen():
                terminal.keys("c")
                before = terminal.text().count(" echo ")
                client.call("example__echo", message="hello there")
                called = time.monotonic()
                until(lambda: terminal.text().count(" echo ") > before, why=terminal.text)
                return time.monotonic() - called

            print(f"seen after {quick(seen, 1, tries=10):.2f} s")
        line = next(line for line in terminal.text().split("\n") if " echo " in line and "robot" in line)
        assert re.fullmatch(r"\d\d:\d\d:\d\d robot +echo +ok +\d+ *", line), line
        terminal.keys("k")
        terminal.shows("paused")


def test_detail_sessions_filters_and_export(gateway):
    with Terminal(gateway, "console", "--audit", "-p", "demo") as terminal:
        terminal.shows(gateway.url, "following")
        gateway.token("second")
        gateway.token("watched")
        for _ in range(3):
            call(gateway)
        until(lambda: len(re.findall("agent +echo", terminal.text())) >= 3, why=terminal.text)  # those of another loop may come later
        call(gateway, gateway.token("third"), tool="nowhere__x")
        terminal.shows("third", "denied", "mcptoken/watched")
        terminal.keys("/", "watched", "Enter")
        terminal.shows("1 of ", "  /watched", "token_created", without="third")
        terminal.keys("c", "/", "third", "Enter", "Enter")
        terminal.shows("ENTRY", "tokenName        third", "outcome          denied", "requestId")
        terminal.keys("q", "c", "o", "o")
        terminal.shows("  denied", "third", without="token_created")
        terminal.keys("c", "G", "t")
        terminal.shows("token third")
        terminal.keys("e")
        terminal.shows("entries in mcpctl-console-")
        lines = next(gateway.dir.glob("mcpctl-console-*.jsonl"))
        assert lines.stat().st_mode & 0o777 == 0o600
        told = [json.loads(line) for line in lines.read_text().splitlines()]
        assert told and {one["tokenName"] for one in told} == {"third"}, told
        lines.unlink()
        terminal.keys("?")
        terminal.shows("export what is shown")
        terminal.keys("x", "q")
        terminal.shows("ended 0")


def test_sessions_of_clients(gateway):
    with Terminal(gateway, "console", "--audit") as terminal:
        terminal.shows(gateway.url)
        with NodeClient(gateway, gateway.token("sitting"), "v1") as client:
            client.call("example__echo", message="x")
        terminal.shows("sitting", " echo ")
        terminal.keys("Tab")
        terminal.shows("SESSION", "sitting", "e2e-v1")
        terminal.keys("Enter")
        terminal.shows("  session ", "session_bind", " echo ", without="object_changed")


def test_any_size_will_do(gateway):
    with Terminal(gateway, "console", "--audit") as terminal:
        terminal.shows(gateway.url)
        for _ in range(40):
            call(gateway)
        terminal.shows(" echo ")
        for columns, rows in ((120, 40), (40, 10), (20, 5), (80, 24)):
            terminal.resize(columns, rows)

            def drawn():
                lines = terminal.text().split("\n")[:-1]
                fits = len(lines) == rows and all(len(line) <= columns for line in lines)
                return fits and lines[0].startswith(" mcpctl console") and lines
            until(drawn, why=terminal.text)
            if columns >= 80:
                full = lambda: len(re.findall(r"^\d\d:\d\d:\d\d ", terminal.text(), re.M)) == rows - 3  # noqa: E731
                until(full, why=terminal.text)
        terminal.keys("C-c")
        terminal.shows("ended 130")


def test_a_hostile_tool_name_cannot_move_the_cursor(gateway):
    with Terminal(gateway, "console", "--audit") as terminal:
        terminal.shows(gateway.url)
        call(gateway, tool=HOSTILE)
        call(gateway)
        shown = terminal.shows("evil").split("\n")
        assert shown[0].startswith(" mcpctl console") and shown[1].startswith("TIME"), shown
        assert re.search(r"evil.* denied ", next(line for line in shown if "evil" in line)), shown
        terminal.keys("/", "evil", "Enter", "Enter")
        shown = terminal.shows("ENTRY", "evil").split("\n")
        assert shown[0].startswith(" mcpctl console") and shown[1].startswith("ENTRY"), shown


def test_live_traffic_shows_what_was_said(gateway):
    with Terminal(gateway, "console") as terminal:
        terminal.shows(" mcpctl console  ", "TIME", "TOKEN", "OUTCOME", gateway.url, "following", "Nothing yet")
        with NodeClient(gateway, gateway.token("live"), "v1") as client:
            client.call("example__echo", message="first")
            terminal.shows("live", "tools/call example__echo")

            def seen():
                before = terminal.text().count("example__echo")
                client.call("example__echo", message="one more\nand a line")
                called = time.monotonic()
                until(lambda: terminal.text().count("example__echo") > before, why=terminal.text)
                return time.monotonic() - called

            print(f"seen after {quick(seen, 1, tries=10):.2f} s")
            terminal.shows("initialize", "ok")
            terminal.keys("G", "Enter")
            terminal.shows("ENTRY", "tokenName        live", "durationMs", "request", '"method": "tools/call"')
            terminal.keys("End")
            terminal.shows("Text of the answer", "one more", "and a line")
            terminal.keys("q", "Tab")
            terminal.shows("SESSION", "live")
            terminal.keys("Enter")
            terminal.shows("  session ", "example__echo")


def test_live_traffic_filters_resizes_and_cannot_be_steered(gateway):
    with Terminal(gateway, "console", "-p", "demo") as terminal:
        terminal.shows(gateway.url, "following")
        for number in range(3):
            call(gateway, message=f"number {number}")
        call(gateway, tool="example__fail")
        call(gateway, gateway.token("other"), tool="example__" + HOSTILE, message=HOSTILE)
        shown = terminal.shows("tool error", "protocol error", "other", "evil").split("\n")
        assert shown[0].startswith(" mcpctl console") and shown[1].startswith("TIME"), shown
        terminal.keys("/", "other", "Enter")
        terminal.shows("  /other", "protocol error", without="number")
        terminal.keys("G", "Enter")
        shown = terminal.shows("ENTRY", "evil").split("\n")
        assert shown[0].startswith(" mcpctl console") and shown[1].startswith("ENTRY"), shown
        terminal.keys("q", "c", "o")
        terminal.shows("  failed", "tool error", "protocol error", without=" ok ")
        for columns, rows in ((120, 30), (40, 10), (80, 24)):
            terminal.resize(columns, rows)
            until(lambda: len(terminal.text().split("\n")) == rows + 1 and terminal.text().startswith(" mcpctl console"),  # noqa: B023
                  why=terminal.text)
        terminal.keys("?")
        terminal.shows("KEYS", "export what is shown")
        terminal.keys("x", "q")
        terminal.shows("ended 0")


def test_live_traffic_comes_back_when_the_server_does(gateway):
    with Terminal(gateway, "console") as terminal:
        terminal.shows(gateway.url, "following")
        gateway.stop()
        terminal.shows("disconnected")
        gateway.start()
        gateway.admin = gateway.login()
        terminal.hides("disconnected")
        call(gateway, gateway.token("back"))
        terminal.shows("back", "example__echo")


def test_tokens_that_are_made_and_ended_show_too(gateway):
    with Terminal(gateway, "console", "--audit") as terminal:
        terminal.shows("--audit", gateway.url)
        gateway.token("short")
        gateway.mcpctl("delete", "mcptoken", "short", "-p", "demo")
        terminal.keys("/", "short", "Enter")
        terminal.shows("  /short", "token_created", "token_revoked")


def test_it_comes_back_when_the_server_does(gateway):
    with Terminal(gateway, "console", "--audit") as terminal:
        terminal.shows(gateway.url, "following")
        gateway.stop()
        terminal.shows("disconnected")
        gateway.start()
        gateway.admin = gateway.login()
        terminal.hides("disconnected")
        call(gateway, gateway.token("again"))
        terminal.shows("again", " echo ")


def test_without_a_terminal_it_says_so(gateway):
    assert "needs a terminal" in gateway.mcpctl("console", "--audit", code=None).stderr
    assert "needs a terminal" in gateway.mcpctl("console", code=None).stderr
    with Terminal(gateway, "console", "--audit", HOME="/nonexistent", XDG_CONFIG_HOME="/nonexistent") as terminal:
        terminal.shows("not logged in", "ended 4")
    with Terminal(gateway, "console", "--audit", TERM="none-such") as terminal:
        terminal.shows("cannot use this terminal", "ended 1")


def test_a_signal_leaves_the_terminal_as_it_was(gateway):
    for name in ("TERM", "INT", "HUP"):
        with Terminal(gateway, "console", "--audit") as terminal:
            terminal.shows("TOKEN", "following")
            shell = int(terminal.tmux("list-panes", "-F", "#{pane_pid}"))
            (console,) = (pid for pid in children_of(shell) if command_of(pid).startswith(str(MCPCTL)))
            os.kill(console, getattr(signal, f"SIG{name}"))
            terminal.shows("ended 130")
            terminal.keys("echoed again")  # by the terminal, to the cat behind it
            terminal.shows("echoed again")
