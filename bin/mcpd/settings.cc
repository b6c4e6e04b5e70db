#include "settings.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "address.h"
#include "yaml_file.h"

namespace mcpd {
namespace {

constexpr std::array kRows{
    SettingRow{Setting::listen, "listen", Kind::endpoint, "127.0.0.1:3100", "", nullptr,
               "address and port to listen on; port 0 takes a free one"},
    SettingRow{Setting::data_dir, "data-dir", Kind::path, "", "", "data_dir",
               "state folder (default: STATE_DIRECTORY, else mcpd in the XDG state folder)"},
    SettingRow{Setting::config, "config", Kind::path, "", "", nullptr, "YAML file with settings", kBoth},
    SettingRow{Setting::port_file, "port-file", Kind::path, "", "", nullptr, "file that gets the port once it is open",
               kBoth},
    SettingRow{Setting::loops, "loops", Kind::integer, "0", "0..256", nullptr,
               "event loops, one thread each; 0: one a core", kBoth},
    SettingRow{Setting::busy_poll_us, "busy-poll-us", Kind::integer, "100", "0..10000", nullptr,
               "how long a busy loop looks for the next event before it sleeps; 0: it sleeps at once", kBoth},
    SettingRow{Setting::allowed_hosts, "allowed-hosts", Kind::list, "", "", "allowed_hosts",
               "names that a Host header may carry", kBoth},
    SettingRow{Setting::allowed_origins, "allowed-origins", Kind::list, "", "", "allowed_origins",
               "origins of web pages that may call", kBoth},
    SettingRow{Setting::trusted_proxies, "trusted-proxies", Kind::networks, "", "", nullptr,
               "networks whose X-Forwarded-For and -Proto are believed", kBoth},
    SettingRow{Setting::upstream_allow, "upstream-allow", Kind::networks, "", "", "upstream_allow",
               "private networks that upstream servers and language models may live in", kBoth},
    SettingRow{Setting::upstream_ca_file, "upstream-ca-file", Kind::path, "", "", "upstream_ca_file",
               "certificate authorities (PEM) to trust instead of the system's, for servers behind https", kBoth},
    SettingRow{Setting::token_ceiling, "token-ceiling", Kind::choice, "live", "live|mint", "token_ceiling",
               "whether a token follows its owner's rights or keeps those of its making"},
    SettingRow{Setting::tool_grant, "tool-grant", Kind::choice, "view", "view|run", "tool_grant",
               "the right that opens a server's tools"},
    SettingRow{Setting::max_token_ttl, "max-token-ttl", Kind::text, "", "", "max_token_ttl",
               "longest lifetime of a token, like 365d (default: none)"},
    SettingRow{Setting::max_tokens, "max-tokens", Kind::integer, "10000", "1..1000000000", "max_tokens",
               "usable tokens of one project, and of one owner"},
    SettingRow{Setting::audit, "audit", Kind::choice, "buffered", "buffered|strict", "audit",
               "whether a call that cannot be recorded is made (buffered) or refused (strict)"},
    SettingRow{Setting::audit_retention, "audit-retention", Kind::text, "90d", "", "audit_retention",
               "how long audit events are kept, or never"},
    SettingRow{Setting::key_file, "key-file", Kind::path, "", "", "key_file",
               "key that seals secrets (default: in the data directory)"},
    SettingRow{Setting::require_sandbox, "require-sandbox", Kind::boolean, "false", "", "require_sandbox",
               "refuse to start servers that cannot be confined"},
    SettingRow{Setting::connections_per_address, "connections-per-address", Kind::integer, "256", "0..1000000", nullptr,
               "open connections of one client address; 0: no limit", kBoth},
    SettingRow{Setting::log_level, "log-level", Kind::choice, "info", "debug|info|warning|error", nullptr,
               "least important lines to log", kBoth},
    SettingRow{Setting::header_deadline_ms, "header-deadline-ms", Kind::integer, "10000", "1..600000", nullptr, "",
               kBoth},
    SettingRow{Setting::body_deadline_ms, "body-deadline-ms", Kind::integer, "30000", "1..600000", nullptr, "", kBoth},
    SettingRow{Setting::idle_ms, "idle-ms", Kind::integer, "60000", "1..600000", nullptr, "", kBoth},
    SettingRow{Setting::grace_ms, "grace-ms", Kind::integer, "30000", "0..600000", nullptr,
               "how long calls under way may go on when the server is told to stop", kBoth},
    SettingRow{Setting::debuggable, "debuggable", Kind::boolean, "false", "", nullptr, "", kBoth},
    SettingRow{Setting::mcpd_url, "mcpd-url", Kind::text, "", "", "control_plane_url",
               "control plane of the gateway, like https://mcpd.example.com", kGatewayOnly},
    SettingRow{Setting::http_host, "http-host", Kind::text, "127.0.0.1", "", nullptr, "address to listen on",
               kGatewayOnly},
    SettingRow{Setting::http_port, "http-port", Kind::integer, "3200", "0..65535", nullptr,
               "port to listen on; 0 takes a free one", kGatewayOnly},
    SettingRow{Setting::token_positive_ttl_ms, "token-positive-ttl-ms", Kind::integer, "30000", "0..3600000",
               "token_positive_ttl_ms", "how long a token stays good without being asked about again", kGatewayOnly},
    SettingRow{Setting::token_negative_ttl_ms, "token-negative-ttl-ms", Kind::integer, "5000", "0..3600000",
               "token_negative_ttl_ms", "how long a refused token stays refused without being asked about",
               kGatewayOnly},
    SettingRow{Setting::token_ungate_ttl_ms, "token-ungate-ttl-ms", Kind::integer, "3600000", "1..86400000",
               "token_ungate_ttl_ms", "how long the gate of a project stays open for a token", kBoth},
    SettingRow{Setting::cache_dir, "cache-dir", Kind::path, "", "", "cache_dir",
               "folder of the pipeline cache (default: CACHE_DIRECTORY, cache in the data folder, or memory)", kBoth},
    SettingRow{Setting::upstream_backoff_ms, "upstream-backoff-ms", Kind::integer, "30000", "1..3600000",
               "upstream_backoff_ms", "the longest pause before a server that failed is asked again", kBoth},
    SettingRow{Setting::llm_file, "llm-file", Kind::path, "", "", "llm_file",
               "JSON file of language models that all projects may use", kBoth},
    SettingRow{Setting::admin_listen, "admin-listen", Kind::endpoint_or_off, "127.0.0.1:3101", "", nullptr,
               "address and port of /metrics, or off", kBoth},
    SettingRow{Setting::admin_token_file, "admin-token-file", Kind::path, "", "", nullptr,
               "file with the token that readers of /metrics have to show; a must where others can reach it", kBoth},
    SettingRow{Setting::access_log, "access-log", Kind::choice, "off", "off|text|json", nullptr,
               "a line for each request, on standard output", kBoth},
};
static_assert(kRows.size() == static_cast<size_t>(Setting::count));

// Variables that Kubernetes sets in every pod beside a service named like the program: they are addressed to nobody.
constexpr std::array<std::string_view, 2> kForeignVariables{"SERVICE_", "PORT"};

bool belongs(const SettingRow& row, Role role) { return (row.roles & static_cast<uint8_t>(role)) != 0; }
std::string prefix_of(Role role) { return role == Role::gateway ? "MCPLOCAL_" : "MCPD_"; }
std::string program_of(Role role) { return role == Role::gateway ? "mcpd gateway" : "mcpd"; }
std::string see_help(Role role) { return "; see " + program_of(role) + " --help"; }

const SettingRow* find_row(Role role, std::string_view name) {
  const auto* row =
      std::find_if(kRows.begin(), kRows.end(), [&](const auto& one) { return one.name == name && belongs(one, role); });
  return row == kRows.end() ? nullptr : row;
}

// Both roles may run on one machine.
std::string_view fallback_of(Role role, const SettingRow& row) {
  return role == Role::gateway && row.setting == Setting::admin_listen ? "127.0.0.1:3201" : row.fallback;
}

bool hidden(const SettingRow& row) { return row.help.empty(); }

std::string variable_of(Role role, const SettingRow& row) {
  std::string name = prefix_of(role);
  for (char c : row.name)
    name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

std::optional<int64_t> to_integer(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool is_choice(std::string_view choices, std::string_view value) {
  while (!choices.empty()) {
    const size_t bar = choices.find('|');
    if (choices.substr(0, bar) == value) return true;
    choices = bar == std::string_view::npos ? std::string_view{} : choices.substr(bar + 1);
  }
  return false;
}

bool in_range(std::string_view range, std::string_view value) {
  const size_t dots = range.find("..");
  const auto number = to_integer(value);
  return number && *number >= *to_integer(range.substr(0, dots)) && *number <= *to_integer(range.substr(dots + 2));
}

// What is wrong with a value, or "".
std::string fault_of(const SettingRow& row, std::string_view value) {
  switch (row.kind) {
    case Kind::boolean:
      return is_choice("true|false", value) ? "" : "must be true or false";
    case Kind::choice:
      return is_choice(row.values, value) ? "" : "must be one of " + std::string(row.values);
    case Kind::integer:
      return in_range(row.values, value) ? "" : "must be an integer in " + std::string(row.values);
    case Kind::endpoint:
      return parse_endpoint(value) ? "" : "must be ADDRESS:PORT, like 127.0.0.1:3100 or [::1]:3100";
    case Kind::endpoint_or_off:
      return value == "off" || parse_endpoint(value) ? "" : "must be ADDRESS:PORT, like 127.0.0.1:3101, or off";
    case Kind::networks: {
      auto networks = parse_networks(value);
      return networks ? "" : networks.failure().message;
    }
    case Kind::path:
      return value.empty() ? "must not be empty" : "";
    case Kind::text:
    case Kind::list:
      break;
  }
  return "";
}

std::string shown(std::string_view value) { return value.empty() ? "''" : std::string(value); }

Outcome<Invocation> read_flags(Role role, std::span<const char* const> arguments) {
  Invocation flags{Action::run, Settings(role)};
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--help" || argument == "-h") return Invocation{Action::help, Settings(role)};
    if (argument == "--version") return Invocation{Action::version, Settings(role)};
    if (argument == "--print-effective-config") {
      flags.action = Action::print_config;
      continue;
    }
    const size_t equals = argument.find('=');
    const auto* row = argument.starts_with("--") ? find_row(role, argument.substr(2, equals - 2)) : nullptr;
    if (!row) return Failure{kExitUsage, "unknown argument '" + std::string(argument) + "'" + see_help(role)};
    std::string_view value = "true";  // a boolean flag alone
    if (equals != std::string_view::npos) {
      value = argument.substr(equals + 1);
    } else if (row->kind != Kind::boolean) {
      if (++i == arguments.size()) return Failure{kExitUsage, std::string(argument) + " needs a value"};
      value = arguments[i];
    }
    const auto taken = flags.settings.offer(*row, value, Source::flag, "--" + std::string(row->name));
    if (!taken) return taken.failure();
  }
  return flags;
}

Outcome<bool> read_environment(const Environment& environment, Settings& settings) {
  const Role role = settings.role();
  const std::string prefix = prefix_of(role);
  for (const auto& [name, value] : environment) {
    if (!name.starts_with(prefix)) continue;
    const auto* row = std::find_if(kRows.begin(), kRows.end(), [&](const auto& one) {
      return !hidden(one) && belongs(one, role) && variable_of(role, one) == name;
    });
    if (row == kRows.end()) {
      if (std::any_of(kForeignVariables.begin(), kForeignVariables.end(),
                      [&](auto one) { return name.substr(prefix.size()).starts_with(one); })) {
        continue;
      }
      return Failure{kExitUsage, "unknown environment variable " + name + see_help(role)};
    }
    if (const auto taken = settings.offer(*row, value, Source::environment, name); !taken) return taken.failure();
  }
  return true;
}

Outcome<bool> read_file(const std::string& path, Settings& settings) {
  auto entries = read_yaml_file(path);
  if (!entries) return entries.failure();
  for (const auto& [key, value, line] : *entries) {
    const std::string where = path + ":" + std::to_string(line) + ": ";
    const auto* row = find_row(settings.role(), key);
    if (!row || hidden(*row) || row->setting == Setting::config) {
      return Failure{kExitUsage, where + "unknown key '" + key + "'" + see_help(settings.role())};
    }
    if (const auto taken = settings.offer(*row, value, Source::file, where + key); !taken) return taken.failure();
  }
  return true;
}

std::string variable_or_empty(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

// What systemd hands over of the unit's folders, the first of them; or nothing.
std::string supervised_folder(const Environment& environment, const std::string& name) {
  const auto given = variable_or_empty(environment, name);
  return given.substr(0, given.find(':'));
}

// The unit's state folder; otherwise the XDG base directory specification decides.
std::string default_data_dir(const Environment& environment) {
  if (auto given = supervised_folder(environment, "STATE_DIRECTORY"); !given.empty()) return given;
  if (const auto state = variable_or_empty(environment, "XDG_STATE_HOME"); state.starts_with('/'))
    return state + "/mcpd";
  if (const auto home = variable_or_empty(environment, "HOME"); !home.empty()) return home + "/.local/state/mcpd";
  return "";
}

Outcome<bool> fill_defaults(const Environment& environment, Settings& settings) {
  for (const auto& row : kRows) {
    if (!belongs(row, settings.role()) || settings.source(row.setting) != Source::fallback) continue;
    if (row.setting == Setting::data_dir) {
      const auto folder = default_data_dir(environment);
      if (folder.empty()) return Failure{kExitUsage, "no place for the state: set --data-dir, XDG_STATE_HOME or HOME"};
      settings.offer(row, folder, Source::fallback, "");
    } else if (row.setting == Setting::cache_dir) {
      if (const auto folder = supervised_folder(environment, "CACHE_DIRECTORY"); !folder.empty())
        settings.offer(row, folder, Source::fallback, "");
    } else if (!row.fallback.empty()) {
      settings.offer(row, fallback_of(settings.role(), row), Source::fallback, "");
    }
  }
  return true;
}

}  // namespace

std::span<const SettingRow> setting_rows() { return kRows; }

int64_t Settings::integer(Setting setting) const { return to_integer(text(setting)).value_or(0); }

Outcome<bool> Settings::offer(const SettingRow& row, std::string_view value, Source source, const std::string& where) {
  if (const auto fault = fault_of(row, value); !fault.empty()) {
    return Failure{kExitUsage, where + ": " + shown(value) + ": " + fault};
  }
  auto& slot = values_[static_cast<size_t>(row.setting)];
  if (source < slot.source) return false;
  slot = {std::string(value), source};
  return true;
}

Role take_role(std::string_view program, std::span<const char* const>& arguments) {
  if (program.substr(program.rfind('/') + 1) == "mcplocal") return Role::gateway;
  if (arguments.empty() || std::string_view(arguments[0]) != "gateway") return Role::server;
  arguments = arguments.subspan(1);
  return Role::gateway;
}

std::string listen_text(const Settings& settings) {
  if (!settings.is_gateway()) return settings.text(Setting::listen);
  const auto& host = settings.text(Setting::http_host);
  const bool bare_ipv6 = host.find(':') != std::string::npos && !host.starts_with('[');
  return (bare_ipv6 ? "[" + host + "]" : host) + ":" + settings.text(Setting::http_port);
}

Outcome<Invocation> load_settings(Role role, std::span<const char* const> arguments, const Environment& environment) {
  auto flags = read_flags(role, arguments);
  if (!flags) return flags.failure();
  Invocation invocation = std::move(*flags);
  if (invocation.action == Action::help || invocation.action == Action::version) return invocation;
  if (const auto read = read_environment(environment, invocation.settings); !read) return read.failure();
  if (const auto& path = invocation.settings.text(Setting::config); !path.empty()) {
    if (const auto read = read_file(path, invocation.settings); !read) return read.failure();
  }
  if (const auto filled = fill_defaults(environment, invocation.settings); !filled) return filled.failure();
  if (role == Role::gateway) {
    if (invocation.settings.text(Setting::mcpd_url).empty())
      return Failure{kExitUsage, "which control plane? Set MCPLOCAL_MCPD_URL or --mcpd-url"};
    if (!parse_endpoint(listen_text(invocation.settings)))
      return Failure{kExitUsage,
                     "http-host: " + shown(invocation.settings.text(Setting::http_host)) + ": must be an IP address"};
  }
  return invocation;
}

std::string help_text(Role role) {
  std::string text =
      role == Role::gateway
          ? "usage: mcpd gateway --mcpd-url URL [--SETTING VALUE | --SETTING=VALUE]...\n\n"
            "The MCP gateway of a control plane elsewhere; the same program when it is called mcplocal. It keeps "
            "nothing and\n"
            "has no secret: each caller's token is asked about and goes along to the control plane. Each setting may "
            "also\n"
            "come from the environment (MCPLOCAL_MCPD_URL for --mcpd-url) or from the YAML file given by --config; a "
            "flag\n"
            "beats the environment, which beats the file.\n\n"
          : "usage: mcpd [--SETTING VALUE | --SETTING=VALUE]...\n\n"
            "The MCP gateway and its control plane as one HTTP server. Each setting may also come from the "
            "environment\n"
            "(MCPD_DATA_DIR for --data-dir) or from the YAML file given by --config (`data-dir: ...`); a flag beats "
            "the\n"
            "environment, which beats the file. `mcpd gateway` is the gateway alone: see mcpd gateway --help.\n\n";
  for (const auto& row : kRows) {
    if (hidden(row) || !belongs(row, role)) continue;
    std::string left = "  --" + std::string(row.name);
    if (row.kind == Kind::choice) left += " " + std::string(row.values);
    left.resize(std::max<size_t>(left.size() + 2, 36), ' ');
    text += left + std::string(row.help);
    if (!row.fallback.empty()) text += " (default " + std::string(fallback_of(role, row)) + ")";
    text += "\n";
  }
  return text +
         "\n  admin reset-password EMAIL        set a user's password while mcpd does not run; see mcpd admin --help\n"
         "  admin audit-verify                check the audit record while mcpd does not run\n"
         "  health [URL]                      exit code 0 when a running mcpd answers; see mcpd health --help\n"
         "  --print-effective-config          show the settings in force and where each comes from\n"
         "  --help, --version\n";
}

std::string effective_config(const Settings& settings) {
  static constexpr std::array<std::string_view, 4> kSources{"default", "file", "environment", "flag"};
  std::string text;
  for (const auto& row : kRows) {
    if (hidden(row) || !belongs(row, settings.role()) || row.setting == Setting::config) continue;
    const auto& value = settings.text(row.setting);
    const bool plain = row.kind == Kind::boolean || row.kind == Kind::integer || row.kind == Kind::choice;
    std::string line = std::string(row.name) + ": ";
    if (value.empty()) {
      // An unset path has no value that the file could give.
      line = (row.kind == Kind::path ? "# " : "") + line + "\"\"";
    } else {
      line += plain ? value : quote_yaml(value);
    }
    text += line + "  # " + std::string(kSources[static_cast<size_t>(settings.source(row.setting))]) + "\n";
  }
  return text;
}

}  // namespace mcpd
