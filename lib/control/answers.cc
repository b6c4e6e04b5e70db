// Errors as answers, and as audit events.
#include <array>

#include "control/control.h"
#include "control/handlers.h"
#include "control/objects.h"

namespace mcptoken::control {

using json::Value;

Error forbidden(const rbac::Query& query) {
  std::string scope = query.operation
                          ? "run:" + std::string(rbac::to_text(*query.operation))
                          : std::string(rbac::to_text(query.action)) + ":" + std::string(rbac::to_text(query.resource));
  return Error(Status::denied, "needs " + rbac::to_text(query))
      .with_code("forbidden")
      .with_http(403)
      .with_hint("ask an administrator for a role binding that grants it")
      .with_data(json::to_text(Value::string(std::move(scope))));
}

namespace {

struct Mapping {
  Status status;
  int http;
  std::string_view code;
};
constexpr std::array kMappings = {
    Mapping{Status::not_found, 404, "not_found"},
    Mapping{Status::denied, 403, "forbidden"},
    Mapping{Status::unauthenticated, 401, "unauthorized"},
    Mapping{Status::exists, 409, "already_exists"},
    Mapping{Status::conflict, 409, "conflict"},
    Mapping{Status::expired, 401, "invalid_token"},
    Mapping{Status::invalid, 400, "invalid"},
    Mapping{Status::not_supported, 400, "not_supported"},
    Mapping{Status::too_large, 413, "too_large"},
    Mapping{Status::limit, 429, "rate_limited"},
    Mapping{Status::unavailable, 503, "unavailable"},
    Mapping{Status::busy, 503, "unavailable"},
    Mapping{Status::timeout, 503, "unavailable"},
    Mapping{Status::no_memory, 503, "unavailable"},
    Mapping{Status::cancelled, 503, "unavailable"},
};

Mapping mapping_of(const Error& error) {
  Mapping found{error.status, 500, "internal"};
  for (const auto& one : kMappings) {
    if (one.status == error.status) found = one;
  }
  if (error.http != 0) found.http = error.http;
  if (!error.code.empty()) found.code = error.code;
  return found;
}

// RFC 9110 quoted-string of printable ASCII.
std::string quoted_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c >= 0x20 && c < 0x7f ? c : '?';
  }
  return out + '"';
}

// A JSON string's text.
std::string text_of(const std::string& data) {
  if (data.empty()) return {};
  const auto value = json::parse(data);
  return value && value->as_string() ? *value->as_string() : std::string();
}

// What the error says, or a moment.
int64_t retry_after_s(const Error& error) {
  const auto value = json::parse(error.data);
  return value ? value->as_int().value_or(1) : 1;
}

std::string challenge(const Error& error, const Mapping& mapping) {
  std::string out = "Bearer realm=\"mcpctl\"";
  const auto add = [&](std::string_view name, std::string_view value) {
    out += ", " + std::string(name) + "=" + quoted_string(value);
  };
  if (mapping.http == 401) {
    if (mapping.code != "invalid_token") return out;
    add("error", "invalid_token");
    add("error_description", error.message);
  } else if (mapping.http == 400 && mapping.code == "invalid_request") {
    add("error", "invalid_request");
    add("error_description", error.message);
  } else if (mapping.http == 403 && mapping.code == "wrong_project") {
    add("error", "insufficient_scope");
    add("error_description", "The token is not valid for this project");
  } else if (mapping.http == 403 && mapping.code == "forbidden") {
    add("error", "insufficient_scope");
    if (const auto scope = text_of(error.data); !scope.empty()) add("scope", scope);
  } else {
    return {};
  }
  return out;
}

}  // namespace

// What was sent is often part of the message: a credential that was put in the wrong place is not to be told back to
// logs.
Response to_response(const Error& original, std::string_view request_id, const Route* route) {
  Error error = original;
  for (auto* text : {&error.message, &error.hint, &error.data})
    *text = redact(*text);
  const auto mapping = mapping_of(error);
  const bool ours = mapping.http >= 500;
  Value body = Value::object();
  body.set("error", text_value(mapping.code));
  body.set("message", text_value(!ours                 ? error.message
                                 : mapping.http == 503 ? "the server cannot do this at the moment"
                                 : mapping.http == 507 ? "the server's disk is full"
                                                       : "internal error"));
  body.set("hint",
           text_value(ours && error.hint.empty() ? "try again; the server's log has the request id" : error.hint));
  body.set("request_id", text_value(request_id));
  if (mapping.http == 401 && route && route->handler == introspect) {
    const auto reason = text_of(error.data);
    body.set("ok", Value::boolean(false));
    body.set("reason", text_value(reason.empty() ? mapping.code : reason));
  }
  auto response = answer(mapping.http, body);
  if (auto text = challenge(error, mapping); !text.empty())
    response.headers.emplace_back("WWW-Authenticate", std::move(text));
  if (mapping.http == 429 || mapping.http == 503)
    response.headers.emplace_back("Retry-After", std::to_string(retry_after_s(error)));
  return response;
}

std::optional<audit::Event> refusal_event(const Error& error, const rbac::Principal& who, const Request& request,
                                          int64_t now_ms) {
  if (error.status != Status::denied) return std::nullopt;
  auto event = audit::event_by(who, audit::Kind::rbac_decision, audit::Outcome::denied, now_ms);
  event.subject = request.method + " ";
  for (const auto& segment : request.path)
    event.subject += "/" + segment;
  event.rule = error.message;
  event.request_id = request.request_id;
  event.client_name = request.client_name;
  if (!request.client_address.empty()) event.client_address = request.client_address;
  return event;
}

}  // namespace mcptoken::control
