"""Servers whose lists hold entries against the rules: the official clients, which refuse a list whole, still see all the rest, and
what is left out is named with the reason."""

from contextlib import contextmanager

import doubles
import wire
from harness import Gateway, NodeClient
from wire import LEGACY

FLAVOURS = ("v1", "legacy", "modern")
ANY = {"type": "object"}
HIDDEN = "says more than it shows\u202e"
GOOD = {"tools": {"name": "good", "description": HIDDEN, "inputSchema": {"type": "object", "properties": {"any": True}}},
        "prompts": {"name": "good"},
        "resources": {"name": "good", "uri": "test://good"}, "resourceTemplates": {"name": "good", "uriTemplate": "test://good/{x}"}}
# What is missing can only be one thing.
LOOSE = {"tools": [{"name": "bare"}, {"name": "free", "inputSchema": {"required": []}}], "prompts": [],
         "resources": [{"uri": "test://bare"}], "resourceTemplates": [{"uriTemplate": "test://bare/{x}"}]}
KEYS = {"tools": "name", "prompts": "name", "resources": "uri", "resourceTemplates": "uriTemplate"}
EVERY = [{"title": 7}, {"title": None}, {"description": 5}, {"icons": {}}, {"icons": [{}]}, {"_meta": []}]
# What is wrong with the entries of each list.
FLAWS = {
    "tools": [*EVERY, {"inputSchema": None}, {"inputSchema": "x"}, {"inputSchema": {"type": 7}}, {"inputSchema": {"type": "string"}},
              {"inputSchema": ANY | {"properties": []}}, {"inputSchema": ANY | {"required": None}}, {"annotations": []},
              {"annotations": {"readOnlyHint": "yes"}}, {"outputSchema": 7}, {"execution": 7}],
    "prompts": [*EVERY, {"arguments": {}}, {"arguments": [{"description": "x"}]}, {"arguments": [{"name": "x", "required": "x"}]}],
    "resources": [*EVERY, {"name": None}, {"mimeType": 1}, {"size": "1"}, {"annotations": {"priority": 7}},
                  {"annotations": {"audience": ["robot"]}}, {"annotations": {"lastModified": "yesterday"}}],
    "resourceTemplates": [*EVERY, {"name": None}, {"mimeType": 1}, {"annotations": {"audience": "user"}}],
}
LISTS = {"tools/list": "tools", "prompts/list": "prompts", "resources/list": "resources",
         "resources/templates/list": "resourceTemplates"}


def entries(array):
    key, good = KEYS[array], GOOD[array]
    bad = [good | {key: f"{good[key]}-{number}"} | flaw for number, flaw in enumerate(FLAWS[array])]
    nameless = {member: value for member, value in good.items() if member != key}
    return [*bad, nameless, good | {key: 7}, 7, None, good, good | {"title": "again"}, *LOOSE[array]]


class Server(doubles.Handler):
    def do_POST(self):
        message = self.message()
        if message["method"] == "initialize":
            capabilities = {"tools": {}, "prompts": {}, "resources": {}}
            return self.result(message, {"protocolVersion": LEGACY, "capabilities": capabilities,
                                         "serverInfo": {"name": "s", "version": "1"}})
        array = LISTS.get(message["method"])
        if array:
            return self.result(message, {array: entries(array)})
        return self.plain(202 if "id" not in message else 404)

    def do_GET(self):
        self.plain(405)


@contextmanager
def fixture():
    with doubles.serving(Server) as server, Gateway() as gateway:
        gateway.example("fine")
        gateway.http("bad", server.server_port)
        gateway.project("demo", "fine", "bad")
        gateway.bearer = gateway.token("t")
        gateway.ready(gateway.bearer, "fine")
        yield gateway


def test_official_clients_see_the_rest(gateway):
    for flavour in FLAVOURS:
        with NodeClient(gateway, gateway.bearer, flavour) as client:
            tools, offers = client.do("list")["tools"], client.do("offers")
        seen = [one for one in tools if one.startswith("bad__")]
        assert "fine__echo" in tools and seen == ["bad__good", "bad__bare", "bad__free"], (flavour, tools)
        assert [one for one in offers["prompts"] if one.startswith("bad__")] == ["bad__good"], (flavour, offers)
        for offer, end in (("resources", ""), ("templates", "/{x}")):
            seen = [one for one in offers[offer] if "m.bad+" in one]
            assert seen == [f"m.bad+test://good{end}", f"m.bad+test://bare{end}"], (flavour, offers)


def test_what_is_left_out_is_named_with_the_reason(gateway):
    for kind in (wire.Legacy, wire.Modern):
        client = kind(gateway.port, gateway.bearer)
        for method, array in LISTS.items():
            listed = client.request(method, {})["result"]
            named = listed["_meta"]["io.mcptoken/unusable"]
            assert len(named) == len(entries(array)) - 1 - len(LOOSE[array]), (method, named)
            assert all(one["reason"] for one in named), named
    reasons = {one["name"]: one["reason"] for one in wire.Modern(gateway.port, gateway.bearer).request("tools/list", {})["result"]["_meta"]
               ["io.mcptoken/unusable"]}
    assert reasons["bad__good-0"] == "title is not text" and reasons["bad__good-8"] == 'inputSchema.type is not "object"', reasons
    assert '"good" is listed twice; the first counts' in reasons.values(), reasons


def test_text_that_nobody_sees_is_shown_as_it_is_and_named(gateway):
    """For the client with each list, for who runs the gateway in its log, once."""
    for kind in (wire.Legacy, wire.Modern, wire.Legacy):
        listed = kind(gateway.port, gateway.bearer).request("tools/list", {})["result"]
        assert next(tool for tool in listed["tools"] if tool["name"] == "bad__good")["description"] == HIDDEN
        what = "1 character that nobody sees, the first is U+202E"
        assert listed["_meta"]["io.mcptoken/suspicious"] == [{"name": "bad__good", "reason": what}], listed["_meta"]
    assert gateway.log.read_text().count(f'bad: tools/list: "good" has {what}') == 1


def test_legacy_clients_are_shown_schemas_that_are_objects(gateway):
    for kind, wanted in ((wire.Legacy, {}), (wire.Modern, True)):
        tools = kind(gateway.port, gateway.bearer).request("tools/list", {})["result"]["tools"]
        good = next(tool for tool in tools if tool["name"] == "bad__good")
        assert good["inputSchema"]["properties"]["any"] == wanted, good
