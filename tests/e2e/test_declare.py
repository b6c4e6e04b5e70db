"""mcpctl's declarative half on a real mcpd: a transcript of every verb, round trips, refusals, and how long it takes."""

import json
import re
import resource
import statistics
import subprocess
import time

import transcript
import wire
from harness import EMAIL, EXAMPLE, MCPCTL, PASSWORD, ROOT, SANITIZED, Gateway, until

TRANSCRIPTS = ("basic", "apply", "access", "admin", "connect", "exits", "unknown")


def run(name, **environment):
    with Gateway() as gateway:
        transcript.check(name, transcript.Shell(gateway, **environment))


def test_transcript_basic():
    run("basic")


def test_transcript_apply():
    run("apply")


def test_transcript_access():
    run("access")


def test_transcript_admin():
    run("admin")


def test_transcript_connect():
    run("connect", EXAMPLE=str(EXAMPLE))


def test_transcript_exits():
    run("exits")


def test_transcript_unknown():
    run("unknown")


def test_every_verb_and_exit_code_is_in_a_transcript():
    seen = [words for name in TRANSCRIPTS for words in transcript.commands(name)]
    verbs = re.findall(r"^### mcpctl (.+)$", (ROOT / "docs/cli.md").read_text(), re.M)
    assert len(verbs) > 30, verbs
    for verb in verbs:
        assert any(words == verb or words.startswith(verb + " ") for words in seen), f"no transcript runs: mcpctl {verb}"
    ended = {}
    for name in TRANSCRIPTS:
        for verb, codes in transcript.exit_codes(name, verbs).items():
            ended.setdefault(verb, set()).update(codes)
    documented = documented_exit_codes()
    common = documented.pop("")
    assert set.union(*ended.values()) >= common == {0, 1, 4, 64, 130}, ended
    assert len(documented) >= 7, documented  # those that have codes of their own
    for verb, codes in documented.items():
        assert ended[verb] >= codes, f"no transcript of mcpctl {verb} ends with {codes - ended[verb]}"


def documented_exit_codes():
    """{verb: codes} of docs/cli.md; "" has those of every other verb."""
    found, verb = {}, ""
    for line in (ROOT / "docs/cli.md").read_text().splitlines():
        if line.startswith("### mcpctl "):
            verb = line[len("### mcpctl "):]
        if row := re.match(r"\| (\d+) \| ", line):
            found.setdefault(verb, set()).add(int(row[1]))
    return found


def as_user(gateway, name, bindings):
    """mcpctl of a user who holds these bindings."""
    email = f"{name}@example.com"
    gateway.mcpctl("create", "user", email)
    gateway.mcpctl("passwd", email, "--password-stdin", input=PASSWORD + "\n")
    if bindings:
        flags = [word for binding in bindings for word in ("--roleBindings", binding)]
        gateway.mcpctl("create", "rbac", name, "--subject", f"User:{email}", *flags)
    answer = gateway.rest("POST", "auth/login", {"email": email, "password": PASSWORD}, bearer=None)
    bearer = answer.json["token"]

    def mcpctl(*words, input=""):
        environment = {"HOME": str(gateway.dir / name), "PATH": "/usr/bin:/bin", "MCPCTL_SERVER": gateway.url,
                       "MCPCTL_TOKEN": bearer}
        return subprocess.run([MCPCTL, *words], input=input, capture_output=True, text=True, timeout=60, env=environment)

    return mcpctl


def test_ce_by_apply_nothing_is_handed_out_that_its_writer_does_not_hold():
    with Gateway() as gateway:
        gateway.mcpctl("apply", "-f", "-", input="""
servers: [{name: s, externalUrl: "https://e.org/"}]
secrets: [{name: k, data: {v: planted}}]
projects: [{name: p, proxyModel: none, servers: [s]}]
groups: [{name: strong}]
rbac: [{name: of-strong, subjects: ["Group:strong"], roleBindings: ["role:edit,resource:servers"]}]
""")
        weak = as_user(gateway, "weak", ["role:view,resource:*", "role:create,resource:mcptokens", "role:edit,resource:rbac",
                                         "role:edit,resource:groups", "role:edit,resource:projects"])
        token = "kind: mcptoken\nname: t\nproject: p\n"
        cases = {
            "CE-01": token + "bindings: ['role:edit,resource:servers']\n",
            "CE-05": token + "bindings: ['role:edit,resource:*']\n",
            "CE-09": token + "bindings: ['role:view,resource:servers', 'action:backup']\n",
            "CE-11": token + "rbacMode: clone\nbindings: ['role:edit,resource:servers']\n",
            "CE-18": token + "bindings: [{role: edit, resource: '*'}]\n",
            "CE-46": "kind: rbac\nname: of-strong\nsubjects: ['User:weak@example.com']\nroleBindings: ['role:edit,resource:servers']\n",
            "CE-48": "kind: rbac\nname: mine\nsubjects: ['User:weak@example.com']\nroleBindings: ['action:escalate']\n",
            "CE-48 group": "kind: group\nname: strong\nmembers: [weak@example.com]\n",
            "attach": "kind: project\nname: other\nproxyModel: none\nservers: [s]\n",
            "secret": "kind: project\nname: p\nproxyModel: none\nservers: [s]\n"
                      "llm: {baseUrl: 'https://evil/', model: m, apiKeySecret: {name: k, key: v}}\n",
            "spawn": "kind: server\nname: evil\ncommand: [sh]\n",
        }
        before = gateway.mcpctl("get", "all", "-o", "json")
        for case, document in cases.items():
            for flags in ([], ["--dry-run=server"]):
                # The good object in front must not stay either.
                done = weak("apply", "-f", "-", *flags, input="kind: group\nname: good\n---\n" + document)
                assert done.returncode == 1, (case, done)
                assert "nothing was applied" in done.stderr and "request id:" in done.stderr, (case, done.stderr)
                assert done.stdout == "", (case, done.stdout)
        assert gateway.mcpctl("get", "all", "-o", "json") == before
        # With --continue the good one is applied, and the other one is not.
        done = weak("apply", "-f", "-", "--continue", input="kind: group\nname: good\n---\n" + cases["CE-01"])
        assert done.returncode == 1 and done.stdout == "group/good created\n", done
        # CE-50: what somebody stronger has exported is not applied by somebody weaker.
        exported = gateway.mcpctl("get", "rbac", "of-strong", "-o", "yaml")
        gateway.mcpctl("delete", "rbac", "of-strong")
        assert weak("apply", "-f", "-", input=exported).returncode == 1
        assert gateway.mcpctl("apply", "-f", "-", input=exported) == "rbac/of-strong created\n"


def test_a_token_applies_nothing_and_describes_nobody():
    with Gateway() as gateway:
        gateway.project("demo")
        token = gateway.token("agent")
        for path, body in (("apply", {"objects": []}), ("apply?dryRun=true", {"objects": []})):
            assert gateway.rest("POST", path, body, bearer=token).status == 403
        for path in ("mcptokens/agent/describe?project=demo", f"users/{EMAIL}/describe"):
            assert (answer := gateway.rest("GET", path, bearer=token)).status == 403, answer


def test_a_description_tells_tools_use_and_denials():
    with Gateway() as gateway:
        gateway.example()
        gateway.project("demo", "example")
        token = gateway.token("agent", "demo", "--bind", "role:run,resource:tools,name:example/echo")
        gateway.ready(gateway.token("all"), "example")
        client = wire.Modern(gateway.port, token)
        client.text("example__echo", {"message": "hi"})
        client.request("tools/call", {"name": "example__add", "arguments": {"a": 1, "b": 2}})
        client.connection.close()

        def counted():  # events are written a little later
            told = json.loads(gateway.mcpctl("describe", "mcptoken", "agent", "-p", "demo", "-o", "json"))
            return told["last24h"]["denied"] >= 1 and told["last24h"]["calls"] >= 1 and told

        told = until(counted, pause=0.1)
        reach = {row["server"]: row for row in told["reach"]}
        assert reach["example"]["tools"] == ["echo"] and reach["example"]["of"] > 1, told["reach"]
        assert told["bindings"][0]["exceedsOwner"] is False
        assert any("add" in denial["what"] for denial in told["denials"]), told["denials"]
        text = gateway.mcpctl("describe", "mcptoken", "agent", "-p", "demo")
        assert "last 24 h:" in text and "Effective now:" in text and "(in " in text, text
        server = json.loads(gateway.mcpctl("describe", "server", "example", "-o", "json"))
        assert "echo" in server["tools"] and server["instances"][0]["status"] == "RUNNING", server
        assert gateway.mcpctl("wait", "server/example", "--for=ready") == "server/example is ready\n"
        project = json.loads(gateway.mcpctl("describe", "project", "demo", "-o", "json"))
        assert project["servers"][0]["tools"] > 1 and len(project["tokens"]) == 2, project


def cpu_and_wall(gateway, enough, *words):
    """Seconds of the fastest of a few runs: processor time, and by the clock; of more runs where others keep the machine busy."""
    cpu, wall = [], []
    while len(wall) < 7 or (min(wall) >= enough and len(wall) < 50):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        gateway.mcpctl(*words)
        wall.append(time.monotonic() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"mcpctl {' '.join(words)}: {min(wall) * 1000:.0f} ms (median {statistics.median(wall) * 1000:.0f}), "
          f"processor {min(cpu) * 1000:.0f} ms")
    return min(cpu), min(wall)


def test_it_is_quick():
    with Gateway() as gateway:
        server = "  - {{name: s{0}, externalUrl: 'https://e.org/{0}', description: number {0}, labels: {{n: 'v{0}'}}}}\n"
        gateway.mcpctl("apply", "-f", "-", input="servers:\n" + "".join(server.format(i) for i in range(1000)))
        start, listed = cpu_and_wall(gateway, 0.06, "version"), cpu_and_wall(gateway, 0.9, "get", "servers")
        assert gateway.mcpctl("get", "servers", "--no-headers").count("\n") == 1000
        if not SANITIZED:  # a slow or busy machine is no fault of ours: the bounds are three times the promise
            assert start[0] < 0.06 and start[1] < 0.06, start
            assert listed[0] < 0.3 and listed[1] < 0.9, listed
