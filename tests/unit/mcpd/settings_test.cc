#include "settings.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <vector>

using namespace mcpd;

namespace {

Outcome<Invocation> load(std::vector<const char*> arguments, Environment environment = {}) {
  environment.emplace("HOME", "/home/u");
  return load_settings(Role::server, arguments, environment);
}

std::string refusal(std::vector<const char*> arguments, Environment environment = {}) {
  auto loaded = load(std::move(arguments), std::move(environment));
  REQUIRE_FALSE(loaded);
  CHECK(loaded.failure().exit_code == 64);
  return loaded.failure().message;
}

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    const int fd = ::mkstemp(path_.data());
    REQUIRE(fd >= 0);
    CHECK(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::close(fd);
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/mcpd-settings-XXXXXX";
};

}  // namespace

TEST_CASE("defaults") {
  auto loaded = load({});
  REQUIRE(loaded);
  const auto& settings = loaded->settings;
  CHECK(settings.text(Setting::listen) == "127.0.0.1:3100");
  CHECK(settings.text(Setting::data_dir) == "/home/u/.local/state/mcpd");
  CHECK(settings.integer(Setting::connections_per_address) == 256);
  CHECK_FALSE(settings.boolean(Setting::require_sandbox));
  CHECK(load({}, {{"XDG_STATE_HOME", "/s"}})->settings.text(Setting::data_dir) == "/s/mcpd");
  CHECK(
      load({}, {{"XDG_STATE_HOME", "/s"}, {"STATE_DIRECTORY", "/var/lib/mcpd:/b"}})->settings.text(Setting::data_dir) ==
      "/var/lib/mcpd");
  CHECK(settings.text(Setting::cache_dir).empty());
  CHECK(load({}, {{"CACHE_DIRECTORY", "/var/cache/mcpd:/b"}})->settings.text(Setting::cache_dir) == "/var/cache/mcpd");
  CHECK(load({"--cache-dir", "/c"}, {{"CACHE_DIRECTORY", "/d"}})->settings.text(Setting::cache_dir) == "/c");
  CHECK(settings.text(Setting::admin_listen) == "127.0.0.1:3101");
  auto gateway = load_settings(Role::gateway, {}, {{"MCPLOCAL_MCPD_URL", "http://p"}, {"CACHE_DIRECTORY", "/e"}});
  REQUIRE(gateway);
  CHECK(gateway->settings.text(Setting::admin_listen) == "127.0.0.1:3201");
  CHECK(gateway->settings.text(Setting::cache_dir) == "/e");
  CHECK(load({"--admin-listen", "off"})->settings.text(Setting::admin_listen) == "off");
  CHECK(refusal({"--admin-listen", "3101"}).find("or off") != std::string::npos);
  CHECK_FALSE(load_settings(Role::server, {}, {}));
}

TEST_CASE("a flag beats the environment, which beats the file, which beats the default") {
  const TemporaryFile file("audit: strict\nloops: 2\nlog-level: debug\nallowed-hosts: [a.example, \"b.example\"]\n");
  auto loaded =
      load({"--config", file.path().c_str(), "--loops=4"}, {{"MCPD_LOOPS", "3"}, {"MCPD_LOG_LEVEL", "error"}});
  REQUIRE(loaded);
  const auto& settings = loaded->settings;
  CHECK(settings.integer(Setting::loops) == 4);
  CHECK(settings.source(Setting::loops) == Source::flag);
  CHECK(settings.text(Setting::log_level) == "error");
  CHECK(settings.text(Setting::audit) == "strict");
  CHECK(settings.source(Setting::audit) == Source::file);
  CHECK(settings.text(Setting::allowed_hosts) == "a.example,b.example");
  CHECK(settings.text(Setting::tool_grant) == "view");
  CHECK(load({}, {{"MCPD_CONFIG", file.path()}})->settings.integer(Setting::loops) == 2);
}

TEST_CASE("flags") {
  CHECK(load({"--require-sandbox"})->settings.boolean(Setting::require_sandbox));
  CHECK_FALSE(load({"--require-sandbox=false"})->settings.boolean(Setting::require_sandbox));
  CHECK(load({"--audit", "strict", "--audit", "buffered"})->settings.text(Setting::audit) == "buffered");
  CHECK(load({"--help", "--nonsense"})->action == Action::help);
  CHECK(load({"--version"})->action == Action::version);
  CHECK(load({"--print-effective-config"})->action == Action::print_config);
  CHECK(refusal({"--nonsense"}).find("unknown argument '--nonsense'") == 0);
  CHECK(refusal({"--nonsense=1"}).find("unknown argument") == 0);
  CHECK(refusal({"serve"}).find("unknown argument 'serve'") == 0);
  CHECK(refusal({"-loops", "1"}).find("unknown argument") == 0);
  CHECK(refusal({"--loops"}) == "--loops needs a value");
}

TEST_CASE("bad values") {
  CHECK(refusal({"--loops", "257"}).find("0..256") != std::string::npos);
  CHECK(refusal({"--loops", "1x"}).find("integer") != std::string::npos);
  CHECK(refusal({"--listen", "3100"}).find("ADDRESS:PORT") != std::string::npos);
  CHECK(refusal({"--audit", "none"}).find("buffered|strict") != std::string::npos);
  CHECK(refusal({"--require-sandbox=yes"}).find("true or false") != std::string::npos);
  CHECK(refusal({"--trusted-proxies", "10.0.0.0/99"}).find("network") != std::string::npos);
  CHECK(refusal({"--data-dir="}).find("must not be empty") != std::string::npos);
  CHECK(refusal({}, {{"MCPD_AUDIT", "x"}}).find("MCPD_AUDIT: x:") == 0);
  CHECK(refusal({}, {{"MCPD_DATADIR", "x"}}).find("unknown environment variable MCPD_DATADIR") == 0);
  CHECK(refusal({}, {{"MCPD_HEADER_DEADLINE_MS", "5"}}).find("unknown environment variable") == 0);
  // A weaker source's bad value is still a mistake.
  CHECK(refusal({"--audit", "strict"}, {{"MCPD_AUDIT", "x"}}).find("MCPD_AUDIT") == 0);
}

TEST_CASE("variables that Kubernetes sets for a service of our name are not ours") {
  CHECK(load({}, {{"MCPD_SERVICE_HOST", "10.0.0.1"},
                  {"MCPD_PORT", "tcp://10.0.0.1:3100"},
                  {"MCPD_PORT_3100_TCP_ADDR", "10.0.0.1"}}));
  CHECK(load({}, {{"MCPD_PORT_FILE", "/run/port"}})->settings.text(Setting::port_file) == "/run/port");
}

TEST_CASE("bad files") {
  const auto from = [](const std::string& text) {
    const TemporaryFile file(text);
    const auto message = refusal({"--config", file.path().c_str()});
    CHECK(message.find(file.path()) == 0);
    return message.substr(file.path().size());
  };
  CHECK(from("loops: 1\nnonsense: 2\n").find(":2: unknown key 'nonsense'") == 0);
  CHECK(from("loops: 1\nloops: 2\n").find(":2: 'loops' is given twice") == 0);
  CHECK(from("audit: none\n").find(":1: audit: none: must be one of") == 0);
  CHECK(from("a:\n  b: c\n").find(":2: settings are not nested") == 0);
  CHECK(from("allowed-hosts: [[a]]\n").find(":1: a list has no place here") == 0);
  CHECK(from("- a\n").find(":1: a list has no place here") == 0);
  CHECK(from("loops: &x 1\n").find(":1: anchors and tags") == 0);
  CHECK(from("loops: !!int 1\n").find(":1: anchors and tags") == 0);
  CHECK(from("loops: 1\n---\nloops: 2\n").find(": a second document") != std::string::npos);
  CHECK(from("\"loops\n").find(":") == 0);
  CHECK(from("just words\n").find(":1: expected `key: value`") == 0);
  CHECK(from("config: other.yaml\n").find(":1: unknown key 'config'") == 0);
  CHECK(from("header-deadline-ms: 5\n").find(":1: unknown key") == 0);
  CHECK(refusal({"--config", "/nonexistent/file"}).find("/nonexistent/file: No such file") == 0);
  const TemporaryFile empty("# nothing\n");
  CHECK(load({"--config", empty.path().c_str()}));
}

TEST_CASE("the effective configuration can be fed back") {
  auto loaded = load({"--print-effective-config", "--allowed-hosts", "a \"b\"", "--loops", "7"});
  REQUIRE(loaded);
  const auto text = effective_config(loaded->settings);
  CHECK(text.find("loops: 7  # flag\n") != std::string::npos);
  CHECK(text.find("deadline") == std::string::npos);
  const TemporaryFile file(text);
  auto again = load({"--config", file.path().c_str()});
  REQUIRE(again);
  CHECK(again->settings.text(Setting::allowed_hosts) == "a \"b\"");
  CHECK(again->settings.integer(Setting::loops) == 7);
}

TEST_CASE("help names every setting that is not hidden") {
  for (const auto role : {Role::server, Role::gateway}) {
    const auto help = help_text(role);
    for (const auto& row : setting_rows()) {
      CAPTURE(std::string(row.name));
      const bool expected = !row.help.empty() && (row.roles & static_cast<uint8_t>(role)) != 0;
      CHECK((help.find("\n  --" + std::string(row.name) + " ") != std::string::npos) == expected);
    }
  }
}

TEST_CASE("the gateway role has settings of its own, and none of a control plane's") {
  auto gateway = [](std::vector<const char*> arguments, Environment environment = {}) {
    return load_settings(Role::gateway, arguments, environment);
  };
  auto loaded = gateway({}, {{"MCPLOCAL_MCPD_URL", "http://127.0.0.1:3100"}, {"MCPD_LISTEN", "nonsense"}, {"MCPLOCAL_PORT", "tcp://1"}});
  REQUIRE(loaded);
  const auto& settings = loaded->settings;
  CHECK(settings.is_gateway());
  CHECK(settings.text(Setting::mcpd_url) == "http://127.0.0.1:3100");
  CHECK(listen_text(settings) == "127.0.0.1:3200");
  CHECK(settings.integer(Setting::token_positive_ttl_ms) == 30'000);
  CHECK(settings.integer(Setting::token_negative_ttl_ms) == 5'000);
  CHECK(settings.text(Setting::data_dir).empty());
  CHECK(listen_text(gateway({"--mcpd-url", "http://h", "--http-host=::1", "--http-port=0"})->settings) == "[::1]:0");

  CHECK(gateway({}).failure().message.find("MCPLOCAL_MCPD_URL") != std::string::npos);
  CHECK(gateway({"--mcpd-url=http://h", "--http-host=example.com"}).failure().message.find("http-host") == 0);
  CHECK_FALSE(gateway({"--mcpd-url=http://h", "--data-dir=/d"}));
  CHECK_FALSE(gateway({"--mcpd-url=http://h"}, {{"MCPLOCAL_DATA_DIR", "/d"}}));
  CHECK(refusal({"--mcpd-url=http://h"}).find("--mcpd-url") != std::string::npos);
  CHECK(help_text(Role::gateway).find("--mcpd-url") != std::string::npos);
  CHECK(help_text(Role::gateway).find("--data-dir ") == std::string::npos);
  CHECK(help_text(Role::server).find("--mcpd-url") == std::string::npos);
}

TEST_CASE("the role comes from the program's name or the first word") {
  const char* words[] = {"gateway", "--http-port=1"};
  std::span<const char* const> arguments(words);
  CHECK(take_role("/usr/bin/mcpd", arguments) == Role::gateway);
  CHECK(arguments.size() == 1);
  CHECK(take_role("./mcpd", arguments) == Role::server);
  CHECK(take_role("/usr/bin/mcplocal", arguments) == Role::gateway);
  CHECK(arguments.size() == 1);
}
