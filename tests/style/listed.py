"""Listed: every test_*.py and *_test.cc stands in the meson.build beside or above it. One that nobody runs cannot fail."""

from tree import ROOT, files, finish, report

APART = {"tests/e2e/test_connect.py"}  # clients that come from the net, for scripts/test-clients

count = 0
for path in files("tests/*test_*.py", "tests/unit/*_test.cc"):
    name = path.relative_to(ROOT).as_posix()
    if name in APART or name.startswith("tests/python/"):  # which its run.py finds by itself
        continue
    count += 1
    folder = path.parent
    words = {path.name, f"'{path.stem.removeprefix('test_')}'", f"'{path.stem}'"}
    said = ""
    while folder != ROOT.parent and folder != ROOT:
        build = folder / "meson.build"
        said += build.read_text() if build.exists() else ""
        folder = folder.parent
    if not any(word in said for word in words):
        report(path, 1, "no meson.build names it")
finish(f"{count} files of tests")
