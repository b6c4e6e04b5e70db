"""Start here. Each script takes the source root, prints `path:line: what is wrong` for all it finds, and fails if it did."""

import re
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(sys.argv[1]).resolve()
_TOKEN = re.compile(
    r'R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"'  # raw string
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'"  # a character, not the separator of 10'000
    r"|//[^\n]*|/\*.*?\*/", re.S)
_found = []


def files(*patterns):
    """What git knows or would add; outside a clone all but build folders. A pattern's star goes over slashes, too."""
    git = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True)
    if git.returncode == 0 and git.stdout:
        names = {ROOT / name for name in git.stdout.decode().split("\0") if name}
    else:
        skip = re.compile(r"(^|/)(build[^/]*|node_modules|__pycache__|\.git)(/|$)")
        names = {path for path in ROOT.rglob("*") if not skip.search(path.relative_to(ROOT).as_posix())}
    wanted = {path for path in names if path.is_file()
              and any(fnmatchcase(path.relative_to(ROOT).as_posix(), pattern) for pattern in patterns)}
    if not wanted:
        sys.exit(f"{Path(sys.argv[0]).name}: no file matches {patterns} in {ROOT}: the check would pass for nothing")
    return sorted(wanted)


def folder(path):
    return path.relative_to(ROOT).parent.as_posix()


def blank(text, strings=True, comments=True):
    """Code with comments and the insides of literals as spaces: line numbers stay right."""
    def empty(match):
        piece = match.group()
        is_comment = piece.startswith(("//", "/*"))
        if not (comments if is_comment else strings):
            return piece
        kept = "" if is_comment else piece[-1]
        return kept + re.sub(r"[^\n]", " ", piece[len(kept):len(piece) - len(kept)]) + kept
    return _TOKEN.sub(empty, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def report(path, line, message):
    name = path.relative_to(ROOT) if isinstance(path, Path) else path
    _found.append(f"{name}:{line}: {message}")


def finish(what):
    print("\n".join(_found) if _found else f"ok: {what}")
    sys.exit(1 if _found else 0)
