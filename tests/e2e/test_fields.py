"""Every field of every kind, as the schema table has them: what comes back unchanged, and what flags of `create` say as well as files.

A new field of the table fails these tests until EVERYTHING has it.
"""

import json

from harness import PASSWORD, Gateway

# Every kind with every field: what files say, on an empty control plane.
EVERYTHING = """
users:
  - {email: ada@example.com, name: Ada, description: d, labels: {a: b}, disabled: false, password: a long password}
groups:
  - {name: team, description: d, labels: {a: b}, members: [ada@example.com]}
secrets:
  - {name: keys, description: d, labels: {a: b}, data: {k: planted-secret, other: "two\\nlines"}}
templates:
  - name: tpl
    description: d
    labels: {a: b}
    transport: STDIO
    packageName: pkg@1
    runtime: node
    env: [{name: A, description: d, required: true, defaultValue: x}]
    replicas: 2
    healthCheck: {tool: t, arguments: {}, intervalSeconds: 7, timeoutSeconds: 8, failureThreshold: 9}
    repositoryUrl: https://e.org/
    containerPort: 1
  - {name: tpl2, dockerImage: img}
  - {name: tpl3, externalUrl: "https://e.org/", headers: [X-B, {name: X-A, description: d, required: true, defaultValue: x}]}
  - {name: tpl4, command: [x, y]}
servers:
  - name: local
    description: d
    labels: {a: b}
    transport: STDIO
    command: [run, me]
    env:
      - {name: A, value: b}
      - {name: K, valueFrom: {secretRef: {name: keys, key: k}}}
    replicas: 3
    share: principal
    healthCheck: {tool: t, arguments: {x: [1, {y: null}]}, intervalSeconds: 5}
    timeouts: {connectMs: 1, firstByteMs: 2, callMs: 5, discoveryMs: 4}
    cache: {tools: {echo: 60}}
    allowPrivate: true
    pin: true
    repositoryUrl: https://e.org/
    containerPort: 80
  - {name: pkg, packageName: "a-b[x,y]@1.2", runtime: python, command: [--root, /data]}
  - {name: img, dockerImage: "img:1"}
  - name: web
    externalUrl: https://e.org/mcp
    transport: SSE
    headers:
      - {name: Authorization, valueFrom: {secretRef: {name: keys, key: other}}}
      - {name: X-C, value: "secret:not/meant"}
proxymodels:
  - {name: zbase, description: d, labels: {a: b}, stages: [{type: paginate, config: {pageSize: 5000}}]}
  - {name: above, extends: [zbase], appliesTo: [prompt], cacheable: false, gate: true}
projects:
  - name: p
    description: d
    labels: {a: b}
    proxyModel: none
    servers: [web, {server: local, prefix: l, proxyModel: none}]
    prompt: "Be kind.\\nAlways.\\n"
    llm: {baseUrl: "https://e.org/v1", model: m, apiKeySecret: {name: keys, key: k}, tier: fast, timeoutMs: 5, maxTokens: 6}
    separator: "."
prompts:
  - {name: hello, project: p, description: d, labels: {a: b}, content: "yes", priority: 9, summary: s, chapters: [one],
     linkTarget: "p/web:file:///x"}
promptrequests:
  - {name: maybe, project: p, description: d, labels: {a: b}, content: t, priority: 2, summary: s, chapters: [one],
     createdBySession: sess}
mcptokens:
  - {name: agent, project: p, description: d, ttl: 30d, bindings: ["role:view,resource:servers,name:web", "action:logs"]}
  - {name: clone, project: p, rbacMode: clone}
rbac:
  - name: readers
    description: d
    labels: {a: b}
    subjects: ["User:ada@example.com", "Group:team", "ServiceAccount:project:p"]
    roleBindings: ["role:view,resource:servers", "role:view,resource:prompts,name:p/*", "action:logs"]
"""


# Taken from files of earlier versions, without an effect.
WITHOUT_EFFECT = {"gated", "proxyMode"}


def kinds_of(gateway):
    """{name: kind} of those that can be made, from the schema table."""
    return {kind["name"]: kind for kind in gateway.rest("GET", "kinds", bearer=None).json["kinds"] if "create" in kind["verbs"]}


def written_fields(kind):
    return [field for field in kind["fields"] if not field["readOnly"] and field["name"] not in WITHOUT_EFFECT]


def paths_in_table(fields, above=""):
    """Of all fields that can be written and read, nested ones with dots."""
    for field in fields:
        if field["readOnly"] or field["writeOnly"] or field["name"] in WITHOUT_EFFECT:
            continue
        yield above + field["name"]
        yield from paths_in_table(field.get("fields", ()), f"{above}{field['name']}.")


def paths_in(value, above=""):
    for item in value if isinstance(value, list) else [value]:
        for name, member in item.items() if isinstance(item, dict) else ():
            yield above + name
            yield from paths_in(member, f"{above}{name}.")


def everything(gateway):
    return json.loads(gateway.mcpctl("get", "all", "-o", "json"))["items"]


def test_everything_comes_back_unchanged():
    with Gateway() as gateway:
        first = gateway.mcpctl("apply", "-f", "-", input=EVERYTHING)
        assert first.count(" created\n") == 19, first
        said = {}
        for item in everything(gateway):
            said.setdefault(item["kind"], set()).update(paths_in(item))
        for name, kind in kinds_of(gateway).items():
            left = set(paths_in_table(kind["fields"])) - said[name]
            assert not left, f"no {name} has {left}"
        revision = gateway.rest("GET", "servers").json["revision"]
        for words in (["all", "-o", "yaml"], ["all", "-o", "json"], ["all", "-p", "p", "-o", "yaml"]):
            text = gateway.mcpctl("get", *words)
            assert "planted-secret" not in text
            lines = gateway.mcpctl("apply", "-f", "-", input=text).splitlines()
            assert len(lines) >= 8 and all(line.endswith(" unchanged") for line in lines), lines
            assert gateway.mcpctl("diff", "-f", "-", input=text) == ""
        for kind in kinds_of(gateway):
            text = gateway.mcpctl("get", kind, "-p", "p", "-o", "yaml")
            text = text if kind != "rbac" else gateway.mcpctl("get", "rbac", "readers", "-o", "yaml")
            lines = gateway.mcpctl("apply", "-f", "-", input=text).splitlines()
            assert lines and all(line.endswith(" unchanged") for line in lines), lines
        assert gateway.rest("GET", "servers").json["revision"] == revision  # nothing was written


SECRETS = {"k": "planted-secret", "other": "two\nlines"}  # what lists do not tell


def binding_text(binding):
    if "action" in binding:
        return "action:" + binding["action"]
    return ",".join(f"{key}:{binding[key]}" for key in ("role", "resource", "name") if key in binding)


TEXT_FORMS = {"subjects": lambda one: f"{one['kind']}:{one['name']}", "roleBindings": binding_text, "bindings": binding_text}


def flag_words(field, value):
    """A field's value as flags, by its type in the table."""
    flag = "--" + field["flag"]
    if field["type"] == "map":
        return [word for key, text in value.items() for word in (flag, f"{key}={SECRETS[key] if field['item'] == 'secret' else text}")]
    if field["type"] == "list":
        form = TEXT_FORMS.get(field["name"], json.dumps if field["item"] == "object" else str)
        return [word for one in value for word in (flag, form(one))]
    if field["type"] == "boolean":
        return [f"{flag}={json.dumps(value)}"]
    return [flag, json.dumps(value) if field["type"] == "object" else str(value)]


def create_words(kind, item, used):
    """`create` with a flag for every member of the object. `used`: names of fields that had one."""
    words, rest = ["create", kind["name"], item[kind.get("nameField", "name")]], []
    for field in written_fields(kind):
        name = field["name"]
        if name == "password" or (name in item and field.get("flag") is None and name != "expiresAt"):
            continue
        if name not in item or (name == "bindings" and item.get("rbacMode") == "clone"):
            continue
        used.add(name)
        if name == "expiresAt":
            words += ["--ttl", item[name]]
        elif name == "command":
            rest = ["--", *item[name]]
        elif name != "project":
            words += flag_words(field, item[name])
    if "project" in item:
        words += ["-p", item["project"]]
    return words + (["--password-stdin"] if kind["name"] == "user" else []) + rest


def without_server_owned(kinds, items):
    out = []
    for item in items:
        own = {field["name"] for field in kinds[item["kind"]]["fields"] if field["readOnly"]}
        out.append({name: value for name, value in item.items() if name not in own})
    return out


def test_flags_say_what_files_say():
    with Gateway() as files, Gateway() as flags:
        kinds = kinds_of(files)
        there = {(item["kind"], item.get("name", item.get("email"))) for item in everything(flags)}
        files.mcpctl("apply", "-f", "-", input=EVERYTHING)
        used = {name: set() for name in kinds}
        wanted = everything(files)
        left = [item for item in wanted if (item["kind"], item.get("name", item.get("email"))) not in there]
        while left:  # what builds on another of its kind comes after it
            failed, said = [], ""
            for item in left:
                kind = kinds[item["kind"]]
                done = flags.mcpctl(*create_words(kind, item, used[kind["name"]]), input=PASSWORD, code=None)
                if done.returncode:
                    failed.append(item)
                    said += done.stderr
            assert len(failed) < len(left), said
            left = failed
        assert without_server_owned(kinds, everything(flags)) == without_server_owned(kinds, wanted)
        for name, kind in kinds.items():
            own = {kind.get("nameField", "name"), "project", "password", "ttl", "force"}  # the argument, -p, --password-stdin …
            left = {field["name"] for field in written_fields(kind)} - used[name] - own
            assert not left, f"create {name} has no flag for {left}"
            shown = flags.mcpctl("create", name, "--help")
            for field in written_fields(kind):
                assert field.get("flag") is None or f"--{field['flag']}" in shown, f"create {name} has no --{field['flag']}"
