"""What mcpctl does on somebody's own machine: connect, token scan, doctor, plugins."""

import contextlib
import json
import os
import stat
import subprocess
from pathlib import Path

from harness import MCPCTL, Gateway, free_port


@contextlib.contextmanager
def fixture():
    with Gateway() as gateway:
        gateway.example()
        gateway.project("demo", "example")
        gateway.home = gateway.dir / "home"
        gateway.home.mkdir()
        yield gateway


def run(gateway, *words, code=0, input="", **more):
    environment = {"HOME": str(gateway.home), "XDG_CONFIG_HOME": str(gateway.dir / "config"), "PATH": os.environ["PATH"],
                   "MCPCTL_SERVER": gateway.url, **more}
    done = subprocess.run([str(MCPCTL), *map(str, words)], input=input, capture_output=True, text=True, env=environment, cwd=gateway.home,
                          timeout=60)
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


# --- connect

def test_connect_writes_merges_and_keeps_what_was(gateway):
    file = gateway.home / ".cursor/mcp.json"
    run(gateway, "connect", "cursor", "-p", "demo", "--write")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["mcpServers"]["demo"]["url"] == gateway.endpoint()
    assert "unchanged" in run(gateway, "connect", "cursor", "-p", "demo", "--write").stdout
    assert [path.name for path in file.parent.iterdir()] == ["mcp.json"], "nothing changed, so there is nothing to keep"

    mine = '{"other": [1, 2.50], "mcpServers": {"theirs": {"url": "http://x"}}}'
    file.write_text(mine)
    file.chmod(0o644)
    done = run(gateway, "connect", "cursor", "-p", "demo", "--write")
    now = json.loads(file.read_text())
    assert now["other"] == [1, 2.5] and "2.50" in file.read_text() and set(now["mcpServers"]) == {"theirs", "demo"}
    backup = Path(done.stdout.split()[-1])
    assert backup.read_text() == mine and stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "export MCPCTL_TOKEN_DEMO=" in done.stderr


# What is in a client's file before: with comments where its language has them.
COMMENTED = {
    "json": '{\n  // mine\n  "a": 1, /* one */\n  "b": [1, 2,], // two\n  // last\n}\n',
    "toml": '# mine\nmodel = "m" # which\n\n[mcp_servers.other] # theirs\ncommand = "x"\n',
    "yaml": "# mine\nversion: 1.2.1 # which\n# last\n",
}


def test_connect_keeps_the_comments_of_every_client(gateway):
    home = gateway.home / "commented"
    own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "MCPCTL_PROJECT": "demo"}
    written = 0
    for line in run(gateway, "connect", "--list", **own).stdout.splitlines()[1:]:
        client, place = line.split()[0], line.split()[-1]
        if place == "printed":
            continue
        file = (gateway.home / place).resolve()
        before = COMMENTED[{".yml": "yaml"}.get(file.suffix, file.suffix[1:])]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(before)
        done = run(gateway, "connect", client, "--write", **own)
        after = file.read_text()
        kept = iter(after.splitlines())
        assert all(any(old in new for new in kept) for old in before.splitlines()), (client, after)
        assert "demo" in after and "mcpctl_pat_" not in after, (client, after)
        assert Path(done.stdout.split()[-1]).read_text() == before, done
        assert "unchanged" in run(gateway, "connect", client, "--write", **own).stdout, client
        written += 1
    assert written > 12, written


def test_connect_refuses_what_it_cannot_read_and_loses_nothing(gateway):
    file = gateway.home / ".qwen/settings.json"
    file.parent.mkdir()
    for text in ('{\n  // mine\n  "a": 1,\n', '{"mcpServers": {"demo": {"command": "npx"}}}', '{"mcpServers": []}'):
        file.write_text(text)
        done = run(gateway, "connect", "qwen", "-p", "demo", "--write", code=1)
        assert "stays as it is" in done.stderr and file.read_text() == text
        assert len(list(file.parent.iterdir())) == 1


def test_each_change_of_a_client_s_file_keeps_what_was(gateway):
    file = gateway.home / ".gemini/settings.json"
    file.parent.mkdir()
    file.write_text("{}")
    for variable in ("A", "B", "C"):  # within a second
        run(gateway, "connect", "gemini", "-p", "demo", "--write", "--variable", variable)
    kept = [path.read_text() for path in file.parent.glob("*.bak")]
    assert len(kept) == 3 and "{}" in kept and "${C}" in file.read_text(), kept


def test_connect_follows_links_and_prints_without_touching(gateway):
    real = gateway.home / "dotfiles.json"
    real.write_text("{}")
    link = gateway.home / ".mcporter/mcporter.json"
    link.parent.mkdir()
    link.symlink_to(real)
    run(gateway, "connect", "mcporter", "-p", "demo", "--write")
    assert link.is_symlink() and "demo" in real.read_text()
    before = sorted(str(path) for path in gateway.home.rglob("*"))
    listed = run(gateway, "connect", "--list").stdout
    for line in listed.splitlines()[1:]:
        client = line.split()[0]
        printed = run(gateway, "connect", client, "-p", "demo")
        assert printed.stdout.strip() and "mcpctl_pat_" not in printed.stdout
    assert len(listed.splitlines()) > 19
    assert sorted(str(path) for path in gateway.home.rglob("*")) == before


def test_connect_says_what_is_wrong(gateway):
    for words, text in ((["emacs", "-p", "demo"], "claude-code"), (["codex"], "-p PROJECT"), ([], "--list"),
                        (["codex", "-p", "demo", "--name", "has space"], "--name"),
                        (["codex", "-p", "demo", "--name", "under_score"], "--name"),
                        (["codex", "-p", "demo", "--scope", "folder", "--write"], "--scope"),
                        (["vllm", "-p", "demo", "--write"], "--write"),
                        (["codex", "-p", 'a"b'], "name")):
        assert text in run(gateway, "connect", *words, code=64).stderr, words


# --- token scan

def test_scan_finds_tokens_and_asks_about_them(gateway):
    place = gateway.home / "src"
    (place / "deep").mkdir(parents=True)
    good, gone = gateway.token("good"), gateway.token("gone")
    gateway.mcpctl("delete", "mcptoken", "gone", "-p", "demo")
    (place / "deep/config.py").write_text(f"URL = 1\nTOKEN = '{good}'\n")
    (place / "log").write_bytes(b"\0\xff" * 300000 + gone.encode() + b"\0")
    (place / "clean").write_text("mcpctl_pat_ is how they begin\n")
    (place / "link").symlink_to("/dev/zero")
    os.mkfifo(place / "pipe")
    done = run(gateway, "token", "scan", place, code=1)
    assert f"{place}/deep/config.py:2:10" in done.stdout and good[:15] in done.stdout
    assert good not in done.stdout + done.stderr and gone not in done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 3, done.stdout
    found = json.loads(run(gateway, "token", "scan", place, "--check", "-o", "json", code=1).stdout)["found"]
    states = {Path(one["file"]).name: one["state"] for one in found}
    assert states["config.py"].startswith("ACTIVE: mcptoken/good of project demo"), states
    assert states["log"].startswith("refused") and "revoked" in states["log"], states
    for path in place.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.unlink()


def test_scan_of_nothing_of_standard_input_and_of_what_cannot_be_read(gateway):
    assert "No tokens" in run(gateway, "token", "scan", MCPCTL).stderr
    assert "-:1:3" in run(gateway, "token", "scan", "-", input="  " + gateway.token("piped"), code=1).stdout
    assert "cannot read /none" in run(gateway, "token", "scan", "/none", code=1).stderr
    assert "PATH is missing" in run(gateway, "token", "scan", code=64).stderr


# --- doctor

def checks(done):
    return {one["check"]: one for one in json.loads(done.stdout)["checks"]}


def test_doctor_finds_nothing_wrong_where_nothing_is(gateway):
    gateway.token("kept", "demo", "--rbac", "clone", "--save", "--ttl", "30d")
    told = checks(run(gateway, "doctor", "-o", "json", PATH=f"{MCPCTL.parent}:{os.environ['PATH']}"))
    assert {"server", "clock", "version", "login", "credentials", "server example", "token of demo"} <= set(told), told
    assert all(one["verdict"] == "ok" for one in told.values()), told
    assert "failed" not in run(gateway, "doctor").stdout


def test_doctor_names_what_is_broken_and_what_to_do(gateway):
    gateway.token("broken", "demo", "--rbac", "clone", "--save")
    gateway.mcpctl("delete", "mcptoken", "broken", "-p", "demo")
    told = checks(run(gateway, "doctor", "-o", "json", code=1))
    assert told["token of demo"]["verdict"] == "failed" and "revoked" in told["token of demo"]["detail"], told
    assert "--save" in told["token of demo"]["hint"]

    told = checks(run(gateway, "doctor", "-o", "json", code=1, MCPCTL_SERVER=f"http://127.0.0.1:{free_port()}"))
    assert told["server"]["verdict"] == "failed" and "--mcpd-url" in told["server"]["hint"], told

    credentials = gateway.dir / "config/mcpctl/credentials"
    credentials.chmod(0o644)
    told = run(gateway, "doctor", code=1)
    assert "others may read it" in told.stdout and "chmod 600" in told.stdout, told
    credentials.chmod(0o600)


def test_doctor_sees_a_server_that_does_not_start(gateway):
    gateway.stdio("dead", "/bin/false")
    gateway.project("broken", "dead")
    token = gateway.token("caller", "broken")
    gateway.mcpctl("test", "mcp", gateway.endpoint("broken"), "--token-file", "-", input=token, code=None)
    told = checks(run(gateway, "doctor", "-o", "json", code=1))
    assert told["server dead"]["verdict"] == "failed" and "mcpctl logs dead" in told["server dead"]["hint"], told


# --- plugins

def test_a_program_on_path_is_a_command(gateway):
    folder = gateway.home / "plugins"
    folder.mkdir()
    for name, text in (("mcpctl-hello", "hello"), ("mcpctl-hello-world", "world"), ("mcpctl-get", "never")):
        (folder / name).write_text(f'#!/bin/sh\necho {text} "$@"\nexit 7\n')
        (folder / name).chmod(0o755)
    (folder / "mcpctl-plain").write_text("x")
    path = {"PATH": f"{folder}:{os.environ['PATH']}"}
    assert run(gateway, "hello", "a", "--b", code=7, **path).stdout == "hello a --b\n"
    assert run(gateway, "hello", "world", "a", code=7, **path).stdout == "world a\n"
    assert "never" not in run(gateway, "get", "servers", **path).stdout
    assert "unknown command" in run(gateway, "plain", code=64, **path).stderr  # not to be executed
    assert "unknown command" in run(gateway, "hello", code=64, PATH=".:/usr/bin").stderr
