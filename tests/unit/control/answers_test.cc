#include <doctest/doctest.h>

#include "control/control.h"

using namespace mcptoken;
using namespace mcptoken::control;

namespace {

std::string header(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace

TEST_CASE("errors become answers, byte for byte") {
  struct Case {
    Error error;
    int status;
    const char* code;
    const char* challenge;
  };
  rbac::Query query;
  query.action = rbac::Action::edit;
  query.resource = rbac::Resource::servers;
  query.name = "x";
  const Case cases[] = {
      {Error(Status::unauthenticated, "credentials are required").with_code("unauthorized"), 401, "unauthorized",
       R"(Bearer realm="mcpctl")"},
      {Error(Status::unauthenticated, "The \"token\" is revoked").with_code("invalid_token"), 401, "invalid_token",
       R"(Bearer realm="mcpctl", error="invalid_token", error_description="The \"token\" is revoked")"},
      {Error(Status::invalid, "two credentials").with_code("invalid_request"), 400, "invalid_request",
       R"(Bearer realm="mcpctl", error="invalid_request", error_description="two credentials")"},
      {Error(Status::denied, "this token is for project \"p\"").with_code("wrong_project"), 403, "wrong_project",
       R"(Bearer realm="mcpctl", error="insufficient_scope", error_description="The token is not valid for this project")"},
      {forbidden(query), 403, "forbidden",
       R"(Bearer realm="mcpctl", error="insufficient_scope", scope="edit:servers")"},
      {Error(Status::denied, "no").with_code("origin_denied"), 403, "origin_denied", ""},
      {Error(Status::not_found, "x"), 404, "not_found", ""},
      {Error(Status::exists, "x"), 409, "already_exists", ""},
      {Error(Status::conflict, "x"), 409, "conflict", ""},
      {Error(Status::invalid, "x"), 400, "invalid", ""},
      {Error(Status::too_large, "x"), 413, "too_large", ""},
      {Error(Status::limit, "x"), 429, "rate_limited", ""},
      {Error(Status::unavailable, "/secret/path"), 503, "unavailable", ""},
      {Error(Status::io, "/secret/path"), 500, "internal", ""},
      {Error(Status::corrupt, "/secret/path"), 500, "internal", ""},
  };
  for (const auto& one : cases) {
    CAPTURE(one.error.message);
    const auto response = to_response(one.error, "r-1", nullptr);
    CHECK(response.status == one.status);
    CHECK(header(response, "WWW-Authenticate") == one.challenge);
    CHECK(header(response, "Cache-Control") == "no-store");
    CHECK((header(response, "Retry-After") == "1") == (one.status == 429 || one.status == 503));
    const auto body = json::parse(response.body);
    REQUIRE(body.has_value());
    CHECK(body->text("error") == one.code);
    CHECK(body->text("request_id") == "r-1");
    CHECK(body->members().size() == 4);
    if (one.status >= 500) CHECK(response.body.find("/secret") == std::string::npos);
  }
}

TEST_CASE("only refusals become events of refusal") {
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::user;
  who.user_email = "u@example.org";
  Request request;
  request.method = "GET";
  request.path = {"api", "v1", "servers"};
  const auto event = refusal_event(Error(Status::denied, "needs view:servers"), who, request, 5);
  REQUIRE(event.has_value());
  CHECK(event->subject == "GET /api/v1/servers");
  CHECK(event->rule == "needs view:servers");
  CHECK(event->time_ms == 5);
  CHECK(!refusal_event(Error(Status::not_found, "x"), who, request, 5).has_value());
}

TEST_CASE("no answer tells a credential back") {
  const std::string raw = "mcpctl_pat_" + std::string(43, 'A');
  const auto reply = to_response(Error(Status::invalid, "there is no server \"" + raw + "\"")
                                     .with_code("invalid_request")
                                     .with_hint("try " + raw)
                                     .with_data("\"" + raw + "\""),
                                 "r", nullptr);
  CHECK(reply.body.find("AAAA") == std::string::npos);
  CHECK(reply.body.find(R"(there is no server \"mcpctl_pat_[redacted]\")") != std::string::npos);
  CHECK(header(reply, "WWW-Authenticate").find("AAAA") == std::string::npos);
}
