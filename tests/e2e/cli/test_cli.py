"""mcpctl against a small server: output, exit codes, request bodies, files.

    test_cli.py PATH-OF-MCPCTL SOURCE-ROOT [unittest arguments]
"""

import json
import os
import pty
import resource
import select
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from fake_server import PAT, SESSION, FakeServer

MCPCTL, ROOT = os.path.abspath(sys.argv[1]), Path(sys.argv[2])
CONTROLS = [chr(c) for c in range(0x20) if c not in (9, 10)] + ["\x7f", "\u202e"]


class Case(unittest.TestCase):
    def setUp(self):
        self.fake = FakeServer()
        self.addCleanup(self.fake.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        self.environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "MCPCTL_SERVER": self.fake.url}
        for name in ("LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def start(self, *words, **options):
        return subprocess.run([MCPCTL, *words], capture_output=True, text=True, timeout=60, cwd=self.home,
                              env={**self.environment, **options.pop("env", {})},
                              **({} if "input" in options else {"stdin": subprocess.DEVNULL}), **options)

    def run_ok(self, *words, **options):
        done = self.start(*words, **options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def run_fail(self, code, *words, **options):
        done = self.start(*words, **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def login(self):
        self.run_ok("login", "--email", "ada@example.com", "--password-stdin", input="correct horse\n")

    @property
    def credentials(self):
        return self.home / ".config/mcpctl/credentials"

    def put(self, plural, *objects):
        self.fake.state.objects[plural] = {o.get("name") or o["email"]: o for o in objects}


class Usage(Case):
    def test_documentation_is_fresh(self):
        written = (ROOT / "docs/cli.md").read_text()
        self.assertEqual(self.run_ok("__docs").stdout, written, "run: mcpctl __docs > docs/cli.md")

    def test_help(self):
        self.assertIn("Basic commands:", self.run_ok().stdout)
        self.assertIn("--ttl", self.run_ok("create", "token", "--help").stdout)
        self.assertIn("mcptoken", self.run_fail(64, "create").stderr)

    def test_mistakes_are_64_and_name_themselves(self):
        for words, text in ((("frobnicate",), 'unknown command "frobnicate"'),
                            (("get", "servers", "--frob"), "unknown flag --frob"),
                            (("get",), "RESOURCE is missing"),
                            (("get", "gizmos"), 'unknown resource "gizmos"'),
                            (("get", "servers", "-o", "xml"), "table, wide, json, yaml, name"),
                            (("create", "server"), "NAME is missing"),
                            (("create", "prompt", "x", "-p", "p"), "--content is required"),
                            (("create", "server", "s", "--command", "node", "x.js"), "two dashes"),
                            (("create", "rbac", "r", "--binding", "view:servers"),
                             "--roleBindings role:view,resource:servers"),
                            (("create", "rbac", "r", "--operation", "logs"), "--roleBindings action:logs"),
                            (("create", "mcptoken", "t"), "-p PROJECT"),
                            (("create", "mcptoken", "t", "-p", "x", "--ttl", "soon"), "--ttl"),
                            (("create", "mcptoken", "t", "-p", "x", "--rbac", "all"), "empty, clone"),
                            (("test", "mcp", "nonsense"), "bad URL"),
                            (("test", "mcp", self.fake.url, "--tool", "echo", "--args", "{"), "--args"),
                            (("test", "mcp", self.fake.url, "--args", "{}"), "--tool"),
                            (("test", "mcp", self.fake.url, "--timeout", "0"), "--timeout")):
            with self.subTest(words=words):
                self.assertIn(text, self.run_fail(64, *words).stderr)
        self.assertEqual(self.fake.state.requests, [])

    def test_version_is_fast_and_needs_no_server(self):
        # Processor time, which other programs on the machine hardly change; nearly all of it is the dynamic loader's.
        times = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.assertRegex(self.run_ok("version").stdout, r"^mcpctl \d+\.\d+\.\d+ ")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if "ASAN_OPTIONS" not in os.environ:
            self.assertLess(min(times), 0.1)
        self.assertEqual(json.loads(self.run_ok("version", "-o", "json").stdout)["abi"], 0)


class Login(Case):
    def test_bootstrap_reads_the_code_and_logs_in(self):
        code = self.home / ".local/state/mcpd/bootstrap-code"
        code.parent.mkdir(parents=True)
        code.write_text("CODE-1\n")
        done = self.run_ok("bootstrap", "ada@example.com", "--password-stdin", input="correct horse\n")
        self.assertIn("Logged in", done.stdout)
        self.assertEqual(self.fake.state.last("POST")[3],
                         {"email": "ada@example.com", "password": "correct horse", "code": "CODE-1"})
        self.assertEqual(stat.S_IMODE(self.credentials.stat().st_mode), 0o600)
        self.assertIn(SESSION, self.credentials.read_text())
        self.assertIn("ada@example.com", self.run_ok("whoami").stdout)

    def test_bootstrap_without_code_says_where_it_would_be(self):
        done = self.run_fail(1, "bootstrap", "ada@example.com", "--password-stdin", input="x\n")
        self.assertIn(".local/state/mcpd/bootstrap-code", done.stderr)
        self.assertIn("--code-file", done.stderr)

    def test_wrong_password(self):
        done = self.run_fail(4, "login", "--email", "ada@example.com", "--password-stdin", input="wrong\n")
        self.assertIn("password is wrong", done.stderr)
        self.assertIn("request id: req-7", done.stderr)
        self.assertFalse(self.credentials.exists())

    def test_no_terminal_is_refused_at_once(self):
        self.assertIn("--password-stdin", self.run_fail(64, "login", "--email", "ada@example.com").stderr)

    def test_login_remembers_the_server_and_logout_forgets(self):
        self.run_ok("login", "--email", "ada@example.com", "--mcpd-url", self.fake.url + "/", "--password-stdin",
                    input="correct horse", env={"MCPCTL_SERVER": ""})
        self.assertIn("principal:", self.run_ok("auth", "whoami", env={"MCPCTL_SERVER": ""}).stdout)
        self.run_ok("logout", env={"MCPCTL_SERVER": ""})
        self.assertTrue(self.fake.state.session_ended)
        self.assertNotIn(SESSION, self.credentials.read_text())
        self.assertIn("login --email", self.run_fail(4, "get", "servers").stderr)

    def test_readable_credentials_are_refused(self):
        self.login()
        self.credentials.chmod(0o640)
        self.assertIn("chmod 600", self.run_fail(1, "get", "servers").stderr)

    def test_ended_session(self):
        self.login()
        self.fake.state.fail_next = (401, {"error": "invalid_token", "message": "the session has ended"})
        done = self.run_fail(4, "get", "servers")
        self.assertIn("mcpctl login --email ada@example.com", done.stderr)

    def test_password_from_a_terminal_does_not_echo_and_interrupt_is_130(self):
        for answer, code in ((b"correct horse\n", 0), (b"\x03", 130)):
            with self.subTest(code=code):
                self.assertEqual(self.on_terminal(answer, "login", "--email", "ada@example.com"), (code, False))

    def on_terminal(self, answer, *words):
        """Exit code, and whether the terminal showed the answer."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(MCPCTL, [MCPCTL, *words], self.environment)
        shown, asked, deadline = b"", False, time.monotonic() + 60
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 0.1)[0]:
                continue
            try:
                got = os.read(terminal, 4096)
            except OSError:
                break
            if not got:
                break
            shown += got
            if b"password" in shown and not asked:
                time.sleep(0.05)  # the echo is switched off right after the question
                os.write(terminal, answer)
                asked = True
        else:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        return os.waitstatus_to_exitcode(status), b"horse" in shown


class Settings(Case):
    def config(self, text):
        path = self.home / ".config/mcpctl/config.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def test_flag_beats_environment_beats_file(self):
        self.login()
        self.put("mcptokens")
        self.config(f"current-context: a\ncontexts:\n  a:\n    server: {self.fake.url}\n    project: from-file\n"
                    "  b:\n    project: other\n")
        for words, env, project in (((), {}, "from-file"), ((), {"MCPCTL_PROJECT": "from-env"}, "from-env"),
                                    (("-p", "from-flag"), {"MCPCTL_PROJECT": "from-env"}, "from-flag"),
                                    (("--context", "b"), {}, "other"), ((), {"MCPCTL_CONTEXT": "b"}, "other")):
            with self.subTest(project=project):
                self.run_ok("get", "mcptokens", *words, env=env)
                self.assertEqual(self.fake.state.last("GET")[1], "/api/v1/mcptokens?project=" + project)

    def test_output_from_the_environment(self):
        self.login()
        self.put("servers", {"name": "a"})
        self.assertEqual(self.run_ok("get", "servers", env={"MCPCTL_OUTPUT": "name"}).stdout, "server/a\n")
        self.assertIn("MCPCTL_OUTPUT", self.run_fail(64, "get", "servers", env={"MCPCTL_OUTPUT": "xml"}).stderr)

    def test_bad_files_are_named_with_line_and_column(self):
        for text, why in (("contexts: {}\ncontexts: {}\n", ":2:1: duplicate key"), ("a: &x 1\n", ":1:4: anchors"),
                          ("server: x\n", 'unknown key "server"'), ("contexts: [\n", "config.yaml:"),
                          ("current-context: gone\n", 'no context "gone"')):
            with self.subTest(text=text):
                self.config(text)
                self.assertIn(why, self.run_fail(64, "get", "servers").stderr)

    def test_token_of_the_environment_beats_the_login_and_says_so(self):
        self.login()
        done = self.run_fail(4, "get", "servers", env={"MCPCTL_TOKEN": PAT})
        self.assertIn("MCPCTL_TOKEN", done.stderr)
        self.assertEqual(self.fake.state.last("GET")[2], PAT)

    def test_server_that_is_not_there(self):
        self.login()
        done = self.run_fail(1, "status", "--mcpd-url", "http://127.0.0.1:1")
        self.assertIn("is mcpd running", done.stderr)
        self.assertIn("unreachable", done.stdout)
        self.assertIn("ok", self.run_ok("status").stdout)

    def test_status_tells_what_it_could_not_ask(self):
        self.login()
        self.fake.state.fail_next = (507, {"error": "storage_full", "message": "the server's disk is full", "hint": ""})
        done = self.run_fail(1, "status")
        self.assertIn("the server's disk is full", done.stderr)
        self.assertIn("ok", done.stdout)


class Objects(Case):
    def setUp(self):
        super().setUp()
        self.login()

    def created(self, *words, **options):
        self.run_ok("create", *words, **options)
        return self.fake.state.last("POST")

    def test_server_bodies(self):
        _, path, bearer, body = self.created("server", "files", "--transport", "STDIO", "--env", "A=b=c", "--env",
                                             "K=secret:vault/key", "--replicas", "2", "--", "npx", "-y", "--flag")
        self.assertEqual((path, bearer), ("/api/v1/servers", SESSION))
        self.assertEqual(body, {"name": "files", "transport": "STDIO", "command": ["npx", "-y", "--flag"], "replicas": 2,
                                "env": [{"name": "A", "value": "b=c"},
                                        {"name": "K", "valueFrom": {"secretRef": {"name": "vault", "key": "key"}}}]})
        body = self.created("srv", "other", "--command", "node", "--arg", "-y", "--arg=--", "--allow-private")[3]
        self.assertEqual(body, {"name": "other", "command": ["node", "-y", "--"], "allowPrivate": True})
        body = self.created("server", "far", "--external-url", "https://x/mcp", "--header", "A=secret:s/k")[3]
        self.assertEqual(body["headers"][0]["valueFrom"]["secretRef"], {"name": "s", "key": "k"})

    def test_project_rbac_group_bodies(self):
        body = self.created("project", "demo", "--proxy-model", "none", "--server", "a", "--server", "b:pre")[3]
        self.assertEqual(body, {"name": "demo", "proxyModel": "none",
                                "servers": [{"server": "a"}, {"server": "b", "prefix": "pre"}]})
        body = self.created("rbac", "r", "--subject", "user:ada@example.com", "--subject", "ServiceAccount:project:demo",
                            "--roleBindings", "role:view,resource:servers,name:x", "--roleBindings", "action:logs")[3]
        self.assertEqual(body["subjects"], [{"kind": "User", "name": "ada@example.com"},
                                            {"kind": "ServiceAccount", "name": "project:demo"}])
        self.assertEqual(body["roleBindings"], [{"role": "view", "resource": "servers", "name": "x"},
                                                {"role": "run", "action": "logs"}])
        body = self.created("group", "g", "--member", "a@x.org", "--member", "b@x.org")[3]
        self.assertEqual(body["members"], ["a@x.org", "b@x.org"])

    def test_secrets_and_passwords_come_from_standard_input(self):
        body = self.created("secret", "s", "--data", "a=1", "--data-stdin", "key", input="line1\nline2\n")[3]
        self.assertEqual(body["data"], {"a": "1", "key": "line1\nline2"})
        body = self.created("user", "bob@example.com", "--password-stdin", input="pw\n")[3]
        self.assertEqual(body, {"email": "bob@example.com", "password": "pw"})
        self.assertNotIn("password", self.created("user", "eve@example.com")[3])

    def test_force_replaces(self):
        self.created("group", "g")
        self.assertIn("--force", self.run_fail(1, "create", "group", "g").stderr)
        self.assertEqual(self.run_ok("create", "group", "g", "--member", "x@y.z", "--force").stdout, "group/g replaced\n")
        self.assertEqual(self.fake.state.last("PUT")[1], "/api/v1/groups/g")

    def test_refusal_has_three_parts(self):
        self.fake.state.fail_next = (403, {"error": "forbidden", "message": "needs create\x1b[2J servers\u202e", "hint": "ask Ada",
                                           "request_id": "req-9"})
        done = self.run_fail(1, "create", "group", "g")
        self.assertEqual(done.stderr, "error: cannot create group/g: needs create\\x1b[2J servers\nhint: ask Ada\nrequest id: req-9\n")

    def test_table(self):
        self.put("mcptokens", {"name": "a", "project": "demo", "prefix": "mcpctl_pat_abcd", "status": "active",
                               "createdAt": "2026-01-02T03:04:05.678Z", "lastUsedAt": None},
                 {"name": "lönger\u202e\x1b[31m", "project": "demo", "prefix": "mcpctl_pat_efgh", "status": "expired",
                  "createdAt": 1767323045678, "expiresAt": "2026-02-02T00:00:00Z"})
        lines = self.run_ok("get", "tokens", "-p", "demo").stdout.split("\n")
        self.assertEqual(lines[0].split("  ")[0], "NAME")
        self.assertEqual(lines[0].split()[-4:], ["LAST", "USED", "EXPIRES", "STATUS"])
        self.assertRegex(lines[1], r"^a           demo     mcpctl_pat_abcd  2026-01-02T03:04:05Z  never +never +active$")
        self.assertRegex(lines[2], r"^lönger\[31m  demo     mcpctl_pat_efgh  2026-01-02T03:04:05Z ")
        bare = self.run_ok("get", "tokens", "-p", "demo", "--no-headers").stdout
        self.assertEqual([row.split() for row in bare.splitlines()], [row.split() for row in lines[1:3]])

    def test_empty_list(self):
        done = self.run_ok("get", "servers")
        self.assertEqual((done.stdout, done.stderr), ("", "No servers found.\n"))
        self.assertEqual(json.loads(self.run_ok("get", "servers", "-o", "json").stdout), {"kind": "List", "items": []})

    def test_json_and_yaml(self):
        self.put("servers", {"id": "x", "name": "a", "version": 3, "transport": "STDIO", "command": ["npx", "-y", "true"],
                             "env": [{"name": "A", "value": "1"}], "description": "two\nlines", "createdAt": "t"},
                 {"name": "b", "description": "\u202e: #"})
        one = json.loads(self.run_ok("get", "server", "a", "-o", "json").stdout)
        self.assertEqual((one["kind"], one["id"], one["version"]), ("server", "x", 3))
        text = self.run_ok("get", "servers", "-o", "json").stdout
        self.assertEqual([o["name"] for o in json.loads(text)["items"]], ["a", "b"])
        self.assertNotIn("\u202e", text)
        self.assertEqual(self.run_ok("get", "server/a", "-o", "yaml").stdout,
                         "kind: server\nname: a\ndescription: |-\n  two\n  lines\ntransport: STDIO\ncommand:\n  - npx\n"
                         "  - \"-y\"\n  - \"true\"\nenv:\n  - name: A\n    value: \"1\"\n")
        self.assertEqual(self.run_ok("get", "servers", "-o", "yaml").stdout.split("---\n")[1],
                         "kind: server\nname: b\ndescription: \"\\u202e: #\"\n")
        self.assertEqual(self.run_ok("get", "servers", "-o", "name").stdout, "server/a\nserver/b\n")

    def test_several_names_with_one_missing(self):
        self.put("servers", {"name": "a", "transport": "STDIO"})
        done = self.run_fail(1, "get", "servers", "a", "status")
        self.assertIn("STDIO", done.stdout)
        self.assertIn("see what exists", done.stderr)

    def test_names_are_encoded(self):
        self.run_fail(1, "get", "user", "a..b?c@d&e#f")
        self.assertEqual(self.fake.state.last("GET")[1], "/api/v1/users/a..b%3Fc%40d%26e%23f")

    def test_delete(self):
        self.put("servers", {"name": "login"})
        self.assertEqual(self.run_ok("delete", "server", "login").stdout, "server/login deleted\n")
        self.put("projects", {"name": "demo"})
        self.assertIn("--yes", self.run_fail(64, "delete", "project", "demo").stderr)
        self.assertIn("demo", self.fake.state.objects["projects"])
        self.run_ok("delete", "project", "demo", "--yes")
        self.put("mcptokens", {"name": "t"})
        self.assertEqual(self.run_ok("delete", "token", "t", "-p", "demo").stdout, "mcptoken/t revoked\n")
        self.assertEqual(self.fake.state.last("DELETE")[1], "/api/v1/mcptokens/t?project=demo")


class Tokens(Case):
    def setUp(self):
        super().setUp()
        self.login()

    def test_token_alone_on_standard_output(self):
        done = self.run_ok("create", "mcptoken", "agent", "-p", "demo", "--rbac", "clone", "--ttl", "30d", "--bind",
                           "role:view,resource:servers", "--description", "d", "--force")
        self.assertEqual(done.stdout, PAT + "\n")
        self.assertNotIn(PAT, done.stderr)
        self.assertIn("Dropped:  edit *", done.stderr)
        self.assertEqual(self.fake.state.last("POST")[1], "/api/v1/mcptokens")
        self.assertEqual(self.fake.state.last("POST")[3],
                         {"name": "agent", "project": "demo", "rbacMode": "clone", "ttl": "30d", "description": "d",
                          "bindings": [{"role": "view", "resource": "servers"}], "force": True})

    def test_json_carries_it(self):
        done = self.run_ok("create", "mcptoken", "agent", "-o", "json", env={"MCPCTL_PROJECT": "demo"})
        self.assertEqual(json.loads(done.stdout)["token"], PAT)
        self.assertIn(PAT, self.run_ok("create", "mcptoken", "agent", "-p", "demo", "-o", "yaml").stdout)
        self.assertIn(PAT, self.run_ok("create", "mcptoken", "agent", "-p", "demo", "-o", "name").stdout)

    def test_output_file(self):
        path = self.home / "agent.token"
        path.write_text("old")
        done = self.run_ok("create", "mcptoken", "agent", "-p", "demo", "--output-file", str(path))
        self.assertEqual((done.stdout, path.read_text()), ("", PAT + "\n"))
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual([p.name for p in self.home.iterdir() if p.name.startswith("agent")], ["agent.token"])

    def test_output_file_that_cannot_be_written_mints_nothing(self):
        for path in ("/dev/null", str(self.home / "no/such/folder/t")):
            with self.subTest(path=path):
                self.run_fail(1, "create", "mcptoken", "agent", "-p", "demo", "--output-file", path)
                self.assertNotIn("mcptokens", self.fake.state.last("POST")[1])

    def test_save(self):
        self.run_ok("create", "mcptoken", "agent", "-p", "demo", "--save")
        self.assertIn(f"demo: {PAT}", self.credentials.read_text())
        self.run_ok("whoami")


class TestMcp(Case):
    def probe(self, code, *words, project="demo", **options):
        return self.run_fail(code, "test", "mcp", f"{self.fake.url}/projects/{project}/mcp", "--era", "legacy", *words,
                             **options)

    def report(self, code, *words, **options):
        return json.loads(self.probe(code, "-o", "json", *words, **options).stdout)

    def outcomes(self, report):
        return {s["name"]: s["outcome"] for s in report["stages"]}

    def test_happy(self):
        done = self.probe(0, "--expect-tools", "echo,bad_result", "--tool", "echo", "--args",
                          '{"message":"hi\\u001b[31m"}', env={"MCPCTL_TOKEN": PAT})
        self.assertRegex(done.stdout, r"(?m)^ok    health +\d+ ms ")
        self.assertRegex(done.stdout, r"(?m)^ok    call +\d+ ms  echo: hi\[31m$")
        self.assertEqual(self.fake.state.last("DELETE")[0], "DELETE")
        for control in CONTROLS:
            self.assertNotIn(control, done.stdout)

    def test_report(self):
        report = self.report(0, "--token", PAT)
        self.assertEqual((report["result"], report["exitCode"]), ("pass", 0))
        self.assertEqual(report["session"]["protocolVersion"], "2025-11-25")
        self.assertIn("echo", report["tools"])
        self.assertEqual(self.outcomes(report), {"health": "ok", "connect": "ok", "tools": "ok", "expect": "skipped",
                                                 "call": "skipped", "close": "ok"})

    def test_authentication_is_1(self):
        done = self.probe(1)
        self.assertIn("FAIL  connect", done.stdout)
        self.assertIn("hint:", done.stdout)
        self.assertEqual(self.outcomes(self.report(1, "--token", "mcpctl_pat_" + "x" * 43))["connect"], "failed")
        other = self.probe(1, "--token", PAT, project="other")
        self.assertIn("belongs to project demo", other.stdout)

    def test_transport_is_1(self):
        self.fake.state.healthy = False
        self.assertEqual(self.outcomes(self.report(1, "--token", PAT)), {"health": "failed"})
        self.assertEqual(self.outcomes(self.report(0, "--token", PAT, "--no-health"))["health"], "skipped")
        done = self.run_fail(1, "test", "mcp", "http://127.0.0.1:1/projects/demo/mcp", "--timeout", "2")
        self.assertIn("FAIL  health", done.stdout)

    def test_contract_is_2(self):
        report = self.report(2, "--token", PAT, "--expect-tools", "echo,nonexistent")
        self.assertEqual(self.outcomes(report)["expect"], "failed")
        self.assertEqual(self.outcomes(report)["close"], "ok")
        self.assertIn("nonexistent", next(s for s in report["stages"] if s["name"] == "expect")["error"])
        self.assertEqual(self.outcomes(self.report(2, "--token", PAT, "--tool", "gone"))["expect"], "failed")
        self.assertIn("out of order", self.probe(2, "--token", PAT, "--tool", "bad_result").stdout)
        self.assertIn("it broke", self.probe(2, "--token", PAT, "--tool", "bad_protocol").stdout)

    def test_remarks_of_the_gateway_about_its_list(self):
        self.fake.state.tools = []
        self.fake.state.meta = {"io.mcptoken/reason": "no server is attached to this project",
                                "io.mcptoken/unavailable": ["dead\x1b"]}
        done = self.probe(0, "--token", PAT)
        self.assertIn("0 tools; no server is attached to this project; not available: dead\n", done.stdout)
        self.assertIn("\nskip  call\n", done.stdout)

    def test_token_file(self):
        path = self.home / "t"
        path.write_text(PAT + "\n")
        self.probe(0, "--token-file", str(path))
        self.probe(0, "--token-file", "-", input=PAT + "\n")
        self.probe(64, "--token-file", str(self.home / "gone"))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
