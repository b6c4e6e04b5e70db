"""Functions and words that this code base does without."""

import re

from tree import ROOT, blank, files, finish, line_of, report

CODE = ("lib/", "capi/", "bin/", "examples/", "tests/", "include/")
CORE = ("lib/", "capi/")
ABORTS = "lib/json/invariant.cc"  # a defect of ours: says where and ends the process
SECRETS = ("lib/crypto/", "lib/token/", "lib/store/", "lib/control/", "lib/service/", "capi/")


def call(names):
    return rf"(?<![\w.>])(?:std::|::)?(?:{names})\s*\("


# what, where, except in, why
RULES = [
    (call("strcpy|strcat|stpcpy|v?sprintf|gets"), CODE, (), "writes without a bound"),
    (call("atoi|atol|atoll|atof"), CODE, (), "reports no error: use parse_decimal"),
    (call("strtok|gmtime|localtime|asctime|ctime|strerror_l?_unsafe"), CODE, (), "keeps its result in a static: use the _r form"),
    (call("rand|srand|drand48"), CODE, (), "is no source of randomness: lib/crypto, or <random> in tests"),
    (call("system|popen"), CORE + ("bin/",), (), "goes through a shell: use lib/loop/child"),
    (r"std::w?regex\b|#\s*include\s*<regex>", CODE, (), "takes exponential time and the whole stack"),
    (r"std::(cout|cerr|clog)\b|#\s*include\s*<iostream>|" + call("printf|puts|fprintf|perror"), CORE, (ABORTS,),
     "the library writes to no stream: use Log"),
    (call("getenv|secure_getenv|setenv|putenv"), CORE, (), "the library reads no environment: bin/ does"),
    (call("exit|abort|_exit|quick_exit"), CORE, ("lib/loop/child_exec.cc", ABORTS), "the library never exits"),
    (r"\bcatch\s*\(\s*\.\.\.", CORE + ("bin/",), ("capi/guard.h",), "hides defects: only capi/guard.h stops everything"),
    (r"\bcatch\s*\((?!const std::bad_alloc&|\s*\.)", CORE, (), "the core knows no exception but std::bad_alloc"),
    (r"\bthrow\b(?! std::bad_alloc\(\))", CORE, ("lib/loop/task.h",), "failures are a Result"),
    (call("memcmp"), SECRETS, (), "takes a time that tells where secrets differ: use crypto::equal"),
    (r"\bTODO\b|\bFIXME\b|\bXXX\b", CODE, (), "unfinished work"),
]

count = 0
for path in files(*(f"{top}*.{kind}" for top in CODE for kind in ("h", "hpp", "c", "cc"))):
    original, name = path.read_text(), path.relative_to(ROOT).as_posix()
    count += 1
    for pattern, where, exceptions, why in RULES:
        if not name.startswith(where) or name in exceptions:
            continue
        text = original if "TODO" in pattern else blank(original)
        for match in re.finditer(pattern, text):
            report(path, line_of(text, match.start()), f"`{match.group().strip()}` {why}")
finish(f"{count} files without banned words")
