"""Lines: at most 140 columns (clang-format aims at 120; a raw string may be longer), no blanks at the end, no tabs in code,
a newline at the end of the file."""

from tree import ROOT, files, finish, report

CODE = (".h", ".hpp", ".c", ".cc", ".py", ".js", ".mjs", ".sh", ".build")
TEXT = CODE + (".md", ".txt", ".map", ".yaml", ".yml", ".toml")
MOST = 140

count = 0
for path in files("*"):
    name = path.relative_to(ROOT).as_posix()
    if path.suffix not in TEXT or "/corpus/" in name:
        continue
    text = path.read_text()
    count += 1
    if text and not text.endswith("\n"):
        report(path, text.count("\n") + 1, "no newline at the end of the file")
    for number, line in enumerate(text.split("\n"), 1):
        if path.suffix in CODE and len(line) > MOST and 'R"' not in line:
            report(path, number, f"{len(line)} columns, {MOST} are the most")
        if line != line.rstrip():
            report(path, number, "blanks at the end of the line")
        if path.suffix in CODE and "\t" in line:
            report(path, number, "a tab")
finish(f"{count} files")
