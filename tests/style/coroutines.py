"""GCC 12 destroys an aggregate temporary in the arguments of an awaited call twice: awaited calls take named objects."""

import re

from tree import blank, files, finish, line_of, report

NAMED = re.compile(r"\s*(std::move\(\s*[\w.]+(->[\w.]+)*\s*\)|[*&]?-?[\w:']+((\.|->)[\w]+)*(\(\))?)\s*")


def arguments(text):
    """The top-level arguments of `f(…)…;`, for every pair of round brackets outside of another."""
    depth, start, out = 0, 0, []
    for offset, char in enumerate(text):
        if char in ")" and depth == 1 or char == "," and depth == 1:
            out.append(text[start:offset])
        depth += (char in "([{") - (char in ")]}")
        if depth < 0:
            break  # the bracket that closes MCPT_CO_TRY( or if (
        if char in "(," and depth == 1:
            start = offset + 1
    return [one for one in out if one.strip()]


count = 0
for path in files("lib/*.h", "lib/*.cc", "capi/*.h", "capi/*.cc"):
    original = path.read_text()
    text = blank(original, strings=False)
    for match in re.finditer(r"\bco_await\b", blank(original)):
        count += 1
        awaited = text[match.end():text.find(";", match.end())]
        line = line_of(text, match.start())
        if "{" in awaited:
            report(path, line, "a '{' between co_await and ';': name the object first")
            continue
        for argument in arguments(awaited):
            if not NAMED.fullmatch(argument):
                report(path, line, f"the awaited call gets the temporary `{argument.strip()}`: give it a name first, or name the "
                       "task: auto task = f(…); co_await task;")
finish(f"{count} awaits")
