// What those who watch hear, from snapshots made by hand.
#include "service/history.h"

#include <doctest/doctest.h>

#include "base/limits.h"
#include "service/snapshot.h"

using namespace mcptoken;
using namespace mcptoken::service;

namespace {

std::shared_ptr<const rbac::Policy> policy_of(std::vector<rbac::Binding> bindings) {
  rbac::Definition definition{"d", "d", {{rbac::SubjectKind::user, "u"}}, std::move(bindings)};
  return std::make_shared<const rbac::Policy>(std::vector{definition}, std::vector<rbac::Group>(), rbac::Ceiling::live,
                                              rbac::ToolGrant::view);
}

rbac::Binding view(rbac::Resource resource, std::string name = {}) {
  rbac::Binding binding;
  binding.resource = resource;
  binding.name = std::move(name);
  return binding;
}

rbac::Principal user() {
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::user;
  who.user_id = "u";
  return who;
}

struct Story {
  Story() {
    auto view = std::make_shared<gateway::ProjectView>();
    view->name = "home";
    auto projects = std::make_shared<std::unordered_map<std::string, std::shared_ptr<const gateway::ProjectView>>>();
    projects->emplace("p1", view);
    now.projects = projects;
    now.history = std::make_shared<const History>();
    now.policy = policy_of({rbac::Binding()});
  }
  // One transaction that changes these.
  void change(std::vector<store::ObjectChange> objects) {
    store::Changes changes;
    changes.revision = ++now.revision;
    changes.objects = std::move(objects);
    now.history = advance_history(*now.history, changes, now, now);
  }
  void change(const std::string& kind, const std::string& name, const std::string& project = {}) {
    change({{store::Op::updated, "id-" + name, kind, project, name, 3}});
  }
  Snapshot now;
};

size_t count(const std::string& text, std::string_view what) {
  size_t found = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1))
    found++;
  return found;
}

}  // namespace

TEST_CASE("history: a watcher hears each change once, in order, from his revision") {
  Story story;
  story.now.policy = policy_of({view(rbac::Resource::servers), view(rbac::Resource::prompts)});
  story.change("server", "a");
  story.change("server", "b");
  Watcher watcher({1, {}}, user());
  CHECK(watcher.news(story.now) ==
        "id: 2\nevent: change\ndata: "
        R"({"change":"updated","kind":"server","id":"id-b","name":"b","version":3,"revision":2})"
        "\n\n");
  CHECK(watcher.news(story.now).empty());
  story.change("prompt", "hi", "p1");
  CHECK(watcher.news(story.now) ==
        "id: 3\nevent: change\ndata: "
        R"({"change":"updated","kind":"prompt","id":"id-hi","name":"hi","project":"home","version":3,"revision":3})"
        "\n\n");
}

TEST_CASE("history: only what may be viewed now, of the kinds asked for") {
  Story story;
  story.now.policy = policy_of({view(rbac::Resource::servers, "a"), view(rbac::Resource::prompts, "home/*")});
  for (auto name : {"a", "b"})
    story.change("server", name);
  story.change("secret", "a");
  story.change("prompt", "hi", "p1");
  story.change("prompt", "lost", "p2");  // of a project that nobody knows any more
  const auto all = Watcher({0, {}}, user()).news(story.now);
  CHECK(count(all, "event: change") == 2);
  CHECK(count(all, "\"id-a\"") == 1);
  CHECK(count(all, "\"id-hi\"") == 1);
  CHECK(count(Watcher({0, {"prompt"}}, user()).news(story.now), "event: change") == 1);
  CHECK(Watcher({0, {}}, rbac::Principal()).news(story.now).empty());
  Watcher watcher({0, {}}, user());
  story.now.policy = policy_of({});  // taken away before he has heard
  CHECK(watcher.news(story.now).empty());
}

TEST_CASE("history: who is too late is told to begin anew, once") {
  Story story;
  story.now.policy = policy_of({view(rbac::Resource::servers)});
  for (size_t i = 0; i < limits::kHistoryEntries; i++)
    story.change("server", "a");
  CHECK(count(Watcher({0, {}}, user()).news(story.now), "event: change") == limits::kHistoryEntries);
  story.change("server", "b");
  Watcher late({0, {}}, user());
  const auto revision = std::to_string(limits::kHistoryEntries + 1);
  CHECK(late.news(story.now) == "id: " + revision + "\nevent: reset\ndata: {\"revision\":" + revision + "}\n\n");
  CHECK(late.news(story.now).empty());
  CHECK(count(Watcher({1, {}}, user()).news(story.now), "event: change") == limits::kHistoryEntries);
  // A transaction is heard of whole or not at all.
  std::vector<store::ObjectChange> many(limits::kHistoryEntries + 1, {store::Op::created, "x", "server", "", "x", 1});
  story.change(std::move(many));
  CHECK(story.now.history->entries.empty());
  CHECK(Watcher({story.now.revision - 1, {}}, user()).news(story.now).find("event: reset") != std::string::npos);
}
