#include <doctest/doctest.h>

#include "base/bytes.h"
#include "control/control.h"
#include "service/auth.h"
#include "service/introspection.h"
#include "service/mcp_target.h"

using namespace mcptoken;
using namespace mcptoken::service;

namespace {

const std::string kSha(64, 'a');
constexpr std::string_view kAnswer =
    R"({"ok":true,"tokenName":"t","tokenSha":"SHA","projectName":"demo","owner":"u@example.org",
  "expiresAt":"2026-07-28T09:30:00.000Z","permissions":[{"role":"run","resource":"tools","name":"web/a*"}],"revision":7,
  "watchId":"0102","watchTicket":"mcpctl_wat_00",
  "project":{"id":"p1","name":"demo","prompt":"hello","separator":"/","toolGrant":"run","hidesServers":true,
             "servers":[{"name":"web","prefix":"w","callMs":5000}]}})";

std::string answer(const std::string& from = "", const std::string& to = "") {
  std::string out(kAnswer);
  out.replace(out.find("SHA"), 3, kSha);
  if (!from.empty()) {
    REQUIRE(out.find(from) != std::string::npos);
    out.replace(out.find(from), from.size(), to);
  }
  return out;
}

Result<Introspection> read(const std::string& text) {
  auto plane = parse_plane("https://h.example/base/");
  auto value = json::parse(text);
  REQUIRE(plane);
  REQUIRE(value);
  return read_introspection(*value, *plane, kSha);
}

}  // namespace

TEST_CASE("an introspection becomes what the gateway knows in process") {
  REQUIRE(crypto::init());
  auto got = read(answer());
  REQUIRE(got);
  const auto& verdict = got->verdict;
  CHECK_FALSE(verdict.refusal);
  CHECK(verdict.who->token_sha == kSha);
  CHECK(verdict.who->project == "demo");
  CHECK(verdict.watch_id == "0102");
  CHECK(verdict.revision == 7);
  CHECK(verdict.expires_ms == 1'785'231'000'000);
  CHECK(got->watch_ticket.reveal() == "mcpctl_wat_00");
  const auto& project = *verdict.project;
  CHECK(project.instructions == "hello");
  CHECK(project.separator == "/");
  CHECK(project.hides_servers);
  REQUIRE(project.attachments.size() == 1);
  const auto& server = *project.attachments[0].server;
  CHECK(project.attachments[0].prefix == "w");
  CHECK(server.relayed);
  CHECK(server.call_ms == 5000);
  CHECK(server.url == "https://h.example/base/api/v1/projects/demo/servers/web/mcp");
  CHECK(project.policy->may_use_tool(*verdict.who, "web", "ask"));
  CHECK_FALSE(project.policy->may_use_tool(*verdict.who, "web", "tell"));
}

TEST_CASE("connections are not used on under other rights or another project") {
  auto version = [](const std::string& text) { return read(text)->verdict.project->attachments[0].server->version; };
  CHECK(version(answer()) == version(answer("\"revision\":7", "\"revision\":8")));
  CHECK(version(answer()) != version(answer("web/a*", "web/*")));
  CHECK(version(answer()) != version(answer("\"prefix\":\"w\"", "\"prefix\":\"v\"")));
}

TEST_CASE("what is no introspection of this token is none") {
  for (auto& [from, to] : std::vector<std::pair<std::string, std::string>>{{"\"ok\":true", "\"ok\":false"},
                                                                           {kSha, std::string(64, 'b')},
                                                                           {"\"permissions\":[", "\"permissionz\":["},
                                                                           {"\"project\":{", "\"projects\":{"},
                                                                           {"\"name\":\"web\"", "\"name\":\"../web\""},
                                                                           {"\"name\":\"demo\"", "\"name\":\"de/mo\""},
                                                                           {"\"role\":\"run\"", "\"role\":\"own\""},
                                                                           {"2026-07-28T09:30:00.000Z", "tomorrow"}}) {
    CAPTURE(from);
    CHECK_FALSE(read(answer(from, to)));
  }
}

TEST_CASE("a refusal of the control plane is told in its own bytes") {
  Error original = no_project_token(kSession);
  auto before = control::to_response(original, "r1", nullptr);
  auto error = plane_error(before.status, before.body);
  REQUIRE(error);
  auto after = control::to_response(*error, "r1", nullptr);
  CHECK(after.status == before.status);
  CHECK(after.body == before.body);
  CHECK(after.headers == before.headers);
  CHECK_FALSE(plane_error(401, "<html>"));
  CHECK_FALSE(plane_error(401, R"({"detail":"no"})"));
}

TEST_CASE("nobody can say: 503 with Retry-After and no challenge") {
  auto response = control::to_response(plane_away("refused connection to 10.0.0.1"), "r1", nullptr);
  CHECK(response.status == 503);
  CHECK(response.body.find("auth_unavailable") != std::string::npos);
  CHECK(response.body.find("10.0.0.1") == std::string::npos);
  bool retry = false;
  for (auto& [name, value] : response.headers) {
    CHECK(name != "WWW-Authenticate");
    retry |= name == "Retry-After";
  }
  CHECK(retry);
}

TEST_CASE("the control plane's URL") {
  CHECK(parse_plane("http://127.0.0.1:3100")->at("/x").text() == "http://127.0.0.1:3100/x");
  CHECK(parse_plane("https://h/a/b//")->at("/x").text() == "https://h/a/b/x");
  CHECK_FALSE(parse_plane("https://h/?a=b"));
  CHECK_FALSE(parse_plane("ftp://h/"));
  CHECK_FALSE(parse_plane("h:3100"));
}

TEST_CASE("paths of MCP endpoints") {
  auto target = [](std::vector<std::string> path) { return mcp_target(path); };
  CHECK(target({"mcp"})->project.empty());
  CHECK(target({"projects", "p", "mcp"})->project == "p");
  auto channel = target({"api", "v1", "projects", "p", "servers", "s", "mcp"});
  REQUIRE(channel);
  CHECK(channel->project == "p");
  CHECK(channel->server == "s");
  CHECK_FALSE(target({}));
  CHECK_FALSE(target({"projects", "p"}));
  CHECK_FALSE(target({"api", "v1", "projects", "p", "servers", "s"}));
}

TEST_CASE("a channel shows its server alone, to those who may use something of it") {
  gateway::ProjectView project;
  project.id = "p1";
  project.name = "demo";
  project.instructions = "not of the server";
  for (const char* name : {"web", "other"}) {
    auto spec = std::make_shared<gateway::ServerSpec>();
    spec->name = name;
    project.attachments.push_back({spec, name});
  }
  project.policy = read(answer())->verdict.project->policy;
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::token;
  who.token_sha = kSha;
  auto view = channel_view(project, who, "web");
  REQUIRE(view);
  REQUIRE(view->attachments.size() == 1);
  CHECK(view->attachments[0].prefix.empty());
  CHECK(view->id == "p1");
  CHECK(view->instructions.empty());
  CHECK_FALSE(channel_view(project, who, "other"));
  CHECK_FALSE(channel_view(project, who, "none"));
}
