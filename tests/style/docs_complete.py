#!/usr/bin/env python3
"""docs_complete.py ROOT: docs/http-api.md lists exactly the routes there are, docs/settings.md the settings of mcpd."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])
TOKENS = {"kNever": "never", "kOwnProject": "own project", "kItself": "itself", "kWatch": "watch",
          "kReports": "reports"}


def source(path):
    return " ".join((ROOT / path).read_text(encoding="utf-8").split())


def table(path, first_cell):
    lines = [line for line in (ROOT / path).read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    rows = [tuple(cell.strip().strip("`") for cell in line.split("|")[1:5]) for line in lines]
    return {row for row in rows if re.fullmatch(first_cell, row[0])
            and row[1].startswith(("/api/v1/", "MCPD", "MCPLOCAL")) and "<" not in row[1]}


def permission(text):
    name, arguments = re.fullmatch(r"(\w+)\((.*)\)", text).groups()
    words = re.findall(r'Action::(\w+)|Resource::(\w+)|Operation::(\w+)|"(\w+)"', arguments)
    words = [a.rstrip("_") or r or o.replace("_", "-") or ":" + s for a, r, o, s in words]
    return {"open_to_all": "open", "anybody_known": "known", "needs": "", "needs_some": "some: ",
            "needs_operation": "operation "}[name] + " ".join(words)


def routes():
    text = source("lib/control/route.cc")
    for row in re.findall(r'row\("(\w+)", "(\S+)", (\w+\(.*?\)), (k\w+), \w+(?:, find_kind\("\w+"\))?\)', text):
        yield row[0], row[1], permission(row[2]), TOKENS[row[3]]
    generic = r'emplace_back\("(\w+)", (all|one)(?: \+ "(/\w+)")?, (?:on|needs_some)\(Action::(\w+?)_?[,)].*?, (k\w+|read),'
    kinds = r'\{"(\w+)", "(\w+)", Resource::\w+, \S+ \S+ false,'
    for kind, plural in re.findall(kinds, source("lib/control/kind_table.cc")):
        tokens = TOKENS | {"read": "own project" if kind == "project" else "never"}
        for method, where, tail, action, token in re.findall(generic, text):
            path, right = f"/api/v1/{plural}", f"{action} {plural}"
            path, right = (path + f"/:{kind}", f"{right} :{kind}") if where == "one" else (path, "some: " + right)
            yield method, path + tail, right, tokens[token]


def settings():
    row = r'SettingRow\{Setting::\w+, "(\S+)", Kind::\w+, "(.*?)", ".*?", \S+, "([^"]?)([^{}]*)\}'
    for name, default, shown, rest in re.findall(row, source("bin/mcpd/settings.cc")):
        key = "–" if name == "config" else name
        if shown:
            yield "--" + name, ("MCPLOCAL_" if "kGatewayOnly" in rest else "MCPD_") + name.upper().replace("-", "_"), key, default or "–"


failures = 0
for what, doc, wanted in (("docs/http-api.md", table("docs/http-api.md", "[A-Z]+"), set(routes())),
                          ("docs/settings.md", table("docs/settings.md", "--.*"), set(settings()))):
    for state, rows in (("lacks", wanted - doc), ("has, but the code does not", doc - wanted)):
        for row in sorted(rows):
            print(f"{what} {state}: | {' | '.join(row)} |")
            failures += 1
    print(f"{what}: {len(wanted)} rows")
    failures += len(wanted) < 15  # the patterns above no longer fit the source
sys.exit(failures > 0)
