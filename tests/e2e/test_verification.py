"""The end-to-end verification that the product was specified with, and its command lines elsewhere in that text: run as they
are written there, in one shell, with the address of this gateway in place of the public one."""

import contextlib
import json
import os
import subprocess

from harness import BUILD, PATIENCE_S, Gateway, until
from test_console import Terminal

PUBLIC = "https://mcp.ad.itaz.eu"
VERIFICATION = """
mcpctl create project vllm --force
TOK=$(mcpctl create mcptoken vllm-token --project vllm --rbac clone | grep mcpctl_pat_)
export MCPCTL_TOKEN="$TOK"

# Probe the public gateway
mcpctl test mcp https://mcp.ad.itaz.eu/projects/vllm/mcp --expect-tools begin_session

# Negative: wrong project → exit 1
mcpctl test mcp https://mcp.ad.itaz.eu/projects/other/mcp
echo $?  # 1
"""
ROLES = """
mcpctl create rbac developers \\
  --subject User:alice@test.com \\
  --roleBindings role:edit,resource:servers \\
  --roleBindings role:view,resource:servers,name:my-ha \\
  --roleBindings action:logs
"""
OLD_ROLES = """
mcpctl create rbac developers \\
  --subject User:alice@test.com \\
  --binding edit:servers \\
  --binding view:servers:my-ha \\
  --operation logs
"""


@contextlib.contextmanager
def fixture():
    with Gateway() as gateway:
        yield gateway


def environment(gateway, **more):
    """Of a workstation that has logged in; nothing says where the server is but the login."""
    kept = {name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}
    return {"HOME": str(gateway.dir), "XDG_CONFIG_HOME": str(gateway.dir / "config"), "LC_ALL": "C.UTF-8",
            "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}", **kept, **more}


def bash(gateway, script, **more):
    return subprocess.run(["bash", "-c", script.replace(PUBLIC, gateway.url)], capture_output=True, text=True, cwd=gateway.dir,
                          timeout=4 * PATIENCE_S, env=environment(gateway, **more))


def test_the_verification_as_it_is_written(gateway):
    done = bash(gateway, VERIFICATION + 'declare -p MCPCTL_TOKEN | grep -o "mcpctl_pat_[0-9A-Za-z]*" > token\n')
    lines = done.stdout.splitlines()
    assert lines[0] == "project/vllm created" and lines[-1] == "1", done
    assert any(line.split()[:2] == ["ok", "expect"] and "begin_session" in line for line in lines), done
    assert "HTTP 403: this token is for project" in done.stdout, done
    token = (gateway.dir / "token").read_text().strip()
    # Again: --force replaces the project, and the token of that name is refused without it.
    again = bash(gateway, VERIFICATION)
    assert again.stdout.startswith("project/vllm replaced") and "exists" in again.stderr, again
    assert bash(gateway, f"mcpctl test mcp {PUBLIC}/projects/vllm/mcp --expect-tools __nonexistent__",
                MCPCTL_TOKEN=token).returncode == 2

    # The audit record has calls, not lists: one is made, of the one tool that there is.
    called = bash(gateway, f"mcpctl test mcp {PUBLIC}/projects/vllm/mcp --tool begin_session --args '{{\"tags\":[\"a\",\"b\",\"c\"]}}'",
                  MCPCTL_TOKEN=token)
    assert called.returncode == 0, called

    def recorded():
        events = [json.loads(line) for line in gateway.mcpctl("audit", "-p", "vllm", "-o", "json", "--tail", "50").splitlines()]
        return [event for event in events if event.get("tokenName") == "vllm-token"]
    until(recorded)
    # The last line, with the variable that the third one has exported.
    with Terminal(gateway, "console", "--audit", MCPCTL_TOKEN=token) as terminal:
        terminal.shows("TOKEN", "vllm-token")
    deleted = bash(gateway, "mcpctl delete mcptoken vllm-token -p vllm")
    assert deleted.stdout == "mcptoken/vllm-token revoked\n", deleted
    refused = bash(gateway, f"mcpctl test mcp {PUBLIC}/projects/vllm/mcp", MCPCTL_TOKEN=token)
    assert refused.returncode == 1 and "401" in refused.stdout + refused.stderr, refused


def test_roles_before_and_after(gateway):
    gateway.mcpctl("create", "user", "alice@test.com")
    before = bash(gateway, OLD_ROLES)
    assert before.returncode == 64 and "--roleBindings role:edit,resource:servers" in before.stderr, before
    after = bash(gateway, ROLES)
    assert after.stdout == "rbac/developers created\n", after
    told = json.loads(gateway.mcpctl("get", "rbac", "developers", "-o", "json"))
    assert told["roleBindings"] == [{"role": "edit", "resource": "servers"}, {"role": "view", "resource": "servers", "name": "my-ha"},
                                    {"role": "run", "action": "logs"}], told


def test_tokens_and_their_verbs(gateway):
    gateway.mcpctl("create", "project", "proj", "--proxy-model", "none")
    made = bash(gateway, "mcpctl create mcptoken name -p proj --bind role:view,resource:servers --ttl 30d --description words")
    raw = made.stdout.strip()
    assert raw.startswith("mcpctl_pat_") and made.stdout.count("\n") == 1 and "shown this once" in made.stderr, made
    assert "exists" in bash(gateway, "mcpctl create mcptoken name -p proj --ttl never").stderr
    for ttl in ("never", "2099-01-01T00:00:00Z", "12h"):
        other = bash(gateway, f"mcpctl create mcptoken name -p proj --ttl {ttl} --force")
        assert other.stdout.startswith("mcpctl_pat_") and other.stdout.strip() != raw, other
    for verb in ("get mcptokens", "get mcptokens -p proj", "get mcptoken name -p proj", "get token name -p proj", "get tokens"):
        table = bash(gateway, f"mcpctl {verb}").stdout.splitlines()
        assert table[0].split("  ")[0] == "NAME" and "LAST USED" in table[0], table
        for column in ("NAME", "PROJECT", "PREFIX", "CREATED", "EXPIRES", "STATUS"):
            assert column in table[0], table
    described = bash(gateway, "mcpctl describe mcptoken name -p proj").stdout
    assert "name" in described and "proj" in described, described
    document = "kind: mcptoken\nname: {}\nproject: proj\n"
    (gateway.dir / "both.yaml").write_text(document.format("name") + "---\n" + document.format("second"))
    applied = bash(gateway, "mcpctl apply -f both.yaml")
    assert "already active — skipped" in applied.stdout and "mcpctl_pat_" in applied.stdout + applied.stderr, applied
    assert bash(gateway, "mcpctl delete mcptoken name -p proj").stdout == "mcptoken/name revoked\n"
