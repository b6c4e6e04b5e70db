// One table gives each setting its name; flag, environment variable and YAML key follow from it: "data-dir" is
// --data-dir, MCPD_DATA_DIR and `data-dir:`. In the gateway role the variables begin with MCPLOCAL_. A flag beats the
// environment, which beats the file, which beats the default.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "outcome.h"

namespace mcpd {

enum class Setting : size_t {
  listen,
  data_dir,
  config,
  port_file,
  loops,
  busy_poll_us,
  allowed_hosts,
  allowed_origins,
  trusted_proxies,
  upstream_allow,
  upstream_ca_file,
  token_ceiling,
  tool_grant,
  max_token_ttl,
  max_tokens,
  audit,
  audit_retention,
  key_file,
  require_sandbox,
  connections_per_address,
  log_level,
  header_deadline_ms,
  body_deadline_ms,
  idle_ms,
  grace_ms,
  debuggable,
  mcpd_url,
  http_host,
  http_port,
  token_positive_ttl_ms,
  token_negative_ttl_ms,
  token_ungate_ttl_ms,
  cache_dir,
  upstream_backoff_ms,
  llm_file,
  admin_listen,
  admin_token_file,
  access_log,
  count
};

// What the program is: control plane and gateway in one, or the gateway of a control plane elsewhere.
enum class Role : uint8_t { server = 1, gateway = 2 };
inline constexpr uint8_t kServerOnly = 1, kGatewayOnly = 2, kBoth = 3;

enum class Kind { text, path, list, boolean, integer, choice, endpoint, endpoint_or_off, networks };

struct SettingRow {
  Setting setting;
  std::string_view name;
  Kind kind;
  std::string_view fallback;
  std::string_view values;  // choice: "a|b"; integer: "min..max"
  const char* service_key;  // the service's name for it, or NULL
  std::string_view help;    // "" hides the row: a flag for tests, without variable and key
  uint8_t roles = kServerOnly;
};

std::span<const SettingRow> setting_rows();

enum class Source { fallback, file, environment, flag };

class Settings {
 public:
  explicit Settings(Role role) : role_(role) {}
  Role role() const { return role_; }
  bool is_gateway() const { return role_ == Role::gateway; }
  const std::string& text(Setting setting) const { return at(setting).text; }
  int64_t integer(Setting setting) const;
  bool boolean(Setting setting) const { return text(setting) == "true"; }
  Source source(Setting setting) const { return at(setting).source; }
  // Takes the value when no stronger source has given one; `where` begins the message about a bad value.
  Outcome<bool> offer(const SettingRow& row, std::string_view value, Source source, const std::string& where);

 private:
  struct Value {
    std::string text;
    Source source = Source::fallback;
  };
  Role role_;
  const Value& at(Setting setting) const { return values_[static_cast<size_t>(setting)]; }
  std::array<Value, static_cast<size_t>(Setting::count)> values_;
};

enum class Action { run, help, version, print_config };

struct Invocation {
  Action action;
  Settings settings;
};

using Environment = std::map<std::string, std::string>;

// `mcpd gateway …`, or any arguments of a program that is called mcplocal; `arguments` without the program's name lose
// the word.
Role take_role(std::string_view program, std::span<const char* const>& arguments);
// Reads the file that --config, MCPD_CONFIG or MCPLOCAL_CONFIG names.
Outcome<Invocation> load_settings(Role role, std::span<const char* const> arguments, const Environment& environment);
std::string help_text(Role role);
// ADDRESS:PORT to listen on, from whichever settings the role has for it.
std::string listen_text(const Settings& settings);
// The settings in force as YAML that --config would take, each with its source. None of them is a secret.
std::string effective_config(const Settings& settings);

}  // namespace mcpd
