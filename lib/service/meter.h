// What a node counts: requests by route, credentials by what was found of them.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "metrics/cells.h"
#include "metrics/series.h"

namespace mcptoken::service {

class Service;

// What became of the credential of a request. The words are those of the label `outcome`.
enum class Admission : uint8_t {
  ok,
  missing,
  malformed,
  unknown,
  revoked,
  expired,
  replaced,    // superseded, and its grace is over
  owner_gone,  // or disabled
  project_gone,
  session_ended,  // of a login
  wrong_kind,     // a session at an MCP endpoint, and the like
  wrong_project,
  forbidden,
  rate_limited,
  unavailable,  // nobody could say
  count
};

struct NodeMeter {
  static constexpr size_t kRoutes = 256, kSeries = 1'024;

  std::array<metrics::Counter, static_cast<size_t>(Admission::count)> admissions;
  metrics::Names routes{kRoutes};                         // patterns, never what stands in a path
  metrics::Series<metrics::Histogram> requests{kSeries};  // method, route, status
  metrics::Gauge active;                                  // requests that are not answered
  metrics::Gauge turned_ms;                               // monotonic: when the loop was last seen to turn

  void admitted() { admissions[static_cast<size_t>(Admission::ok)].add(); }
  // An answer that refuses who asks, as it was told; others are none of its business.
  void refused(const Error& error, int http);
  void answered(std::string_view method, std::string_view route, int status, int64_t began_ns);
};

// Everything the service counts, in the Prometheus text format. Any thread.
std::string metrics_text(Service& service);

}  // namespace mcptoken::service
