#include "console.h"

#include <algorithm>

#include "fixture.h"
#include "output.h"
#include "sanitize.h"

namespace mcpctl {
namespace {

using Page = ConsoleModel::Page;
using Action = ConsoleModel::Action;

ConsoleEntry message(const std::string& token, const std::string& name, const std::string& outcome = "ok",
                     const std::string& session = "s1") {
  JsonWriter writer;
  writer.begin_object().member("time", "2026-11-24T10:22:11Z").member("session", session).member("tokenName", token);
  writer.member("kind", "tool_call_trace")
      .member("tool", name)
      .member("outcome", outcome)
      .key("durationMs")
      .integer(12);
  writer.key("payload").raw(R"({"a":{"b":1},"c":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]})").end_object();
  const auto text = writer.finish();
  return audit_entry(json(std::string(view_of(*text))).root());
}

ConsoleModel filled(size_t count) {
  ConsoleModel model(true);
  for (size_t i = 0; i < count; ++i)
    model.add(message(i % 2 == 0 ? "even" : "odd", "tool-" + std::to_string(i), i % 5 == 0 ? "tool error" : "ok",
                      "s" + std::to_string(i % 3)));
  return model;
}

std::string text_of(const ConsoleLine& line) {
  std::string text;
  for (const ConsoleSpan& span : line)
    text += span.text;
  return text;
}

std::string screen(const ConsoleModel& model, size_t width = 80, size_t height = 24) {
  std::string text;
  for (const ConsoleLine& line : console_lines(model, width, height))
    text += text_of(line) + "\n";
  return text;
}

Action press(ConsoleModel& model, const std::string& keys) {
  Action last = Action::kNone;
  for (const char c : keys)
    last = model.key({ConsoleKey::kChar, static_cast<char32_t>(c)}, console_room(model, 80, 24));
  return last;
}
Action press(ConsoleModel& model, ConsoleKey::Code code) { return model.key({code}, console_room(model, 80, 24)); }

bool shows(const ConsoleModel& model, const std::string& text) { return screen(model).find(text) != std::string::npos; }

}  // namespace

TEST_CASE("every page fits every size, and nothing in it moves a cursor") {
  ConsoleModel model = filled(60);
  model.add(message("evil\x1b[2J", "ta\x1b]0;x\x07\u202e\n\rool\u200b", "ok"));
  model.add(message("wide",
                    "\u6f22\u5b57\u6f22\u5b57\u6f22\u5b57\u6f22\u5b57\u6f22\u5b57\u6f22\u5b57\u6f22\u5b57\u6f22\u5b57"
                    "\u6f22\u5b57\u6f22\u5b57"));
  for (const Page page : {Page::kList, Page::kSessions, Page::kDetail, Page::kHelp}) {
    ConsoleModel one = model;
    if (page == Page::kSessions) press(one, ConsoleKey::kTab);
    if (page == Page::kDetail) press(one, ConsoleKey::kUp), press(one, ConsoleKey::kEnter);
    if (page == Page::kHelp) press(one, "?");
    REQUIRE(one.page() == page);
    for (const size_t width : {1, 10, 33, 80, 81, 200}) {
      for (const size_t height : {1, 2, 3, 4, 24, 60}) {
        const auto lines = console_lines(one, width, height);
        CHECK(lines.size() == height);
        for (const ConsoleLine& line : lines) {
          CHECK_MESSAGE(display_width(text_of(line)) <= width, text_of(line));
          for (size_t at = 0; at < text_of(line).size();)
            CHECK_FALSE(is_unsafe(next_code_point(text_of(line), at)));
        }
      }
    }
  }
}

TEST_CASE("80 by 24: columns, the newest at the end, the keys below") {
  const ConsoleModel model = filled(60);
  const auto lines = console_lines(model, 80, 24);
  CHECK(text_of(lines[1]).starts_with("TIME     TOKEN"));
  CHECK(text_of(lines[1]).find("OUTCOME") != std::string::npos);
  CHECK(text_of(lines[22]).find("tool-59") != std::string::npos);
  CHECK(text_of(lines[22]).find("odd") != std::string::npos);
  CHECK(text_of(lines[22]).find("     12") != std::string::npos);
  CHECK(lines[22][0].style == ConsoleStyle::kSelected);
  CHECK(text_of(lines[23]).starts_with("Enter detail"));
  CHECK(shows(model, "60 of 60  following"));
}

TEST_CASE("following ends with a look back and begins at the end") {
  ConsoleModel model = filled(60);
  press(model, "kk");
  CHECK_FALSE(model.follows());
  const std::string selected = model.selected_entry()->what;
  model.add(message("new", "newest"));
  CHECK(model.selected_entry()->what == selected);
  CHECK(shows(model, "paused"));
  press(model, "G");
  CHECK(model.follows());
  CHECK(model.selected_entry()->what == "newest");
  press(model, "g");
  CHECK(model.selected_entry()->what == "tool-0");
  press(model, ConsoleKey::kPageDown);
  CHECK(model.selected_entry()->what == "tool-21");
  press(model, "f");
  CHECK(model.follows());
}

TEST_CASE("filters: text, token, session, outcome; all cleared with one key") {
  ConsoleModel model = filled(60);
  press(model, "/TOOL-5");
  CHECK(model.typing());
  CHECK(model.shown().size() == 11);
  press(model, ConsoleKey::kBackspace);
  CHECK(model.shown().size() == 60);
  press(model, "59");
  press(model, ConsoleKey::kEnter);
  CHECK_FALSE(model.typing());
  CHECK(model.shown().size() == 1);
  CHECK(shows(model, "1 of 60"));
  press(model, "c");
  press(model, "t");
  CHECK(model.token() == "odd");
  CHECK(model.shown().size() == 30);
  press(model, "t");
  press(model, "o");
  CHECK(model.shown().size() == 12);
  press(model, "c");
  press(model, ConsoleKey::kTab);
  CHECK(shows(model, "SESSION"));
  CHECK(model.sessions().size() == 3);
  press(model, ConsoleKey::kEnter);
  CHECK(model.shown().size() == 20);
  CHECK(shows(model, "session s"));
  press(model, ConsoleKey::kEscape);
  CHECK(model.shown().size() == 60);
  press(model, "/nothing here");
  CHECK(shows(model, "Nothing passes the filters"));
}

TEST_CASE("the detail stays with its entry, pretty-printed, while others come") {
  ConsoleModel model = filled(3);
  press(model, ConsoleKey::kEnter);
  CHECK(model.page() == Page::kDetail);
  model.add(message("new", "newest"));
  CHECK(shows(model, "tool-2"));
  CHECK(shows(model, "\"b\": 1"));
  press(model, ConsoleKey::kEnd);
  const size_t end = model.scroll();
  CHECK(end == console_room(model, 80, 24).scroll);
  press(model, "k");
  CHECK(model.scroll() == end - std::min<size_t>(end, 1));
  press(model, "q");
  CHECK(model.page() == Page::kList);
  CHECK(press(model, "q") == Action::kQuit);
}

TEST_CASE("keys: help and back, export, quit") {
  ConsoleModel model = filled(4);
  press(model, "?");
  CHECK(shows(model, "export what is shown"));
  press(model, "x");
  CHECK(model.page() == Page::kList);
  CHECK(press(model, "e") == Action::kExport);
  press(model, "/odd");
  press(model, ConsoleKey::kEnter);
  const std::string out = model.exported();
  CHECK(std::count(out.begin(), out.end(), '\n') == 2);
  CHECK(json(out.substr(0, out.find('\n'))).root().text("tokenName") == "odd");
  CHECK(model.key({ConsoleKey::kInterrupt}, {}) == Action::kQuit);
}

TEST_CASE("memory is bounded, and what is gone is said") {
  ConsoleModel model = filled(5'100);
  CHECK(model.total() == 5'000);
  CHECK(shows(model, "100 older dropped"));
  press(model, "g");
  press(model, ConsoleKey::kEnter);
  for (int i = 0; i < 5'000; ++i)
    model.add(message("x", "y"));
  CHECK(shows(model, "It has gone"));
}

TEST_CASE("events of the record: kinds and tools") {
  const ConsoleEntry call = audit_entry(
      json(R"({"seq":7,"time":"2026-11-24T10:22:11Z","kind":"tool_call_trace","tool":"echo","outcome":"ok"})").root());
  CHECK(call.what == "echo");
  CHECK(call.seq == 7);
  CHECK(call.duration_ms == -1);
  CHECK(audit_entry(json(R"({"seq":8,"kind":"token_created","tool":"mcptoken/demo/a","outcome":"ok"})").root()).what ==
        "token_created mcptoken/demo/a");
}

TEST_CASE("messages of live traffic: method and name, request and answer pretty-printed, text as text") {
  ConsoleModel model(false);
  model.add(
      traffic_entry(json(R"({"time":"2026-11-24T10:22:11Z","tokenName":"agent","method":"tools/call","name":"x__echo",)"
                         R"("outcome":"tool error","durationMs":3,"request":{"jsonrpc":"2.0","id":1},)"
                         R"("answer":{"result":{"content":[{"type":"text","text":"one\ntwo"}]}}})")
                        .root()));
  CHECK(model.selected_entry()->what == "tools/call x__echo");
  CHECK(shows(model, "agent"));
  CHECK(shows(model, "tool error"));
  CHECK(screen(model).starts_with(" mcpctl console  "));
  press(model, ConsoleKey::kEnter);
  CHECK(shows(model, "\"jsonrpc\": \"2.0\""));
  press(model, ConsoleKey::kEnd);
  CHECK(shows(model, "Text of the answer"));
  CHECK(shows(model, "\ntwo"));
}

TEST_CASE("fit") {
  CHECK(fit("abc", 5) == "abc  ");
  CHECK(fit("abcdef", 4) == "abc\u2026");
  CHECK(fit("abc", 0).empty());
  CHECK(display_width(fit("\u6f22\u5b57\u6f22\u5b57", 4)) == 4);
}

}  // namespace mcpctl
