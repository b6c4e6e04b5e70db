// A small table of kinds with every shape of field, independent of the library's own table.
#pragma once
#include <doctest/doctest.h>

#include "command.h"

namespace mcpctl {

inline constexpr const char* kFixtureKinds = R"({"kinds":[
 {"name":"server","plural":"servers","aliases":["srv"],"scope":"global","nameField":"name","help":"An MCP server.",
  "verbs":["get","create","replace","delete"],
  "fields":[{"name":"name","type":"string","required":true},
   {"name":"transport","type":"enum","enum":["STDIO","STREAMABLE_HTTP"],"required":true,"flag":"transport","help":"How."},
   {"name":"command","type":"list","item":"string","flag":"command","help":"Program."},
   {"name":"env","type":"list","item":"object","flag":"env","repeatable":true,"help":"Environment."},
   {"name":"labels","type":"map","flag":"label","repeatable":true,"help":"Labels."},
   {"name":"replicas","type":"integer","default":1,"flag":"replicas","help":"How many."},
   {"name":"pin","type":"boolean","flag":"pin","help":"Pinned."},
   {"name":"probe","type":"object","flag":"probe","help":"Probe."},
   {"name":"notes","type":"list","item":"object","flag":"note","help":"Notes."},
   {"name":"tags","type":"list","item":"string","flag":"tag","help":"Tags."},
   {"name":"hidden","type":"string","help":"No flag."},
   {"name":"state","type":"string","readOnly":true,"flag":"state"}],
  "columns":[{"title":"NAME","field":"name","format":"text"},{"title":"AGE","field":"createdAt","format":"age"},
   {"title":"ENV","field":"env","format":"list"},{"title":"PIN","field":"pin","format":"bool"}]},
 {"name":"project","plural":"projects","aliases":[],"scope":"global","nameField":"name","help":"A project.",
  "verbs":["get","create","replace","delete"],
  "fields":[{"name":"name","type":"string"},{"name":"servers","type":"list","item":"object","flag":"server","help":"Attached."}],
  "columns":[]},
 {"name":"rbac","plural":"rbac","aliases":[],"scope":"global","nameField":"name","help":"Rights.","verbs":["get","create"],
  "fields":[{"name":"name","type":"string"},{"name":"subjects","type":"list","item":"object","flag":"subject","help":"Who."},
   {"name":"roleBindings","type":"list","item":"object","flag":"roleBindings","help":"What."}],"columns":[]},
 {"name":"secret","plural":"secrets","aliases":["sec"],"scope":"global","nameField":"name","help":"Values.",
  "verbs":["get","create"],"fields":[{"name":"name","type":"string"},{"name":"data","type":"map","flag":"data","help":"One."}],
  "columns":[]},
 {"name":"user","plural":"users","aliases":[],"scope":"global","nameField":"email","help":"A person.","verbs":["get","create"],
  "fields":[{"name":"email","type":"string"},{"name":"password","type":"secret","writeOnly":true,"help":"Password."}],
  "columns":[]},
 {"name":"mcptoken","plural":"mcptokens","aliases":["token"],"scope":"project","nameField":"name","help":"A token.",
  "verbs":["get","create","delete"],
  "fields":[{"name":"name","type":"string"},{"name":"project","type":"reference","required":true,"flag":"project"},
   {"name":"bindings","type":"list","item":"object","flag":"bind","help":"Rights."}],"columns":[]},
 {"name":"instance","plural":"instances","aliases":[],"scope":"global","nameField":"name","help":"Running.","verbs":["get"],
  "fields":[],"columns":[]}]})";

inline const Kinds& fixture_kinds() {
  static const Kinds kinds = [] {
    auto parsed = Kinds::parse(kFixtureKinds);
    REQUIRE(parsed.ok());
    return std::move(*parsed);
  }();
  return kinds;
}

inline const CommandTable& fixture_table() {
  static const CommandTable table(fixture_kinds());
  return table;
}

// "what: why | hint" of a failure, "" when there is none.
template <class T>
std::string failure_text(const Result<T>& result) {
  if (result.ok()) return {};
  const Failure& failure = result.failure();
  return failure.what + (failure.why.empty() ? "" : ": " + failure.why) +
         (failure.hint.empty() ? "" : " | " + failure.hint);
}

inline JsonDocument json(const std::string& text) {
  auto document = JsonDocument::parse(text, "test data");
  REQUIRE_MESSAGE(document.ok(), failure_text(document));
  return std::move(*document);
}

}  // namespace mcpctl
