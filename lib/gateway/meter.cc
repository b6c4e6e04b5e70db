#include "gateway/meter.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gateway/control_plane.h"
#include "gateway/site.h"
#include "mcp/message.h"
#include "mcp/revision.h"

namespace mcptoken::gateway {
namespace {

using metrics::Distribution;
using metrics::Labels;
using metrics::Names;
using metrics::Sums;
using metrics::Text;

// Words that are known beforehand have numbers, too: those of Names, then their place here.
constexpr uint16_t kFirst = 2;
constexpr std::string_view kMethods[] = {"tools/call",
                                         "tools/list",
                                         "prompts/get",
                                         "prompts/list",
                                         "resources/read",
                                         "resources/list",
                                         "resources/templates/list",
                                         "resources/subscribe",
                                         "resources/unsubscribe",
                                         "completion/complete",
                                         "logging/setLevel",
                                         "initialize",
                                         "server/discover",
                                         "subscriptions/listen",
                                         "ping",
                                         "notifications/initialized",
                                         "notifications/cancelled",
                                         "notifications/progress",
                                         "notifications/roots/list_changed"};
constexpr std::string_view kErrors[] = {"tool_error", "timeout", "cancelled", "unauthenticated", "denied",
                                        "-32700",     "-32600",  "-32601",    "-32602",          "-32603",
                                        "-32002",     "-32020",  "-32021",    "-32022",          "-32042"};
constexpr std::string_view kOutcomes[] = {"ok", "tool_error", "protocol_error", "transport_error", "denied"};
constexpr std::string_view kStates[] = {"starting", "running", "error", "stopping", "stopped"};
constexpr std::string_view kLookups[] = {"fresh", "stale", "fetched", "failed"};

template <size_t N>
uint16_t number_in(const std::string_view (&table)[N], std::string_view word) {
  for (size_t i = 0; i < N; ++i) {
    if (table[i] == word) return static_cast<uint16_t>(kFirst + i);
  }
  return word.empty() ? Names::kNone : Names::kOther;
}

template <size_t N>
std::string word_in(const std::string_view (&table)[N], uint16_t number) {
  if (number < kFirst) return number == Names::kNone ? "" : "_other";
  return std::string(table[number - kFirst]);
}

std::vector<std::string_view> revisions() {
  const auto legacy = mcp::legacy_revisions();
  std::vector<std::string_view> out(legacy.begin(), legacy.end());
  out.push_back(mcp::kModernRevision);
  return out;
}

std::string revision_of(uint16_t number) {
  static const auto known = revisions();
  if (number < kFirst) return number == Names::kNone ? "" : "_other";
  return std::string(known[number - kFirst]);
}

template <class Each>
void each_meter(Gateway& gateway, Each each) {
  for (size_t i = 0; i < gateway.sites(); ++i)
    each(gateway.site(i).meter);
}

// Adds a cell to the sum with its labels.
void add_to(Distribution& sum, const metrics::Histogram& cell) { sum.add(cell); }
void add_to(uint64_t& sum, const metrics::Counter& cell) { sum += cell.value(); }
void add_to(int64_t& sum, const metrics::Gauge& cell) { sum += cell.value(); }

// One family of all sites: `words` makes a row's labels readable.
template <class Sum, class Cell, class Words>
void write_family(Text& text, Gateway& gateway, metrics::Series<Cell> Meter::*series,
                  const std::vector<std::string_view>& names, Words words) {
  Sums<Sum> sums;
  each_meter(gateway, [&](const Meter& meter) {
    (meter.*series).each([&](const Labels& labels, const Cell& cell) { add_to(sums.at(words(meter, labels)), cell); });
  });
  sums.write(text, names);
}

using Words = std::vector<std::string>;

void write_operations(Text& text, Gateway& gateway) {
  text.family("mcp_server_operation_duration_seconds", "histogram", "Requests of clients, until they were answered.");
  write_family<Distribution>(
      text, gateway, &Meter::served, {"mcp_method_name", "mcp_protocol_version", "error_type", "gen_ai_tool_name"},
      [](const Meter& meter, const Labels& at) {
        return Words{word_in(kMethods, at[0]), revision_of(at[1]), word_in(kErrors, at[2]), meter.tools.name(at[3])};
      });
  text.family("mcp_client_operation_duration_seconds", "histogram", "Requests to servers, until they were answered.");
  write_family<Distribution>(
      text, gateway, &Meter::asked, {"mcp_method_name", "error_type", "mcptoken_server"},
      [](const Meter& meter, const Labels& at) {
        return Words{word_in(kMethods, at[0]), word_in(kErrors, at[1]), meter.servers.name(at[2])};
      });
  text.family("mcptoken_calls_total", "counter", "Requests to one server by what came of them.");
  write_family<uint64_t>(text, gateway, &Meter::calls, {"mcptoken_server", "outcome"},
                         [](const Meter& meter, const Labels& at) {
                           return Words{meter.servers.name(at[0]), word_in(kOutcomes, at[1])};
                         });
}

void write_upstreams(Text& text, Gateway& gateway) {
  text.family("mcptoken_upstream_connections", "gauge", "Connections to servers and processes of theirs, by state.");
  write_family<int64_t>(text, gateway, &Meter::upstreams, {"mcptoken_server", "state"},
                        [](const Meter& meter, const Labels& at) {
                          return Words{meter.servers.name(at[0]), word_in(kStates, at[1])};
                        });
  text.family("mcptoken_upstream_openings_total", "counter", "Attempts to reach or start a server.");
  write_family<uint64_t>(text, gateway, &Meter::openings, {"mcptoken_server", "outcome"},
                         [](const Meter& meter, const Labels& at) {
                           return Words{meter.servers.name(at[0]), at[1] == kFirst ? "ok" : "failed"};
                         });
}

void write_catalogue(Text& text, Gateway& gateway) {
  std::array<uint64_t, 4> lookups{};
  uint64_t fetched = 0, failures = 0;
  int64_t lists = 0, sessions = 0, listeners = 0;
  each_meter(gateway, [&](const Meter& meter) {
    for (size_t i = 0; i < lookups.size(); ++i)
      lookups[i] += meter.lookups[i].value();
    fetched += meter.fetched.value();
    failures += meter.fetch_failures.value();
    lists += meter.lists.value();
    sessions = std::max(sessions, meter.sessions.value());  // all loops know all of them
    listeners += meter.listeners.value();
  });
  text.family("mcptoken_catalogue_lookups_total", "counter",
              "Lists of servers that were needed, by how they were found.");
  for (size_t i = 0; i < lookups.size(); ++i)
    text.sample({{"result", std::string(kLookups[i])}}, lookups[i]);
  text.family("mcptoken_catalogue_fetches_total", "counter", "Lists that servers were asked for.");
  text.sample({{"outcome", "ok"}}, fetched).sample({{"outcome", "failed"}}, failures);
  text.gauge("mcptoken_catalogue_lists", "Lists that are remembered, by all loops.", lists);
  text.gauge("mcptoken_sessions", "Sessions that have asked for a log level or for resources.", sessions);
  text.gauge("mcptoken_listeners", "Open streams that wait for what servers say.", listeners);
}

void write_pipeline_cache(Text& text, Gateway& gateway) {
  const auto stats = gateway.shelf().stats();
  text.family("mcptoken_pipeline_cache_lookups_total", "counter", "Content that proxy models looked for.");
  const auto count = [](int64_t value) { return static_cast<uint64_t>(value); };
  text.sample({{"result", "memory"}}, count(stats.hits_memory));
  text.sample({{"result", "disk"}}, count(stats.hits_disk));
  text.sample({{"result", "miss"}}, count(stats.misses));
  text.counter("mcptoken_pipeline_cache_writes_total", "Files written.", count(stats.writes));
  text.counter("mcptoken_pipeline_cache_failures_total", "Files that could not be written.", count(stats.failures));
  text.counter("mcptoken_pipeline_cache_damaged_total", "Files that were no good.", count(stats.damaged));
  text.counter("mcptoken_pipeline_cache_evictions_total", "Entries that had to go for lack of room.",
               count(stats.evicted));
  text.family("mcptoken_pipeline_cache_bytes", "gauge", "Size of what is kept.");
  text.sample({{"place", "memory"}}, stats.memory_bytes).sample({{"place", "disk"}}, stats.disk_bytes);
  text.family("mcptoken_pipeline_cache_entries", "gauge", "Number of what is kept.");
  text.sample({{"place", "memory"}}, stats.memory_entries).sample({{"place", "disk"}}, stats.disk_entries);
}

}  // namespace

void Meter::count_call(std::string_view server, CallOutcome outcome) {
  calls.at({servers.number_of(server), static_cast<uint16_t>(kFirst + static_cast<uint16_t>(outcome))}).add();
}

void Meter::count_opening(std::string_view server, bool opened) {
  openings.at({servers.number_of(server), static_cast<uint16_t>(opened ? kFirst : kFirst + 1)}).add();
}

void Meter::count_asked(std::string_view method, uint16_t error, std::string_view server, int64_t began_ns) {
  asked.at({number_in(kMethods, method), error, servers.number_of(server)}).observe(metrics::now_ns() - began_ns);
}

void Meter::set_upstreams(StatesOfServers states) {
  for (const auto& [server, before] : shown_)
    states.try_emplace(server);  // nothing is left of it
  for (const auto& [server, numbers] : states) {
    for (uint16_t i = 0; i < numbers.size(); ++i) {
      auto& shown = shown_[server][i];
      if (shown == numbers[i]) continue;
      upstreams.at({servers.number_of(server), static_cast<uint16_t>(kFirst + i)}).set(numbers[i]);
      shown = numbers[i];
    }
  }
}

uint16_t error_number(const Error& error) {
  if (error.rpc == mcp::rpc::kRequestCancelled || error.status == Status::cancelled)
    return number_in(kErrors, "cancelled");
  if (error.status == Status::timeout) return number_in(kErrors, "timeout");
  if (error.status == Status::unauthenticated) return number_in(kErrors, "unauthenticated");
  if (error.status == Status::denied) return number_in(kErrors, "denied");
  return number_in(kErrors, std::to_string(error.rpc ? error.rpc : mcp::rpc::kInternalError));
}

uint16_t tool_error_number() { return number_in(kErrors, "tool_error"); }

void Operation::begin(std::string_view method) {
  began_ns_ = metrics::now_ns();
  method_ = number_in(kMethods, method);
}

void Operation::speaks(std::string_view revision) {
  if (revision == mcp::kModernRevision) {
    version_ = static_cast<uint16_t>(kFirst + mcp::legacy_revisions().size());
    return;
  }
  uint16_t number = kFirst;
  for (const auto known : mcp::legacy_revisions()) {
    if (known == revision) version_ = number;
    ++number;
  }
}

void Operation::about_tool(std::string_view name, bool offered) {
  tool_ = offered ? meter_.tools.number_of(name) : Names::kOther;
}

void Operation::conclude(const Result<void>& result) {
  concluded_ = true;
  if (!result) failed(result.error());
}

Operation::~Operation() {
  if (began_ns_ == 0) return;
  if (!concluded_) error_ = number_in(kErrors, "cancelled");
  meter_.served.at({method_, version_, error_, tool_}).observe(metrics::now_ns() - began_ns_);
}

void write_metrics(Text& text, Gateway& gateway) {
  write_operations(text, gateway);
  write_upstreams(text, gateway);
  write_catalogue(text, gateway);
  write_pipeline_cache(text, gateway);
}

}  // namespace mcptoken::gateway
