"""The official client packages, through the gateway, to the official example server and to ours."""

from contextlib import contextmanager

from harness import Gateway, NodeClient

SERVERS = ("example", "web", "everything", "everyweb")
ECHO = {"example": "hello", "web": "hello", "everything": "Echo: hello", "everyweb": "Echo: hello"}
FLAVOURS = {"v1": "2025-11-25", "legacy": "2025-11-25", "auto": "2026-07-28", "modern": "2026-07-28"}


@contextmanager
def fixture():
    with Gateway() as gateway:
        gateway.example()
        gateway.example_http()
        gateway.everything()
        gateway.everything_http()
        gateway.example("old", era="legacy")
        gateway.project("demo", *SERVERS, "old")
        gateway.ready(gateway.token("warm-up"), *SERVERS)
        yield gateway


def lists_and_calls(gateway, flavour):
    with NodeClient(gateway, gateway.token(f"fresh-{flavour}"), flavour) as client:
        assert client.hello["version"] == FLAVOURS[flavour], client.hello
        tools = client.do("list")["tools"]
        for server in SERVERS:
            assert f"{server}__echo" in tools, tools
            assert client.call(f"{server}__echo", message="hello")["text"] == ECHO[server]
        for server in ("example", "web"):
            slow = client.call(f"{server}__slow", seconds=0.4, steps=4)
            assert slow["text"] == "done in 4 steps"
            assert slow["progress"] == [[1, 4], [2, 4], [3, 4], [4, 4]], slow
        for server in ("everything", "everyweb"):
            slow = client.call(f"{server}__trigger-long-running-operation", duration=0.4, steps=4)
            assert slow["text"].startswith("Long running operation completed"), slow
            assert slow["progress"] == [[1, 4], [2, 4], [3, 4], [4, 4]], slow


def test_sdk_1(gateway):
    lists_and_calls(gateway, "v1")


def test_client_2_legacy(gateway):
    lists_and_calls(gateway, "legacy")


def test_client_2_auto(gateway):
    lists_and_calls(gateway, "auto")


def test_client_2_modern(gateway):
    lists_and_calls(gateway, "modern")


def elicits(gateway, flavour, tool, question, answer):
    with NodeClient(gateway, gateway.token(f"asked-{flavour}-{tool.split('__')[0]}"), flavour, "elicit") as client:
        for _ in range(2):
            told = client.call(tool)
            assert told["asked"] == [question], told
            assert answer in told["text"], told


def test_elicitation_sdk_1(gateway):
    elicits(gateway, "v1", "old__ask", "Your name?", "answer: ")
    elicits(gateway, "v1", "everything__trigger-elicitation-request", "Please provide inputs for the following fields:",
            "- Name: Ada")


def test_elicitation_client_2_legacy(gateway):
    elicits(gateway, "legacy", "old__ask", "Your name?", "answer: ")
    elicits(gateway, "legacy", "everything__trigger-elicitation-request",
            "Please provide inputs for the following fields:", "- Name: Ada")


def test_elicitation_client_2_modern_by_servers_of_the_other_era(gateway):
    for server in ("old", "example"):
        elicits(gateway, "modern", f"{server}__ask", "Your name?", "answer: ")
    for server in ("everything", "everyweb"):
        elicits(gateway, "modern", f"{server}__trigger-elicitation-request",
                "Please provide inputs for the following fields:", "- Name: Ada")


def test_a_client_that_cannot_be_asked_is_not(gateway):
    with NodeClient(gateway, gateway.token("unasked"), "v1") as client:
        told = client.call("old__ask")
        assert told["isError"] and not told["asked"], told
