"""What README.md and the Python package's README tell people to type, typed as it stands: only addresses differ."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

import harness
from harness import BUILD, PASSWORD, PATIENCE_S, ROOT, Gateway

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.S | re.M)
OTHERS = ("./scripts/quickstart", "meson setup build")  # build everything: quickstart --check and the build itself are their tests
ENDLESS = ("mcpctl mcp ", "mcpctl proxy ", "mcpctl console ", "MCPLOCAL_MCPD_URL=")  # until somebody ends them


def blocks(path, *languages):
    found = [text for language, text in BLOCK.findall(path.read_text()) if language in languages]
    assert found, path
    return found


def script(ports):
    """README's commands one after another; what is started beside them is waited for, what goes on is ended after a while."""
    lines = ["trap 'kill $(jobs -p)' EXIT"]
    for block in blocks(ROOT / "README.md", "sh"):
        if block.startswith(OTHERS):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith(ENDLESS):
                variables, program = re.fullmatch(r"((?:\w+=\S+ )*)(.*)", line.split(" #")[0]).groups()
                program += " --listen 0" if "proxy" in program else ""
                line = f"code=0; {variables}timeout --foreground --kill-after=30 4 {program} || code=$?; test $code = 124"
            lines += [f"echo {json.dumps('> ' + line)}" if "'" not in line and "$" not in line else "echo '>'", line]
            if line.endswith("&"):
                ready = "echo > /dev/tcp/127.0.0.1/8090" if "8090" in line else "curl -fs http://127.0.0.1:3100/readyz"
                lines.append(f"until ({ready}) > /dev/null 2>&1; do sleep 0.1; done")
    text = "\n".join(lines) + "\n"
    for written, port in ports.items():
        text = re.sub(rf"\b{written}\b", str(port), text)
    return text


def typed(words, environment, folder):
    """The program on a terminal of its own, whose questions are answered: (exit code, all that it said)."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvpe(words[0], words, environment)
    said, answered, end = "", 0, time.monotonic() + 3 * PATIENCE_S
    try:
        while time.monotonic() < end:
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    said += os.read(terminal, 65536).decode(errors="replace")
                except OSError:  # the other end is closed: it has ended
                    break
                continue
            question = said[answered:].rpartition("\n")[2]
            hidden = not termios.tcgetattr(terminal)[3] & termios.ECHO  # before that, what is typed is thrown away
            answer = PASSWORD if hidden and question.endswith(": ") else "y" if "[y/N]" in question else None
            if answer:
                answered = len(said)
                os.write(terminal, answer.encode() + b"\n")
    finally:
        os.close(terminal)  # ends what still runs with SIGHUP
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code, said


def test_readme():
    ports = {written: harness.free_port() for written in ("3100", "3200", "8090")}
    with tempfile.TemporaryDirectory(prefix="mcptoken-readme-") as folder:
        Path(folder, "build").symlink_to(BUILD)
        Path(folder, "readme.sh").write_text(script(ports))
        url = f"http://127.0.0.1:{ports['3100']}"
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "TERM": "xterm", "LANG": "C.UTF-8", "MCPCTL_SERVER": url,
                       "MCPD_LISTEN": url.removeprefix("http://"), "MCPD_ADMIN_LISTEN": "off", "MCPLOCAL_HTTP_PORT": str(ports["3200"])}
        code, said = typed(["bash", "--norc", "-e", "readme.sh"], environment, folder)
        assert code == 0, said[-4000:]
        assert "local__echo: hi" in said, said
        for left in ("agent.token", "demo.yaml", "mcpd.backup", ".codex/config.toml"):
            assert Path(folder, left).stat().st_size > 0, left
    (client,) = blocks(ROOT / "README.md", "json")
    assert json.loads(client)["mcpServers"]["demo"]["url"].endswith("/projects/demo/mcp")


PYTHON = """
import ast, asyncio, sys
names = {"raw_token": sys.argv[1]}
body = eval(compile(sys.stdin.read(), "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
asyncio.run(body)
print(names["response"].status, type(names["app"]).__name__)
"""


def test_readme_of_the_python_package():
    with Gateway() as gateway, tempfile.TemporaryDirectory() as folder:
        gateway.example("local")
        gateway.project("demo", "local")
        token = gateway.token("reader")
        (block,) = blocks(ROOT / "capi/python/README.md", "python")
        import test_embed  # the environment of a program that loads the library

        environment = test_embed.environment() | {"PYTHONPATH": str(ROOT / "capi/python"), "MCPTOKEN_LIBRARY": str(test_embed.LIBRARY)}
        for expected in (["reader demo True", "local__echo", "'hi'", "'ho'", "'resources'", "200 App"], ["revoked", None]):
            done = subprocess.run([sys.executable, "-B", "-c", PYTHON, token], input=block.replace("http://127.0.0.1:3100", gateway.url),
                                  capture_output=True, text=True, timeout=PATIENCE_S, env=environment, cwd=folder)
            assert (done.returncode == 0) == (None not in expected), done
            assert all(word in done.stdout for word in expected if word), done
            if None not in expected:
                gateway.mcpctl("delete", "mcptoken", "reader", "-p", "demo")
