#include "process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "process.h"

namespace mcpd {
namespace {

void append(std::string& out, const char* name, const char* type, const char* help, double value) {
  std::array<char, 512> text;
  const int size = std::snprintf(text.data(), text.size(), "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name,
                                 type, name, value);
  if (size > 0) out.append(text.data(), static_cast<size_t>(size));
}

double cpu_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double open_descriptors() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (!folder) return 0;
  double count = -3;  // ".", ".." and the folder's own
  while (::readdir(folder))
    ++count;
  ::closedir(folder);
  return count;
}

const double kStarted = [] {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}();

}  // namespace

std::string process_metrics(const ConnectionCensus& census, const AccessLog* access_log) {
  const auto seen = census.seen();
  std::string out;
  append(out, "mcpd_connections", "gauge", "Open connections of clients.", static_cast<double>(seen.open));
  append(out, "mcpd_connections_accepted_total", "counter", "Connections that were let in.",
         static_cast<double>(seen.accepted));
  out +=
      "# HELP mcpd_connections_refused_total Connections that were closed at once.\n"
      "# TYPE mcpd_connections_refused_total counter\n"
      "mcpd_connections_refused_total{reason=\"all\"} " +
      std::to_string(seen.full) + "\n" + "mcpd_connections_refused_total{reason=\"address\"} " +
      std::to_string(seen.address_full) + "\n";
  append(out, "mcpd_requests_malformed_total", "counter", "Requests that were refused for their form.",
         static_cast<double>(seen.malformed));
  append(out, "mcpd_access_log_dropped_total", "counter", "Lines of the access log for which there was no room.",
         access_log ? static_cast<double>(access_log->dropped()) : 0);
  append(out, "process_cpu_seconds_total", "counter", "Time on processors.", cpu_seconds());
  append(out, "process_resident_memory_bytes", "gauge", "Memory in use.", resident_bytes());
  append(out, "process_open_fds", "gauge", "Open descriptors.", open_descriptors());
  append(out, "process_max_fds", "gauge", "Most open descriptors.", static_cast<double>(descriptor_limit()));
  append(out, "process_start_time_seconds", "gauge", "Start of the process, since 1970.", kStarted);
  return out;
}

}  // namespace mcpd
