#include "service/meter.h"

#include "gateway/meter.h"
#include "metrics/text.h"
#include "service/service.h"

namespace mcptoken::service {
namespace {

using metrics::Distribution;
using metrics::Names;
using metrics::Sums;
using metrics::Text;

constexpr std::array<std::string_view, static_cast<size_t>(Admission::count)> kAdmissions = {
    "ok",         "missing",       "malformed",  "unknown",      "revoked",
    "expired",    "replaced",      "owner_gone", "project_gone", "session_ended",
    "wrong_kind", "wrong_project", "forbidden",  "rate_limited", "unavailable"};

constexpr std::string_view kMethods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"};
constexpr uint16_t kFirst = 2;  // after the numbers of Names

uint16_t method_number(std::string_view method) {
  for (size_t i = 0; i < std::size(kMethods); ++i) {
    if (kMethods[i] == method) return static_cast<uint16_t>(kFirst + i);
  }
  return Names::kOther;
}

// Reasons of `invalid_token`, as they stand in Error::data.
struct Reason {
  std::string_view data;
  Admission what;
};
constexpr Reason kReasons[] = {
    {R"("malformed")", Admission::malformed},       {R"("unknown")", Admission::unknown},
    {R"("revoked")", Admission::revoked},           {R"("expired")", Admission::expired},
    {R"("superseded")", Admission::replaced},       {R"("owner_gone")", Admission::owner_gone},
    {R"("project_gone")", Admission::project_gone}, {R"("session_ended")", Admission::session_ended},
};

Admission admission_of(const Error& error, int http) {
  if (error.code == "unauthorized") return Admission::missing;
  if (error.code == "wrong_project") return Admission::wrong_project;
  for (const auto& reason : kReasons) {
    if (error.data == reason.data) return reason.what;
  }
  if (http == 401) return Admission::wrong_kind;
  if (http == 429) return Admission::rate_limited;
  return http == 503 ? Admission::unavailable : Admission::forbidden;
}

void write_requests(Text& text, Service& service) {
  Sums<Distribution> sums;
  std::array<uint64_t, static_cast<size_t>(Admission::count)> admissions{};
  int64_t active = 0;
  service.each_node([&](const Node& node) {
    const NodeMeter& meter = node.meter;
    meter.requests.each([&](const metrics::Labels& at, const metrics::Histogram& cell) {
      const bool known = at[0] >= kFirst;
      const bool counted = at[2] > Names::kOther;
      sums.at({known ? std::string(kMethods[at[0] - kFirst]) : "_OTHER", meter.routes.name(at[1]),
               counted ? std::to_string(at[2]) : ""})
          .add(cell);
    });
    for (size_t i = 0; i < admissions.size(); ++i)
      admissions[i] += meter.admissions[i].value();
    active += meter.active.value();
  });
  text.family("http_server_request_duration_seconds", "histogram",
              "Requests until they were answered, listeners apart.");
  sums.write(text, {"http_request_method", "http_route", "http_response_status_code"});
  text.gauge("http_server_active_requests", "Requests that are not answered yet, listeners among them.", active);
  text.family("mcptoken_authentications_total", "counter", "Credentials by what was found of them.");
  for (size_t i = 0; i < admissions.size(); ++i)
    text.sample({{"outcome", std::string(kAdmissions[i])}}, admissions[i]);
}

void write_control_plane(Text& text, const Local::Numbers& numbers) {
  text.family("mcptoken_objects", "gauge", "What the control plane has. Tokens: those that have not been revoked.");
  text.sample({{"kind", "token"}}, numbers.tokens).sample({{"kind", "project"}}, numbers.projects);
  text.sample({{"kind", "server"}}, numbers.servers).sample({{"kind", "user"}}, numbers.users);
  text.gauge("mcptoken_revision", "Number of the last change.", numbers.revision);
  text.counter("mcptoken_audit_lost_total", "Audit events that could not be kept; their number is in the record.",
               numbers.audit_lost);
  text.gauge("mcptoken_audit_stuck", "1: the last audit events could not be written.", numbers.audit_stuck ? 1 : 0);
}

}  // namespace

void NodeMeter::refused(const Error& error, int http) {
  const bool concerns = http == 401 || http == 403 || http == 429 || (http == 503 && error.code == "auth_unavailable");
  if (concerns) admissions[static_cast<size_t>(admission_of(error, http))].add();
}

void NodeMeter::answered(std::string_view method, std::string_view route, int status, int64_t began_ns) {
  requests.at({method_number(method), routes.number_of(route), static_cast<uint16_t>(status)})
      .observe(metrics::now_ns() - began_ns);
}

std::string metrics_text(Service& service) {
  Text text;
  text.family("mcptoken_build_info", "gauge", "1, with the version.")
      .sample({{"version", service.version()}}, int64_t{1});
  const auto health = checks_of(service);
  text.family("mcptoken_ready", "gauge", "1 for each check of /readyz that passes.");
  for (const auto& check : health)
    text.sample({{"check", std::string(check.name)}}, int64_t{check.failure.empty() ? 1 : 0});
  write_requests(text, service);
  gateway::write_metrics(text, service.gateway());
  if (auto* local = service.local()) write_control_plane(text, local->numbers());
  if (auto* remote = service.remote()) remote->write_metrics(text);
  return text.take();
}

}  // namespace mcptoken::service
