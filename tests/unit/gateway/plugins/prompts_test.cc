#include "gateway/plugins/prompts.h"

#include <doctest/doctest.h>

namespace mcptoken::gateway {
namespace {

std::shared_ptr<const Prompt> prompt(const std::string& name, const std::string& content, int64_t priority = 5,
                                     const std::string& summary = "", std::vector<std::string> chapters = {}) {
  auto out = std::make_shared<Prompt>();
  out->id = out->name = name;
  out->content = content;
  out->priority = priority;
  out->summary = summary;
  out->chapters = std::move(chapters);
  return out;
}

std::vector<std::string> names(const Prompts& prompts) {
  std::vector<std::string> out;
  for (auto& one : prompts)
    out.push_back(one->name);
  return out;
}
using Names = std::vector<std::string>;

TEST_CASE("a tag counts three in the name, two in summary or chapters, one in the text, times the priority") {
  const auto one = prompt("smart-home", "Lights are hue lights.", 5, "About lights", {"Heating"});
  CHECK(score(*one, {"home"}) == 15);
  CHECK(score(*one, {"heating"}) == 10);
  CHECK(score(*one, {"hue"}) == 5);
  CHECK(score(*one, {"lights"}) == 15);  // summary and text
  CHECK(score(*one, {"home", "hue"}) == 20);
  CHECK(score(*one, {"garden"}) == 0);
  CHECK(score(*one, {"", "  "}) == 0);
}

TEST_CASE("words are whole, and letters of either case are the same") {
  const auto one = prompt("cats", "Größe ÄPFEL Москва 東京 v2", 1);
  CHECK(score(*one, {"cat"}) == 0);
  CHECK(score(*one, {"CATS"}) == 3);
  CHECK(score(*one, {"äpfel"}) == 1);
  CHECK(score(*one, {"МОСКВА"}) == 1);
  CHECK(score(*one, {"v2"}) == 1);
  CHECK(score(*one, {"größe äpfel"}) == 1);  // several words in a row
  CHECK(score(*one, {"äpfel größe"}) == 0);
}

TEST_CASE("priority 10 comes first, then the best, equal ones by name, and the rest is the index") {
  const Prompts all = {prompt("z", "lights"),      prompt("always", "nothing of it", 10),
                       prompt("b", "lights"),      prompt("a", "lights"),
                       prompt("lights", "lights"), prompt("other", "x")};
  const auto selection = select_prompts(all, {"lights"}, {}, 1'000);
  CHECK(names(selection.full) == Names{"always", "lights", "a", "b", "z"});
  CHECK(names(selection.index) == Names{"other"});
  CHECK(names(select_prompts(all, {}, {}, 1'000).full) == Names{"always"});
}

TEST_CASE("the budget holds, but the first one always fits") {
  std::string big = "lights ", huge = "lights ";
  big.resize(907, 'x');
  huge.resize(5'007, 'x');
  const Prompts all = {prompt("big", big, 9), prompt("huge", huge, 10), prompt("small", "lights", 2)};
  auto selection = select_prompts(all, {"lights"}, {}, 1'000);
  CHECK(names(selection.full) == Names{"huge"});
  selection = select_prompts({all[0], all[2]}, {"lights"}, {}, 920);
  CHECK(names(selection.full) == Names{"big"});
  CHECK(names(selection.index) == Names{"small"});
}

TEST_CASE("what was given already comes last") {
  const Prompts all = {prompt("a", "lights", 9), prompt("b", "lights"), prompt("always", "x", 10)};
  CHECK(names(select_prompts(all, {"lights"}, {"a", "always"}, 1'000).full) == Names{"b", "a"});
}

TEST_CASE("what nobody wrote about a prompt is found in it") {
  Prompt one;
  one.content = "# Lights\n\nTurn them off at night. Always.\n\n## Exceptions\nNone.\n";
  complete_prompt(one);
  CHECK(one.summary.starts_with("Turn them off at night."));
  CHECK(one.chapters == Names{"Lights", "Exceptions"});
  read_link("home/wiki:file:///a:b", one);
  CHECK(one.link_project == "home");
  CHECK(one.link_server == "wiki");
  CHECK(one.link_uri == "file:///a:b");
}

TEST_CASE("keywords are the words that say something, each once") {
  CHECK(keywords_of("Please turn the Lights on, then the lights off in 2026", 10) == Names{"turn", "lights", "off"});
  CHECK(keywords_of("aaa bbb ccc", 2) == Names{"aaa", "bbb"});
  CHECK(keywords_of("", 5).empty());
}

TEST_CASE("prompts are shown in full, and as lines of an index") {
  const Prompts all = {prompt("a", "text", 5, "what it is", {"One", "Two"}), prompt("b", "more\n")};
  CHECK(show_prompts(all) == "## a\ntext\n\n## b\nmore\n\n");
  CHECK(show_index(all) == "- a: what it is [One; Two]\n- b\n");
}

}  // namespace
}  // namespace mcptoken::gateway
