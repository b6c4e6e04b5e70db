"""The project speaks of itself alone: no machine's paths, no registry's or mirror's host name, in any file."""

import re

from tree import ROOT, files, finish, line_of, report

# In two pieces, so that this file passes, too.
WORDS = [("/wo" "rk/", "a path of one machine"), ("/ro" "ot/", "a path of one machine"), (r"session" r"[ _-]brief", "not about us"),
         ("CCACHE" "_DIR", "a setting of one machine")]
WORDS += [(host.replace(".", r"\."), "a registry's host name: say `npm` or `apt` and let their settings choose") for host in (
    "registry." "npmjs.org", "registry." "yarnpkg.com", "deb." "debian.org", "security." "debian.org", "archive." "ubuntu.com",
    "files." "pythonhosted.org", "pypi." "org", "static." "crates.io", "proxy." "golang.org")]
BINARY = re.compile(rb"[\x00]")

count = 0
for path in files("*"):
    data = path.read_bytes()
    if BINARY.search(data):
        continue
    text = data.decode("utf-8", "replace")
    count += 1
    for pattern, why in WORDS:
        for match in re.finditer(pattern, text, re.I):
            report(path, line_of(text, match.start()), f"`{match.group()}`: {why}")
    if re.search("session" "[ _-]brief", path.relative_to(ROOT).as_posix(), re.I):
        report(path, 1, "a file name that is not about the project")
finish(f"{count} files speak of the project alone")
