"""mcpctl completes in real shells: verbs, flags, kinds, enums, and names and projects that a real mcpd knows."""

import contextlib
import os
import pty
import re
import select
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from harness import MCPCTL, PATIENCE_S, Gateway, free_port, until

# Ready-to-type lines, and what the line has to be after one press of TAB.
LINES = [
    ("mcpctl compl", "mcpctl completion "),
    ("mcpctl get mcpt", "mcpctl get mcptokens "),
    ("mcpctl create ser", "mcpctl create server "),
    ("mcpctl get servers --no-h", "mcpctl get servers --no-headers "),
    ("mcpctl create server x --transport STREAM", "mcpctl create server x --transport STREAMABLE_HTTP "),
    ("mcpctl get servers --output=ya", "mcpctl get servers --output=yaml "),
    ("mcpctl get servers gra", "mcpctl get servers grafana "),
    ("mcpctl get server/gra", "mcpctl get server/grafana "),
    ("mcpctl get mcptokens -p dem", "mcpctl get mcptokens -p demo "),
    ("mcpctl delete mcptoken -p demo age", "mcpctl delete mcptoken -p demo agent "),
    ("mcpctl delete user admin@ex", "mcpctl delete user admin@example.com "),
    ("mcpctl completion z", "mcpctl completion zsh "),
    ("mcpctl help exit-", "mcpctl help exit-codes "),
    ("mcpctl explain server.transp", "mcpctl explain server.transport "),
    ("mcpctl auth can-i view servers gra", "mcpctl auth can-i view servers grafana "),
    ("mcpctl patch server grafana transport=STREAM", "mcpctl patch server grafana transport=STREAMABLE_HTTP "),
    ("mcpctl create mcptoken x -p demo --bind role:view,resource:serv",
     "mcpctl create mcptoken x -p demo --bind role:view,resource:servers "),
    ("mcpctl create rbac x --roleBindings=role:view,resource:servers,name:gra",
     "mcpctl create rbac x --roleBindings=role:view,resource:servers,name:grafana "),
    ("mcpctl create rbac x --subject User:admin@ex", "mcpctl create rbac x --subject User:admin@example.com "),
    ("mcpctl restore some-f", "mcpctl restore some-file "),
]


@contextlib.contextmanager
def fixture():
    with Gateway() as gateway:
        gateway.example("grafana")
        gateway.project("demo", "grafana")
        gateway.token("agent")
        yield gateway


class Shell:
    """An interactive shell on a terminal of its own, whose prompt is known."""

    def __init__(self, words, setup, gateway, server=None):
        self.folder = tempfile.TemporaryDirectory()
        (Path(self.folder.name) / "some-file").write_text("x")
        (Path(self.folder.name) / "bin").mkdir()
        (Path(self.folder.name) / "bin/mcpctl").symlink_to(MCPCTL)
        environment = {"HOME": self.folder.name, "XDG_CONFIG_HOME": str(gateway.dir / "config"), "TERM": "xterm", "LANG": "C.UTF-8",
                       "PATH": f"{self.folder.name}/bin:{os.environ['PATH']}", "MCPCTL_SERVER": server or gateway.url}
        pid, self.fd = pty.fork()
        if pid == 0:
            os.chdir(self.folder.name)
            os.execvpe(words[0], words, environment)
        self.pid = pid
        self.said = ""
        self.type("stty columns 200\n" if words[0] != "fish" else "stty cols 200\n")
        self.type(setup + "\n")
        self.type("echo rea''dy\n")
        self.expect("ready")

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        os.close(self.fd)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        self.folder.cleanup()

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self, seconds):
        if select.select([self.fd], [], [], seconds)[0]:
            with contextlib.suppress(OSError):
                self.said += os.read(self.fd, 65536).decode(errors="replace")
        return re.sub(r"\x1b(\[[0-9;?>=]*[A-Za-z]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]|[=>])", "", self.said)

    def expect(self, text, seconds=PATIENCE_S):
        until(lambda: text in self.read(0.05), seconds, why=lambda: f"{text!r} is not in {self.said!r}")


def check(shell_words, setup, gateway):
    with Shell(shell_words, setup, gateway) as shell:
        for line, wanted in LINES:
            until(lambda: completes(shell, line, wanted), why=lambda: f"{line!r} has become {shell.said!r}")


def completes(shell, line, wanted):
    """Once more when it does not: the server has 300 ms, which a busy machine may not give it."""
    shell.said = ""
    shell.type(line + "\t")
    end = time.monotonic() + 3
    while wanted.strip() not in shell.read(0.05) and time.monotonic() < end:
        pass
    found = wanted.strip() in shell.read(0)
    shell.type("\x15echo ne''xt\n")  # kills the line
    shell.expect("next")
    return found


def test_bash(gateway):
    check(["bash", "--norc", "--noprofile", "-i"], "bind 'set enable-bracketed-paste off'; PS1='$ '; source <(mcpctl completion bash)",
          gateway)


def test_zsh(gateway):
    check(["zsh", "-f", "-i"], "PS1='$ '; autoload -Uz compinit; compinit -u -D; "
          "source <(mcpctl completion zsh)", gateway)


def test_fish(gateway):
    check(["fish", "--no-config", "-i"], "set -g fish_greeting; mcpctl completion fish | source", gateway)


def test_several_are_shown_with_what_they_are(gateway):
    with Shell(["zsh", "-f", "-i"], "PS1='$ '; autoload -Uz compinit; compinit -u -D; source <(mcpctl completion zsh)", gateway) as shell:
        shell.type("mcpctl get s\t\t")
        shell.expect("servers  -- An MCP server")
        shell.expect("secrets  -- ")


def test_a_server_that_is_away_or_silent_costs_little_and_says_nothing(gateway):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        for server in (f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{silent.getsockname()[1]}"):
            start = time.monotonic()
            done = subprocess.run([MCPCTL, "__complete", "--", "get", "servers", ""], capture_output=True, text=True, timeout=20,
                                  env={"HOME": str(gateway.dir), "MCPCTL_SERVER": server, "MCPCTL_TOKEN": gateway.admin})
            assert (done.returncode, done.stdout, done.stderr) == (0, ":0\n", ""), done
            assert time.monotonic() - start < 10, "a call may take 30 s, this one 300 ms; the rest is a busy machine's"


def test_what_the_server_said_before_is_offered_while_it_is_away(gateway):
    home = gateway.dir / "cached"
    names = "grafana\t\n:0\n"

    def offered(server, bearer=None):
        done = subprocess.run([MCPCTL, "__complete", "--", "get", "servers", ""], capture_output=True, text=True, timeout=20,
                              env={"HOME": str(home), "MCPCTL_SERVER": server, "MCPCTL_TOKEN": bearer or gateway.admin})
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    until(lambda: offered(gateway.url) == names, why=lambda: str(offered(gateway.url)))
    files = list((home / ".cache/mcpctl/names").iterdir())
    assert len(files) == 1 and files[0].stat().st_mode & 0o777 == 0o600 and gateway.admin not in files[0].name, files
    other = gateway.login()
    gateway.stop()
    with socket.socket() as silent:  # at the same address: it listens, and says nothing
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        silent.bind(("127.0.0.1", gateway.port))
        silent.listen(8)
        assert offered(gateway.url) == names
        silent.accept()[0].close()
        silent.setblocking(False)
        for _ in range(3):  # it is known to be away: nobody asks it, and waits, again
            assert offered(gateway.url) == names
        with contextlib.suppress(BlockingIOError):
            silent.accept()
            raise AssertionError("it was asked again at once")
        assert offered(gateway.url, other) == ":0\n", "what one bearer was told is not for another"
    gateway.start()
    files[0].write_text(f"{int(time.time() * 1000)} 0\ngrafana\n")  # as if it had not been away
    assert offered(gateway.url) == names
    gateway.rest("POST", "auth/logout", bearer=gateway.admin)

    def forgotten():
        if offered(gateway.url) == ":0\n" and not files[0].exists():
            return True
        files[0].write_text(f"{int(time.time() * 1000)} 0\ngrafana\n")  # not asked in time: as if it had not been away
        return False

    until(forgotten, why=lambda: "what was refused is not forgotten")


def test_manual_pages_are_well_formed(gateway):
    folder = gateway.dir / "man"
    gateway.mcpctl("__man", folder)
    pages = sorted(folder.glob("*.1"))
    assert len(pages) > 25 and folder / "mcpctl-create-server.1" in pages, pages
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True)
    said = [line for line in done.stdout.splitlines() if "missing date" not in line]
    assert not said, "\n".join(said[:20])
    shown = subprocess.run(["mandoc", "-T", "utf8", folder / "mcpctl-get.1"], capture_output=True, text=True).stdout
    assert "mcpctl get mcptokens --unused 30d" in re.sub(".\x08", "", shown), shown
