#include "gateway/view.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>

#include "json/value.h"
#include "json/writer.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

std::shared_ptr<const rbac::Policy> policy_of(const std::vector<std::string>& bindings,
                                              rbac::ToolGrant grant = rbac::ToolGrant::view) {
  rbac::Definition definition;
  definition.id = definition.name = "d";
  definition.subjects.push_back({rbac::SubjectKind::mcp_token, std::string(64, 'a')});
  for (auto& text : bindings) {
    auto binding = rbac::parse_binding(text);
    REQUIRE_MESSAGE(binding, text);
    definition.bindings.push_back(*binding);
  }
  return std::make_shared<const rbac::Policy>(std::vector{definition}, std::vector<rbac::Group>{}, rbac::Ceiling::mint,
                                              grant);
}

rbac::Principal token_principal() {
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::token;
  who.user_id = "u";
  who.token_sha = std::string(64, 'a');
  who.project_id = "p";
  who.project = "p";
  return who;
}

void attach(ProjectView& project, const std::string& server, const std::string& prefix) {
  auto spec = std::make_shared<ServerSpec>();
  spec->id = "id-" + server;
  spec->name = server;
  project.attachments.push_back({spec, prefix});
}

// Each entry says where it came from, so that the merged list can be traced back.
RawList list_of(const std::string& server, const std::vector<std::string>& names) {
  RawList list;
  list.fresh_until_ms = 1000;
  for (auto& name : names) {
    Item item;
    item.key = name;
    item.raw = R"({"title":"t","from":)" + json::quoted(server) + R"(,"was":)" + json::quoted(name) + R"(,"name":)";
    item.key_range.begin = static_cast<uint32_t>(item.raw.size());
    item.raw += json::quoted(name);
    item.key_range.end = static_cast<uint32_t>(item.raw.size());
    item.raw += R"(,"inputSchema":{ "n": 1.0 }})";
    list.items.push_back(std::move(item));
  }
  return list;
}

struct Shown {
  std::string name, from, was;
};
std::vector<Shown> shown(ListView& view) {
  auto array = json::parse(view.items + "]");
  REQUIRE(array);
  std::vector<Shown> out;
  for (auto& item : array->items())
    out.push_back({item.text("name"), item.text("from"), item.text("was")});
  CHECK(out.size() == view.count);
  return out;
}

}  // namespace

TEST_CASE("view: names and where they lead") {
  ProjectView project;
  attach(project, "ha", "ha");
  attach(project, "ha-two", "ha__two");
  attach(project, "bare", "");
  CHECK(exposed_name(project, project.attachments[0], "turn_on") == "ha__turn_on");
  CHECK(exposed_name(project, project.attachments[2], "turn_on") == "turn_on");
  struct Row {
    const char *name, *server, *upstream;
  };
  const Row rows[] = {
      {"ha__x", "ha", "x"},
      {"ha__two__x", "ha-two", "x"},
      {"ha__two_x", "ha", "two_x"},
      {"ha__", "ha", ""},
      {"ha_x", "bare", "ha_x"},
      {"x", "bare", "x"},
      {"", "bare", ""},
      {"hax__y", "bare", "hax__y"},
      {"HA__x", "bare", "HA__x"},
      {"ha__ha__x", "ha", "ha__x"},
      {"__x", "bare", "__x"},
  };
  for (int round = 0; round < 2; ++round) {  // whichever stands first in the configuration
    for (auto& row : rows) {
      CAPTURE(row.name);
      auto target = resolve(project, row.name);
      REQUIRE(target);
      CHECK(target->attachment->server->name == row.server);
      CHECK(target->upstream_name == row.upstream);
      CHECK_FALSE(target->shortened);
    }
    std::reverse(project.attachments.begin(), project.attachments.end());
  }
  project.attachments.pop_back();
  CHECK_FALSE(resolve(project, "x"));
  CHECK_FALSE(resolve(project, "ha_x"));
  CHECK_FALSE(resolve(ProjectView(), "x"));
  project.separator = "/";
  CHECK(exposed_name(project, project.attachments[0], "x") == "ha/x");
  CHECK(resolve(project, "ha/x")->upstream_name == "x");
  CHECK_FALSE(resolve(project, "ha__x"));
}

TEST_CASE("view: a name that leads elsewhere is not shown") {
  ProjectView project;
  project.policy = policy_of({"role:run,resource:tools"});
  attach(project, "bare", "");
  attach(project, "a", "a");
  attach(project, "ab", "a__b");
  auto who = token_principal();
  ListView view;
  add_items(view, project, who, project.attachments[0], list_of("bare", {"a__x", "a_x", "x"}), 0, 1000);
  add_items(view, project, who, project.attachments[1], list_of("a", {"b__y", "b_y", "b"}), 0, 1000);
  add_items(view, project, who, project.attachments[2], list_of("ab", {"y"}), 0, 1000);
  std::vector<std::string> names;
  for (auto& one : shown(view))
    names.push_back(one.name);
  CHECK(names == std::vector<std::string>{"a_x", "x", "a__b_y", "a__b", "a__b__y"});  // in configured order
  const std::string why = "it looks like one of another server of this project";
  CHECK(view.hidden == std::vector<std::pair<std::string, std::string>>{{"a__x", why}, {"a__b__y", why}});
}

TEST_CASE("view: entries keep their bytes but for the name") {
  ProjectView project;
  project.policy = policy_of({"role:run,resource:tools"});
  attach(project, "s", "p\xc3\xa4\"");
  auto who = token_principal();
  ListView view;
  add_items(view, project, who, project.attachments[0], list_of("s", {"x"}), 0, 1000);
  CHECK(view.items ==
        "[{\"title\":\"t\",\"from\":\"s\",\"was\":\"x\",\"name\":\"p\xc3\xa4\\\"__x\",\"inputSchema\":{ \"n\": 1.0 }}");
  CHECK(view.fresh_until_ms == 1000);
}

TEST_CASE("view: long names are shortened and found again") {
  ProjectView project;
  project.policy = policy_of({"role:run,resource:tools"});
  attach(project, "s", "s");
  auto& attachment = project.attachments[0];
  auto exact = std::string(61, 'x'), longer = std::string(62, 'x'), other = std::string(61, 'x') + "y";
  CHECK(exposed_name(project, attachment, exact) == "s__" + exact);
  for (auto& name : {longer, other}) {
    auto shortened = exposed_name(project, attachment, name);
    CHECK(shortened.size() == kMaxNameBytes);
    CHECK(shortened.starts_with("s__xxx"));
    CHECK(shortened == exposed_name(project, attachment, name));  // a pure function
    auto target = resolve(project, shortened);
    REQUIRE(target);
    CHECK(target->shortened);
    CHECK(expand(project, attachment, list_of("s", {exact, longer, other}), shortened) ==
          std::optional<std::string>(name));
    CHECK_FALSE(expand(project, attachment, list_of("s", {exact}), shortened));
  }
  CHECK(exposed_name(project, attachment, longer) != exposed_name(project, attachment, other));
}

TEST_CASE("view: of tools that would have one name, the one that a call reaches is shown") {
  ProjectView project;
  attach(project, "s", "s");
  auto& attachment = project.attachments[0];
  const std::string longer(70, 'x'), shortened = exposed_name(project, attachment, longer), twin = shortened.substr(3);
  REQUIRE(exposed_name(project, attachment, twin) == shortened);
  const auto who = token_principal();
  for (const auto& names : {std::vector{longer, twin}, std::vector{twin, longer}}) {
    const auto list = list_of("s", names);
    CHECK(expand(project, attachment, list, shortened) == std::optional(twin));
    for (const auto& may : {"*", twin.c_str(), longer.c_str()}) {  // whoever asks
      CAPTURE(may);
      project.policy = policy_of({std::string("role:run,resource:tools,name:s/") + may});
      ListView view;
      add_items(view, project, who, attachment, list, 0, 1000);
      const auto seen = shown(view);
      const bool wanted = may != longer;
      REQUIRE(seen.size() == (wanted ? 1 : 0));
      if (wanted) CHECK(seen[0].was == twin);
      const bool told = may != twin;
      REQUIRE(view.hidden.size() == (told ? 1 : 0));
      const std::pair<std::string, std::string> why(shortened, "another one of this server has the same name here");
      if (told) CHECK(view.hidden[0] == why);
    }
  }
}

TEST_CASE("view: a long name of wide characters stays valid and callable") {
  ProjectView project;
  project.policy = policy_of({"role:run,resource:tools"});
  attach(project, "s", "s");
  auto who = token_principal();
  for (size_t shift = 0; shift < 4; ++shift) {
    std::string name(shift, 'x');
    while (name.size() < 90)
      name += "\xf0\x9f\x98\x80";
    auto list = list_of("s", {name});
    ListView view;
    add_items(view, project, who, project.attachments[0], list, 0, 1000);
    auto listed = shown(view);
    REQUIRE(listed.size() == 1);
    CHECK(listed[0].name.size() <= kMaxNameBytes);
    auto target = resolve(project, listed[0].name);
    REQUIRE(target);
    CHECK(target->shortened);
    CHECK(expand(project, project.attachments[0], list, listed[0].name) == std::optional<std::string>(name));
  }
}

TEST_CASE("view: a prefix longer than what is left of a shortened name") {
  ProjectView project;
  project.policy = policy_of({"role:run,resource:tools"});
  std::string prefix(63, 'p');
  attach(project, "s", prefix);
  attach(project, "other", "o");
  auto who = token_principal();
  auto list = list_of("s", {"one", "two"});
  ListView view;
  add_items(view, project, who, project.attachments[0], list, 0, 1000);
  auto listed = shown(view);
  REQUIRE(listed.size() == 2);
  for (auto& one : listed) {
    auto target = resolve(project, one.name);
    REQUIRE(target);
    CHECK(target->shortened);
    CHECK(target->attachment == &project.attachments[0]);
    CHECK(expand(project, project.attachments[0], list, one.name) == std::optional<std::string>(one.was));
  }
}

namespace {

// One configuration of the property test below.
class Dice {
 public:
  explicit Dice(uint32_t seed) : random_(seed) {}
  size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }
  template <size_t N>
  std::string pick(const char* const (&from)[N]) {
    return from[below(N)];
  }
  // Names of few letters meet each other's prefixes often; some are long.
  std::string name() {
    static const char* const kParts[] = {"a", "b", "_", "__", "a__", "a__b__", "-", "/", "\xc3\xa4", "\xf0\x9f\x98\x80",
                                         "0"};
    std::string out;
    size_t parts = below(6) == 0 ? 20 + below(40) : 1 + below(4);
    for (size_t i = 0; i < parts; ++i)
      out += pick(kParts);
    return out;
  }

 private:
  std::mt19937 random_;
};

}  // namespace

TEST_CASE("view: list and call agree over random configurations") {
  static const char* const kPrefixes[] = {"a", "a_", "a__b", "b", "a__b__a", "\xc3\xa4", "-", "0"};
  static const char* const kSeparators[] = {"__", "/", "_", "."};
  auto who = token_principal();
  size_t listed = 0, hidden = 0, denied = 0, shortened = 0;
  for (uint32_t seed = 1; seed <= 1500; ++seed) {
    CAPTURE(seed);
    Dice dice(seed);
    ProjectView project;
    project.separator = dice.pick(kSeparators);
    std::vector<std::string> bindings;
    std::vector<RawList> lists;
    std::set<std::string> prefixes;
    size_t servers = 1 + dice.below(4);
    for (size_t i = 0; i < servers; ++i) {
      std::string prefix = dice.below(5) == 0   ? ""
                           : dice.below(8) == 0 ? std::string(45 + dice.below(19), 'q')
                                                : dice.pick(kPrefixes);
      if (!prefixes.insert(prefix).second) continue;  // the control plane refuses equal ones
      std::string server = "s" + std::to_string(i);
      attach(project, server, prefix);
      std::set<std::string> names;
      for (size_t n = dice.below(12); n > 0; --n)
        names.insert(dice.name());
      lists.push_back(list_of(server, {names.begin(), names.end()}));
      switch (dice.below(4)) {
        case 0:
          bindings.push_back("role:run,resource:tools,name:" + server + "/*");
          break;
        case 1:
          bindings.push_back("role:view,resource:servers,name:" + server);
          break;
        case 2:
          bindings.push_back("role:run,resource:tools,name:" + server + "/a*");
          break;
        default:
          break;  // nothing of this one
      }
    }
    project.policy = policy_of(bindings, dice.below(2) ? rbac::ToolGrant::view : rbac::ToolGrant::run);
    ListView view;
    for (size_t i = 0; i < lists.size(); ++i)
      add_items(view, project, who, project.attachments[i], lists[i], 0, 1000);

    std::set<std::pair<std::string, std::string>> seen;
    std::set<std::string> unique;
    for (auto& one : shown(view)) {
      CAPTURE(one.name);
      ++listed;
      CHECK(unique.insert(one.name).second);
      seen.emplace(one.from, one.was);
      auto target = resolve(project, one.name);
      REQUIRE(target);
      CHECK(target->attachment->server->name == one.from);
      size_t index = static_cast<size_t>(target->attachment - project.attachments.data());
      if (!target->attachment->prefix.empty()) CHECK(one.name.size() <= kMaxNameBytes);
      auto upstream = target->upstream_name;
      if (target->shortened) {
        ++shortened;
        auto full = expand(project, *target->attachment, lists[index], one.name);
        if (full) upstream = *full;
      }
      CHECK(upstream == one.was);
      CHECK(project.policy->may_use_tool(who, one.from, one.was));
    }
    // What is not shown is denied, or its name belongs to another attachment.
    for (size_t i = 0; i < lists.size(); ++i) {
      for (auto& item : lists[i].items) {
        auto& attachment = project.attachments[i];
        if (seen.contains({attachment.server->name, item.key})) continue;
        if (!project.policy->may_use_tool(who, attachment.server->name, item.key)) {
          ++denied;
          continue;
        }
        ++hidden;
        auto target = resolve(project, exposed_name(project, attachment, item.key));
        REQUIRE(target);
        CHECK(target->attachment != &attachment);
      }
    }
  }
  // The configurations reach every case.
  CHECK(listed > 1000);
  CHECK(hidden > 50);
  CHECK(denied > 1000);
  CHECK(shortened > 50);
}
