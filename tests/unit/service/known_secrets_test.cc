// What is known of the secrets of a project's servers, without a store.
#include "service/known_secrets.h"

#include <doctest/doctest.h>

using namespace mcptoken;
using namespace mcptoken::service;

namespace {

gateway::ProjectView project_of(std::vector<std::string> servers) {
  gateway::ProjectView view;
  view.id = "p";
  view.name = "demo";
  for (auto& id : servers) {
    auto server = std::make_shared<gateway::ServerSpec>();
    server->id = std::move(id);
    view.attachments.push_back({std::move(server), ""});
  }
  return view;
}

std::vector<gateway::Credential> given(std::string_view value, bool is_secret = true) {
  std::vector<gateway::Credential> out;
  out.push_back({"NAME", crypto::Secret(value), is_secret});
  return out;
}

}  // namespace

TEST_CASE("known secrets: the store is asked for a server once, and again after a while when it could not say") {
  KnownSecrets known;
  const auto project = project_of({"a", "b"});
  CHECK(known.of(project, 0).unknown.size() == 2);
  CHECK(known.of(project, 0).redactor == nullptr);
  known.learn("a", {});
  REQUIRE(known.of(project, 0).unknown.size() == 1);
  CHECK(known.of(project, 0).unknown[0]->id == "b");
  known.unreadable("b", 1'000);
  CHECK(known.of(project, 1'001).unknown.empty());
  CHECK(known.of(project, 1'001).redactor == nullptr);  // nothing may be shown meanwhile
  CHECK(known.of(project, 60'000).unknown.size() == 1);
  known.learn("b", given("value-of-b"));
  const auto answer = known.of(project, 60'000);
  CHECK(answer.unknown.empty());
  REQUIRE(answer.redactor != nullptr);
  CHECK(answer.redactor->apply("has value-of-b") == "has [redacted]");
}

TEST_CASE("known secrets: what was given once stays known, of other servers nothing") {
  KnownSecrets known;
  const auto project = project_of({"a"});
  known.learn("a", given("first-value"));
  const auto before = known.of(project, 0).redactor;
  CHECK(known.of(project, 0).redactor == before);  // made once
  known.learn("a", given("first-value"));
  CHECK(known.of(project, 0).redactor == before);
  known.learn("a", given("second-value"));
  known.learn("other", given("third-value"));
  known.learn("a", given("no-secret", false));
  CHECK(known.of(project, 0).redactor->apply("first-value second-value third-value no-secret") ==
        "[redacted] [redacted] third-value no-secret");
  // Both in one: values that overlap leave no rest.
  known.learn("a", given("abcdef"));
  known.learn("other", given("defghi"));
  CHECK(known.of(project_of({"a", "other"}), 0).redactor->apply("abcdefghi") == "[redacted]");
  CHECK(known.of(project, 0).redactor->apply("defghi") == "defghi");
}

TEST_CASE("known secrets: of one server so many") {
  KnownSecrets known;
  for (int i = 0; i < 200; ++i)
    known.learn("a", given("value-" + std::to_string(1000 + i)));
  const auto redactor = known.of(project_of({"a"}), 0).redactor;
  CHECK(redactor->apply("value-1199") == "[redacted]");
  CHECK(redactor->apply("value-1136") == "[redacted]");
  CHECK(redactor->apply("value-1135") == "value-1135");
}
