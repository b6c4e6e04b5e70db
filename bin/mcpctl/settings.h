// Where this run talks to and as whom: flag beats environment beats file.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "command.h"
#include "output.h"
#include "result.h"

namespace mcpctl {

inline constexpr const char* kDefaultServer = "http://127.0.0.1:3100";

// Nothing for a variable that is unset or empty. Replaced in tests.
using Environment = std::function<std::optional<std::string>(const std::string&)>;
std::optional<std::string> process_environment(const std::string& name);

// Login sessions and kept tokens, per server. The file has mode 0600 and is refused otherwise.
struct Credentials {
  struct Session {
    std::string token, user, expires_at;
  };
  std::string server;                                                // of the last login; "" when none
  std::map<std::string, Session> sessions;                           // by server
  std::map<std::string, std::map<std::string, std::string>> tokens;  // by server, then project

  // A missing file is empty, and while there is none, `earlier` is read in its place: nothing is ever written there.
  static Result<Credentials> load(const std::string& path, const std::string& earlier);
  Status save(const std::string& path) const;
  // Reads, changes and writes under a lock, so that logins at the same time lose nothing.
  static Status change(const std::string& path, const std::string& earlier,
                       const std::function<void(Credentials&)>& edit);
};

// What config.yaml says for one context; empty members are not set.
struct Context {
  std::string name, server, project, output;
};
// The whole file. Saving keeps nothing that is not here: comments go.
struct Config {
  std::string path;                         // where it is written
  std::string current;                      // name of a context, "" when there is none
  std::map<std::string, Context> contexts;  // by name
  static Result<Config> load(const Environment& environment);
  Status save() const;
};

// The context `wanted`, or the file's current one when that is "". `text` is the file's content.
Result<Context> context_of(const std::string& text, const std::string& path, const std::string& wanted);

// Those of the configuration file; none when it cannot be read.
std::vector<std::string> context_names(const Environment& environment);

struct Settings {
  std::string server;  // without a slash at the end
  std::string project;
  std::string token;  // "" when not logged in
  bool token_from_environment = false;
  std::string login;  // of the session, also when the environment's token is used in its place
  std::string user;   // of the session, "" when unknown
  Format format = Format::kTable;
  std::string expression;        // of jsonpath= and custom-columns=
  std::string output = "table";  // both as they were written
  bool headers = true;
  std::string credentials_path;
  std::string earlier_credentials_path;  // "" or that in ~/.mcpctl, see Credentials::load
  std::string context;                   // its name, "" when there is none
};

// Where a value of the settings comes from: "--mcpd-url", "MCPCTL_SERVER", "context home", "the last login", "default".
struct Origins {
  std::string context, server, project, output, token;
};
Result<Origins> origins_of(const Invocation& invocation, const Environment& environment);

Result<Settings> load_settings(const Invocation& invocation, const Environment& environment);
// For what project tokens may never do, like reading the audit record: a MCPCTL_TOKEN that is one, as it is set for MCP
// clients, gives way to the login.
Settings with_login(Settings settings);

// "$XDG_CACHE_HOME/mcpctl"; "" when there is no home.
std::string cache_folder(const Environment& environment);

// "$XDG_STATE_HOME/mcpd/bootstrap-code": where mcpd leaves the code when nothing else was configured.
std::string default_code_file(const Environment& environment);

}  // namespace mcpctl
