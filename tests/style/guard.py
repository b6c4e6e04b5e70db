"""No exception crosses the C API: every definition in capi/ is one guarded call, or is listed here with why it cannot throw."""

import re

from tree import blank, files, finish, line_of, report

GUARDED = re.compile(r"(return\s+)?(guard|guard_value|on|write)\s*(<[^>]*>)?\s*\(")
RELEASE = re.compile(r"delete \w+;")  # destructors are noexcept
CANNOT_THROW = {
    "a member read, or a static text": """version abi_version status_name error_status error_message error_code error_hint
        error_request_id error_http_status error_jsonrpc_code error_data bytes_data bytes_size json_root json_type json_size json_at
        json_key json_get json_text json_boolean json_integer client_http_status exchange_answered service_needs_bootstrap
        loop_fd loop_timeout identity_token_name identity_token_sha identity_project identity_owner identity_expires_ms
        identity_rights""",
    "a member write": "session_on_notification watch_expect",
    "bytes wiped in place": "bytes_free",
    "one system call on a handle that exists": "watch_change",
    "a guarded call, then a destructor": "exchange_free",
    "delete, but for the static record": "error_free",
}
LISTED = {"mcptoken_" + name for names in CANNOT_THROW.values() for name in names.split()}


def closing(text, start, pair="{}"):
    """Offset behind the bracket that closes the one at `start`."""
    depth = 0
    for offset in range(start, len(text)):
        depth += (text[offset] == pair[0]) - (text[offset] == pair[1])
        if depth == 0:
            return offset + 1
    return len(text)


def is_guarded(body):
    call = GUARDED.match(body)
    return bool(call) and body[closing(body, call.end() - 1, "()"):].strip() == ";"


used, count = set(), 0
for path in files("capi/*.cc"):
    text = blank(path.read_text(), strings=False)
    plain = blank(path.read_text())
    for block in re.finditer(r'extern "C" \{', text):
        end = closing(plain, block.end() - 1)
        offset = block.end()
        while definition := re.compile(r"\b(\w+)\s*\(([^()]|\([^()]*\))*\)\s*(noexcept\s*)?\{").search(plain, offset, end):
            offset = closing(plain, definition.end() - 1)
            body = plain[definition.end():offset - 1].strip()
            name, count = definition[1], count + 1
            if is_guarded(body) or RELEASE.fullmatch(body):
                continue
            used.add(name)
            if name not in LISTED:
                report(path, line_of(text, definition.start()), f"{name} is not a single call to guard(), guard_value(), on() or "
                       "write(): wrap it, or list it in tests/style/guard.py with why it cannot throw")
for name in sorted(LISTED - used):
    report("tests/style/guard.py", 1, f"{name} is listed as unable to throw, but is guarded or gone: remove it")
finish(f"{count} functions of the C API let no exception out")
