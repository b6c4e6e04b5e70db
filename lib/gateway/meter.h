// What a site counts. Names of labels are OpenTelemetry's where its conventions for MCP have one. No label says who
// calls.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "metrics/series.h"
#include "metrics/text.h"

namespace mcptoken::gateway {

class Gateway;
enum class CallOutcome : uint8_t;

// Servers, and tools, of one loop that have a label of their own; and combinations of labels of one metric: a histogram
// of so many is 2 MB of text.
inline constexpr size_t kMeterNames = 256;
inline constexpr size_t kMeterSeries = 1'024;

// How a list was found in the catalogue.
enum class Lookup : uint8_t { fresh, stale, fetched, failed };

// By server, how many connections are in which InstanceStatus.
using StatesOfServers = std::map<std::string, std::array<int64_t, 5>>;

struct Meter {
  metrics::Names servers{kMeterNames};
  metrics::Names tools{kMeterNames};
  metrics::Series<metrics::Histogram> served{kMeterSeries};  // method, version, error, tool
  metrics::Series<metrics::Histogram> asked{kMeterSeries};   // method, error, server
  metrics::Series<metrics::Counter> calls{kMeterSeries};     // server, outcome
  metrics::Series<metrics::Counter> openings{kMeterSeries};  // server, whether it succeeded
  metrics::Series<metrics::Gauge> upstreams{kMeterSeries};   // server, state
  std::array<metrics::Counter, 4> lookups;                   // by Lookup
  metrics::Counter fetched, fetch_failures;                  // lists, from servers
  metrics::Gauge lists, sessions, listeners;

  void count_call(std::string_view server, CallOutcome outcome);
  void count_opening(std::string_view server, bool opened);
  void count_asked(std::string_view method, uint16_t error, std::string_view server, int64_t began_ns);
  void count(Lookup how) { lookups[static_cast<size_t>(how)].add(); }
  void set_upstreams(StatesOfServers states);

 private:
  StatesOfServers shown_;
};

// The label error_type of a failure; of kMetricToolError the number.
uint16_t error_number(const Error& error);
uint16_t tool_error_number();

// One request of a client, from when it was understood until it is answered. A listener is none: it ends with its
// client.
class Operation {
 public:
  explicit Operation(Meter& meter) : meter_(meter) {}
  ~Operation();  // without conclude(): it was cancelled
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  void begin(std::string_view method);
  void speaks(std::string_view revision);
  // `offered`: by the server's own list. What is not there may have been made up, and has no label of its own.
  void about_tool(std::string_view name, bool offered);
  bool knows_tool(std::string_view name) const { return meter_.tools.knows(name); }
  void failed(const Error& error) { error_ = error_number(error); }
  void failed_in_tool() { error_ = tool_error_number(); }
  void drop() { began_ns_ = 0; }
  void conclude(const Result<void>& result);

 private:
  Meter& meter_;
  int64_t began_ns_ = 0;
  uint16_t method_ = 0, version_ = 0, error_ = 0, tool_ = 0;
  bool concluded_ = false;
};

// Of all sites. Any thread, once they are attached.
void write_metrics(metrics::Text& text, Gateway& gateway);

}  // namespace mcptoken::gateway
