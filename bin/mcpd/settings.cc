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
    SettingRow{Setting::config, "config", Kind::path, "", "", nullptr, "YAML file with settings"},
    SettingRow{Setting::port_file, "port-file", Kind::path, "", "", nullptr, "file that gets the port once it is open"},
    SettingRow{Setting::loops, "loops", Kind::integer, "0", "0..256", nullptr,
               "event loops, one thread each; 0: one a core"},
    SettingRow{Setting::allowed_hosts, "allowed-hosts", Kind::list, "", "", "allowed_hosts",
               "names that a Host header may carry"},
    SettingRow{Setting::allowed_origins, "allowed-origins", Kind::list, "", "", "allowed_origins",
               "origins of web pages that may call"},
    SettingRow{Setting::trusted_proxies, "trusted-proxies", Kind::networks, "", "", nullptr,
               "networks whose X-Forwarded-For and -Proto are believed"},
    SettingRow{Setting::upstream_allow, "upstream-allow", Kind::networks, "", "", "upstream_allow",
               "private networks that upstream servers may live in"},
    SettingRow{Setting::token_ceiling, "token-ceiling", Kind::choice, "live", "live|mint", "token_ceiling",
               "whether a token follows its owner's rights or keeps those of its making"},
    SettingRow{Setting::tool_grant, "tool-grant", Kind::choice, "view", "view|run", "tool_grant",
               "the right that opens a server's tools"},
    SettingRow{Setting::max_token_ttl, "max-token-ttl", Kind::text, "", "", "max_token_ttl",
               "longest lifetime of a token, like 365d (default: none)"},
    SettingRow{Setting::audit, "audit", Kind::choice, "buffered", "buffered|strict", "audit",
               "whether a call waits until its audit row is on disk"},
    SettingRow{Setting::key_file, "key-file", Kind::path, "", "", "key_file",
               "key that seals secrets (default: in the data directory)"},
    SettingRow{Setting::require_sandbox, "require-sandbox", Kind::boolean, "false", "", "require_sandbox",
               "refuse to start servers that cannot be confined"},
    SettingRow{Setting::connections_per_address, "connections-per-address", Kind::integer, "256", "0..1000000", nullptr,
               "open connections of one client address; 0: no limit"},
    SettingRow{Setting::log_level, "log-level", Kind::choice, "info", "debug|info|warning|error", nullptr,
               "least important lines to log"},
    SettingRow{Setting::header_deadline_ms, "header-deadline-ms", Kind::integer, "10000", "1..600000", nullptr, ""},
    SettingRow{Setting::body_deadline_ms, "body-deadline-ms", Kind::integer, "30000", "1..600000", nullptr, ""},
    SettingRow{Setting::idle_ms, "idle-ms", Kind::integer, "60000", "1..600000", nullptr, ""},
    SettingRow{Setting::grace_ms, "grace-ms", Kind::integer, "30000", "0..600000", nullptr, ""},
    SettingRow{Setting::debuggable, "debuggable", Kind::boolean, "false", "", nullptr, ""},
};
static_assert(kRows.size() == static_cast<size_t>(Setting::count));

// Variables that Kubernetes sets in every pod beside a service named "mcpd": they are addressed to nobody.
constexpr std::array<std::string_view, 2> kForeignVariables{"MCPD_SERVICE_", "MCPD_PORT"};

const SettingRow* find_row(std::string_view name) {
  const auto* row = std::find_if(kRows.begin(), kRows.end(), [&](const auto& one) { return one.name == name; });
  return row == kRows.end() ? nullptr : row;
}

bool hidden(const SettingRow& row) { return row.help.empty(); }

std::string variable_of(const SettingRow& row) {
  std::string name = "MCPD_";
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

struct Flags {
  Action action = Action::run;
  Settings settings;
};

Outcome<Flags> read_flags(std::span<const char* const> arguments) {
  Flags flags;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--help" || argument == "-h") return Flags{Action::help, {}};
    if (argument == "--version") return Flags{Action::version, {}};
    if (argument == "--print-effective-config") {
      flags.action = Action::print_config;
      continue;
    }
    const size_t equals = argument.find('=');
    const auto* row = argument.starts_with("--") ? find_row(argument.substr(2, equals - 2)) : nullptr;
    if (!row) return Failure{kExitUsage, "unknown argument '" + std::string(argument) + "'; see mcpd --help"};
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
  for (const auto& [name, value] : environment) {
    if (!name.starts_with("MCPD_")) continue;
    const auto* row = std::find_if(kRows.begin(), kRows.end(),
                                   [&](const auto& one) { return !hidden(one) && variable_of(one) == name; });
    if (row == kRows.end()) {
      if (std::any_of(kForeignVariables.begin(), kForeignVariables.end(),
                      [&](auto one) { return name.starts_with(one); })) {
        continue;
      }
      return Failure{kExitUsage, "unknown environment variable " + name + "; see mcpd --help"};
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
    const auto* row = find_row(key);
    if (!row || hidden(*row) || row->setting == Setting::config) {
      return Failure{kExitUsage, where + "unknown key '" + key + "'; see mcpd --help"};
    }
    if (const auto taken = settings.offer(*row, value, Source::file, where + key); !taken) return taken.failure();
  }
  return true;
}

std::string variable_or_empty(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

// systemd hands the unit's state folder over; otherwise the XDG base directory specification decides.
std::string default_data_dir(const Environment& environment) {
  if (const auto given = variable_or_empty(environment, "STATE_DIRECTORY"); !given.empty()) {
    return given.substr(0, given.find(':'));
  }
  if (const auto state = variable_or_empty(environment, "XDG_STATE_HOME"); state.starts_with('/'))
    return state + "/mcpd";
  if (const auto home = variable_or_empty(environment, "HOME"); !home.empty()) return home + "/.local/state/mcpd";
  return "";
}

Outcome<bool> fill_defaults(const Environment& environment, Settings& settings) {
  for (const auto& row : kRows) {
    if (settings.source(row.setting) != Source::fallback) continue;
    if (row.setting == Setting::data_dir) {
      const auto folder = default_data_dir(environment);
      if (folder.empty()) return Failure{kExitUsage, "no place for the state: set --data-dir, XDG_STATE_HOME or HOME"};
      settings.offer(row, folder, Source::fallback, "");
    } else if (!row.fallback.empty()) {
      settings.offer(row, row.fallback, Source::fallback, "");
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

Outcome<Invocation> load_settings(std::span<const char* const> arguments, const Environment& environment) {
  auto flags = read_flags(arguments);
  if (!flags) return flags.failure();
  Invocation invocation{flags->action, std::move(flags->settings)};
  if (invocation.action == Action::help || invocation.action == Action::version) return invocation;
  if (const auto read = read_environment(environment, invocation.settings); !read) return read.failure();
  if (const auto& path = invocation.settings.text(Setting::config); !path.empty()) {
    if (const auto read = read_file(path, invocation.settings); !read) return read.failure();
  }
  if (const auto filled = fill_defaults(environment, invocation.settings); !filled) return filled.failure();
  return invocation;
}

std::string help_text() {
  std::string text =
      "usage: mcpd [--SETTING VALUE | --SETTING=VALUE]...\n\n"
      "The MCP gateway and its control plane as one HTTP server. Each setting may also come from the environment\n"
      "(MCPD_DATA_DIR for --data-dir) or from the YAML file given by --config (`data-dir: ...`); a flag beats the\n"
      "environment, which beats the file.\n\n";
  for (const auto& row : kRows) {
    if (hidden(row)) continue;
    std::string left = "  --" + std::string(row.name);
    if (row.kind == Kind::choice) left += " " + std::string(row.values);
    left.resize(std::max<size_t>(left.size() + 2, 36), ' ');
    text += left + std::string(row.help);
    if (!row.fallback.empty()) text += " (default " + std::string(row.fallback) + ")";
    text += "\n";
  }
  return text +
         "\n  --print-effective-config          show the settings in force and where each comes from\n"
         "  --help, --version\n";
}

std::string effective_config(const Settings& settings) {
  static constexpr std::array<std::string_view, 4> kSources{"default", "file", "environment", "flag"};
  std::string text;
  for (const auto& row : kRows) {
    if (hidden(row) || row.setting == Setting::config) continue;
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
