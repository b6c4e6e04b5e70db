"""What the tests share: a first user, a project and a token, made through any function that asks the service."""

import json
from pathlib import Path

EMAIL, PASSWORD = "ada@example.com", "correct horse battery"
ACCEPT = ("Accept", "application/json, text/event-stream")


def initialize(request_id=1, version="2025-06-18"):
    return {"jsonrpc": "2.0", "id": request_id, "method": "initialize",
            "params": {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}}


def headers(bearer=None, body=None, *more):
    fields = [("Host", "localhost"), *more]
    if bearer:
        fields.append(("Authorization", f"Bearer {bearer}"))
    if body is not None:
        fields.append(("Content-Type", "application/json"))
    return fields


def steps(data_dir):
    """The way to a token, as a generator: yields (method, target, bearer, body), is sent (status, JSON); returns both bearers."""
    code = (Path(data_dir) / "bootstrap-code").read_text().strip()
    status, _ = yield "POST", "/api/v1/auth/bootstrap", None, {"email": EMAIL, "password": PASSWORD, "code": code}
    assert status == 201, status
    status, answer = yield "POST", "/api/v1/auth/login", None, {"email": EMAIL, "password": PASSWORD}
    assert status == 200, (status, answer)
    login = answer["token"]
    status, answer = yield "POST", "/api/v1/projects", login, {"name": "p", "proxyModel": "none"}
    assert status == 201, (status, answer)
    status, answer = yield "POST", "/api/v1/mcptokens", login, {"name": "t", "project": "p", "ttl": "1h"}
    assert status == 201, (status, answer)
    return login, answer["token"]


def encode(body):
    return b"" if body is None else json.dumps(body).encode()
