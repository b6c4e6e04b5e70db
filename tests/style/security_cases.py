#!/usr/bin/env python3
"""security_cases.py ROOT: every test that docs/security-cases.md names is there, under the name that the document gives.

A name in quotation marks belongs to the unit program named before it, `test_…` to the end-to-end tests. A `*` at the end stands for
the rest, as in `-tc="…"`; a comma cannot be in a name there, for that option takes a list."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])
DOC = "docs/security-cases.md"
CASE = r'(?:TEST_CASE|SCENARIO)(?:_FIXTURE|_METHOD)?\(\s*(?:\w+,\s*)?((?:"(?:[^"\\]|\\.)*"\s*)+)'


def names_in(folder):
    found = set()
    for path in sorted((ROOT / "tests/unit" / folder).glob("*.cc")):
        for literals in re.findall(CASE, path.read_text(encoding="utf-8")):
            found.add("".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals)))
    return found


def functions():
    found = set()
    for path in sorted((ROOT / "tests").rglob("*.py")) + sorted((ROOT / "tests").rglob("*.cc")):
        found |= set(re.findall(r"(?:def|void) (test_\w+)\(", path.read_text(encoding="utf-8")))
    return found


def matches(wanted, names):
    return any(name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted for name in names)


programs = {path.name: names_in(path.name) for path in (ROOT / "tests/unit").iterdir() if path.is_dir()}
all_functions = functions()
text = (ROOT / DOC).read_text(encoding="utf-8")
text = re.sub(r'`build/tests[^`]*`', "", text)
failures, seen, program = 0, 0, ""
for number, line in enumerate(text.splitlines(), 1):
    line = line.split("|")[-2] if line.startswith("|") else line
    for word, quoted, function in re.findall(r'\b([a-z]+)(?= ")|"([^"]+)"|`(test_[^`]*)`', line):
        if word:
            program = word
            continue
        seen += 1
        problem = ""
        if quoted and program not in programs:
            problem = f'no unit program is called "{program}"'
        elif quoted and "," in quoted:
            problem = "a comma in the name: end it with * before that"
        elif not matches(quoted or function, programs.get(program, ()) if quoted else all_functions):
            problem = f"no test of {program}" if quoted else "no function of the end-to-end tests"
        if problem:
            print(f'{DOC}:{number}: "{quoted or function}": {problem}')
            failures += 1
print(f"{DOC}: {seen} names of tests")
sys.exit(failures > 0 or seen < 100)
