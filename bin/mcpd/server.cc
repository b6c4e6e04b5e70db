#include "server.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <thread>

#include <mcptoken/mcptoken.h>

#include "access_log.h"
#include "admin.h"
#include "admin_listener.h"
#include "health.h"
#include "listener.h"
#include "log.h"
#include "process.h"
#include "supervisor.h"
#include "worker.h"

namespace mcpd {
namespace {

constexpr size_t kConnections = 12'000;
constexpr size_t kSpareDescriptors = 512;  // for the store, upstream connections and child processes

template <class T, void (*Free)(T*)>
struct Deleter {
  void operator()(T* object) const { Free(object); }
};
using Config = std::unique_ptr<mcptoken_config, Deleter<mcptoken_config, mcptoken_config_free>>;
using Service = std::unique_ptr<mcptoken_service, Deleter<mcptoken_service, mcptoken_service_free>>;
using Loop = std::unique_ptr<mcptoken_loop, Deleter<mcptoken_loop, mcptoken_loop_free>>;
using Error = std::unique_ptr<mcptoken_error, Deleter<mcptoken_error, mcptoken_error_free>>;

// The library's refusal of a setting is the caller's fault; everything else is the environment's.
Failure failure_of(mcptoken_status status, mcptoken_error* detail, const std::string& about) {
  const Error error(detail);
  const bool usage = status == MCPTOKEN_INVALID || status == MCPTOKEN_NOT_SUPPORTED;
  std::string why = mcptoken_error_message(error.get());
  if (why.empty()) why = mcptoken_status_name(status);
  return {usage ? kExitUsage : kExitFailure, about + ": " + why};
}

// The cores this process may use, which a container or taskset may have narrowed.
size_t usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return std::max(1u, std::thread::hardware_concurrency());
  return static_cast<size_t>(std::max(1, CPU_COUNT(&set)));
}

Outcome<Config> make_config(const Settings& settings, const Endpoint& endpoint) {
  mcptoken_config* raw = nullptr;
  mcptoken_error* error = nullptr;
  if (const auto status = mcptoken_config_new(&raw, &error); status != MCPTOKEN_OK)
    return failure_of(status, error, "config");
  Config config(raw);
  const auto set = [&](const char* key, const std::string& value, std::string_view name) -> std::optional<Failure> {
    mcptoken_error* detail = nullptr;
    const auto status = mcptoken_config_set(config.get(), key, value.c_str(), &detail);
    if (status == MCPTOKEN_OK) return std::nullopt;
    return failure_of(status, detail, std::string(name));
  };
  for (const auto& row : setting_rows()) {
    const auto& value = settings.text(row.setting);
    if (!row.service_key || value.empty()) continue;
    if (auto failure = set(row.service_key, value, row.name)) return *failure;
  }
  if (auto failure = set("loopback_only", endpoint.address.is_loopback() ? "true" : "false", "listen")) return *failure;
  if (auto failure = set("adopt_orphans", "true", "adopt_orphans")) return *failure;
  if (auto failure = set("listen_port", std::to_string(endpoint.port), "listen")) return *failure;
  return config;
}

class Server {
 public:
  Server(const Settings& settings, const Environment& environment) : settings_(settings), environment_(environment) {}

  Outcome<bool> start() {
    const auto wanted = settings_.integer(Setting::loops);
    const size_t loops = wanted > 0 ? static_cast<size_t>(wanted) : usable_cores();
    auto inherited = inherited_listener(environment_);
    if (!inherited) return inherited.failure();
    options_.inherited = *inherited >= 0;
    auto listeners = *inherited >= 0 ? share_listener(*inherited, loops)
                                     : open_listeners(*parse_endpoint(listen_text(settings_)), loops);
    if (!listeners) return listeners.failure();
    endpoint_ = listeners->endpoint;
    if (auto opened = open_service(); !opened) return opened.failure();
    if (auto made = make_workers(listeners->fds); !made) return made.failure();
    if (auto opened = open_admin(); !opened) return opened.failure();
    announce();  // before the file: whoever waits for it may read these lines
    if (const auto& path = settings_.text(Setting::port_file); !path.empty()) {
      if (auto written = write_port_file(path, endpoint_.port); !written) return written.failure();
    }
    notify(environment_, "READY=1");
    return true;
  }

  // Until a signal. A second one during the grace abandons the calls under way.
  void run() {
    EndEvents events;
    for (auto& worker : workers_)
      worker->start(events.finished_fd());
    size_t running = workers_.size();
    for (bool draining = false; running > 0;) {
      const auto happened = events.wait();
      running -= std::min(running, happened.finished);
      if (!happened.signalled) continue;
      log(Level::info, draining ? "stopping at once" : "stopping");
      notify(environment_, "STOPPING=1");
      for (auto& worker : workers_)
        draining ? worker->hurry() : worker->drain(settings_.integer(Setting::grace_ms));
      draining = true;
    }
    for (auto& worker : workers_)
      worker->join();
    admin_.reset();
  }

 private:
  Outcome<bool> open_service() {
    const auto& folder = settings_.text(Setting::data_dir);
    if (!settings_.is_gateway()) {
      if (auto made = make_folder(folder); !made) return made.failure();
    }
    auto config = make_config(settings_, endpoint_);
    if (!config) return config.failure();
    mcptoken_service* raw = nullptr;
    mcptoken_error* error = nullptr;
    const auto status = mcptoken_service_new(config->get(), log_from_library, nullptr, &raw, &error);
    if (status != MCPTOKEN_OK)
      return failure_of(status, error, settings_.is_gateway() ? "gateway" : "data directory " + folder);
    service_.reset(raw);
    return open_access_log();
  }

  Outcome<bool> open_access_log() {
    const auto& format = settings_.text(Setting::access_log);
    if (format == "off") return true;
    access_log_ =
        std::make_unique<AccessLog>(format == "json" ? AccessFormat::json : AccessFormat::text, STDOUT_FILENO);
    const auto write = [](void* log, const mcptoken_access* access) noexcept {
      static_cast<AccessLog*>(log)->write(*access);
    };
    mcptoken_error* error = nullptr;
    const auto status = mcptoken_service_on_access(service_.get(), write, access_log_.get(), &error);
    if (status != MCPTOKEN_OK) return failure_of(status, error, "access-log");
    return true;
  }

  Outcome<bool> make_workers(const std::vector<int>& fds) {
    const size_t descriptors = descriptor_limit();
    const size_t connections = descriptors > 2 * kSpareDescriptors ? descriptors - kSpareDescriptors : descriptors / 2;
    const auto per_address = static_cast<size_t>(settings_.integer(Setting::connections_per_address));
    census_ = std::make_unique<ConnectionCensus>(std::min(kConnections, connections), per_address);
    options_.service = service_.get();
    options_.census = census_.get();
    options_.access_log = access_log_.get();
    options_.trusted_proxies = *parse_networks(settings_.text(Setting::trusted_proxies));
    options_.connection_limit = kConnections + 64;
    options_.header_ms = settings_.integer(Setting::header_deadline_ms);
    options_.body_ms = settings_.integer(Setting::body_deadline_ms);
    options_.idle_ms = settings_.integer(Setting::idle_ms);
    for (const int fd : fds) {
      mcptoken_loop* raw = nullptr;
      mcptoken_error* error = nullptr;
      auto status = mcptoken_loop_new(&raw, &error);
      if (status != MCPTOKEN_OK) return failure_of(status, error, "event loop");
      loops_.emplace_back(raw);
      mcptoken_loop_set_busy_poll(raw, settings_.integer(Setting::busy_poll_us));
      status = mcptoken_service_attach(service_.get(), raw, &error);
      if (status != MCPTOKEN_OK) return failure_of(status, error, "event loop");
      auto worker = Worker::create(options_, raw, fd);
      if (!worker) return worker.failure();
      workers_.push_back(std::move(*worker));
    }
    return true;
  }

  // Metrics are no reason not to serve, unless somebody has asked for them.
  Outcome<bool> open_admin() {
    const auto& where = settings_.text(Setting::admin_listen);
    if (where == "off") return true;
    AdminOptions options;
    options.endpoint = *parse_endpoint(where);
    options.service = service_.get();
    options.census = census_.get();
    options.access_log = access_log_.get();
    if (const auto& path = settings_.text(Setting::admin_token_file); !path.empty()) {
      auto token = read_token_file(path);
      if (!token) return token.failure();
      options.token = std::move(*token);
    } else if (!options.endpoint.address.is_loopback()) {
      return Failure{kExitUsage, "admin-listen: " + where + " can be reached by others: set admin-token-file"};
    }
    auto opened = AdminListener::open(std::move(options));
    if (opened) {
      admin_ = std::move(*opened);
      return true;
    }
    if (settings_.source(Setting::admin_listen) != Source::fallback)
      return Failure{opened.failure().exit_code, "admin-listen: " + opened.failure().message};
    log(Level::warning, "no metrics: " + opened.failure().message + " Set admin-listen");
    return true;
  }

  void announce() {
    const auto& folder = settings_.text(Setting::data_dir);
    if (settings_.is_gateway()) {
      log_start("mcpd gateway listening on http://" + endpoint_.text() + " (control plane " +
                settings_.text(Setting::mcpd_url) + ")");
    } else {
      log_start("mcpd listening on http://" + endpoint_.text() + " (data " + folder + ")");
    }
    if (mcptoken_service_needs_bootstrap(service_.get()) != 0) {
      log_start("no user exists yet: the code in " + folder +
                "/bootstrap-code makes the first one, with mcpctl bootstrap EMAIL");
    }
    if (admin_) log(Level::info, "metrics at http://" + admin_->endpoint().text() + "/metrics");
    if (!endpoint_.address.is_loopback())
      log(Level::warning, "plain HTTP on an address that others can reach: put TLS in front");
  }

  // Scripts wait for these lines, whatever the log level.
  static void log_start(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }

  const Settings& settings_;
  const Environment& environment_;
  Endpoint endpoint_;
  WorkerOptions options_;
  std::unique_ptr<ConnectionCensus> census_;
  std::unique_ptr<AccessLog> access_log_;  // to which loops write until the end
  // Destroyed from the end: workers, then the service, then the loops.
  std::vector<Loop> loops_;
  Service service_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<AdminListener> admin_;
};

Level level_of(const std::string& name) {
  if (name == "debug") return Level::debug;
  if (name == "warning") return Level::warning;
  return name == "error" ? Level::error : Level::info;
}

int fail_with(const Failure& failure) {
  std::fprintf(stderr, "mcpd: %s\n", failure.message.c_str());
  return failure.exit_code;
}

}  // namespace

int main_program(std::string_view program, std::span<const char* const> arguments, const Environment& environment) {
  if (!arguments.empty() && std::string_view(arguments[0]) == "admin")
    return admin_program(arguments.subspan(1), environment);
  const Role role = take_role(program, arguments);
  if (!arguments.empty() && std::string_view(arguments[0]) == "health")
    return health_program(role, arguments.subspan(1), environment);
  auto invocation = load_settings(role, arguments, environment);
  if (!invocation) return fail_with(invocation.failure());
  const auto& settings = invocation->settings;
  switch (invocation->action) {
    case Action::help:
      std::fputs(help_text(role).c_str(), stdout);
      return 0;
    case Action::version:
      std::printf("mcpd %s\n", mcptoken_version());
      return 0;
    case Action::print_config:
      std::fputs(effective_config(settings).c_str(), stdout);
      return 0;
    case Action::run:
      break;
  }
  set_log_level(level_of(settings.text(Setting::log_level)));
  prepare_process(settings.boolean(Setting::debuggable));
  Server server(settings, environment);
  if (const auto started = server.start(); !started) return fail_with(started.failure());
  server.run();
  return 0;
}

}  // namespace mcpd
