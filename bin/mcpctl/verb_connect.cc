// connect: the configuration of an MCP client, printed or merged into its file.
#include <sys/stat.h>

#include <cstdlib>
#include <ctime>

#include "api.h"
#include "connect.h"
#include "files.h"
#include "output.h"
#include "sanitize.h"
#include "suggest.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

constexpr size_t kMostConfigBytes = size_t{16} << 20;  // some clients keep their history in the same file
constexpr size_t kMostNameBytes = 32;  // clients put it before the names of tools, which models cap at 64

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= kMostNameBytes &&
         name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
}

// "my-project" gives MCPCTL_TOKEN_MY_PROJECT: each project's token has its own, and none of them is taken for your
// login.
std::string variable_for(const std::string& project) {
  std::string variable = "MCPCTL_TOKEN_";
  for (const char c : project) {
    const bool lower = c >= 'a' && c <= 'z', plain = lower || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    variable += lower ? static_cast<char>(c - 'a' + 'A') : plain ? c : '_';
  }
  return variable;
}

bool is_variable(const std::string& name) {
  return !name.empty() && (name[0] < '0' || name[0] > '9') &&
         name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

Result<Connection> connection_of(const Settings& settings, const Invocation& invocation) {
  Connection connection;
  connection.project = settings.project;
  connection.server = settings.server;
  if (connection.project.empty()) return usage_failure("which project?", "add -p PROJECT");
  connection.url = settings.server + "/projects/" + url_encode(settings.project) + "/mcp";
  connection.name = invocation.has("name") ? invocation.text("name") : settings.project;
  if (!is_name(connection.name)) {
    return usage_failure("\"" + connection.name + "\" is no name for a client's entry",
                         "letters, digits and hyphens, at most 32: add --name NAME");
  }
  connection.variable = invocation.has("variable") ? invocation.text("variable") : variable_for(settings.project);
  if (!is_variable(connection.variable))
    return usage_failure("\"" + connection.variable + "\" is no name of a variable");
  // They go into files of three formats as they are.
  for (const std::string* text : {&connection.url, &connection.server, &connection.project}) {
    if (text->find_first_of("\"\\\n\r\t '@${}") != std::string::npos)
      return usage_failure("cannot be written into a client's file: " + *text);
  }
  return connection;
}

std::string how_the_token_gets_there(const ClientRow& row, const Connection& connection) {
  const std::string create =
      "mcpctl create mcptoken " + std::string(row.name) + " -p " + connection.project + " --rbac clone";
  switch (row.via) {
    case TokenVia::kVariable:
      return row.title + std::string(" takes the token from its environment:\n  export ") + connection.variable +
             "=$(" + create + ")\n";
    case TokenVia::kPrompt:
      return row.title + std::string(" asks for the token. A new one:\n  ") + create + "\n";
    case TokenVia::kBridge:
    case TokenVia::kProxy:
      break;
  }
  return std::string(row.via == TokenVia::kProxy ? "The proxy" : row.title) +
         " has the token from your credentials file. Keep one there:\n  " + create + " --save\n";
}

void explain(const ClientRow& row, const Connection& connection) {
  write_err(how_the_token_gets_there(row, connection));
  if (*row.note != '\0') write_err(std::string(row.note) + "\n");
}

// The file behind symbolic links, which stay.
std::string real_place(const std::string& path) {
  char* real = ::realpath(path.c_str(), nullptr);
  const std::string place = real != nullptr ? real : path;
  std::free(real);
  return place;
}

std::string stamp() {
  const time_t now = static_cast<time_t>(wall_clock_ms() / 1000);
  tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts)};
}

// Another write of the same second keeps its own: none takes the place of one that was kept before.
std::string free_name(const std::string& begin) {
  for (int i = 1;; ++i) {
    const std::string name = begin + (i == 1 ? "" : "-" + std::to_string(i)) + ".bak";
    struct stat info {};
    if (::lstat(name.c_str(), &info) != 0) return name;
  }
}

Status write_client_file(const ClientRow& row, const Connection& connection, const std::string& path) {
  const std::string place = real_place(path);
  MCPCTL_TRY(const std::optional<std::string> existing, read_file(place, false, kMostConfigBytes));
  auto merged = merged_text(row, connection, existing.value_or(""));
  if (!merged.ok()) {
    Failure failure = merged.failure();
    return Failure{kExitFailed,
                   "cannot merge into " + path + ", which stays as it is",
                   failure.what + (failure.why.empty() ? "" : ": " + failure.why),
                   "see what belongs there: mcpctl connect " + std::string(row.name) + " -p " + connection.project,
                   {}};
  }
  if (existing && *existing == *merged) return write_out(path + " unchanged\n");
  if (const size_t slash = place.rfind('/'); slash != std::string::npos && slash > 0)
    MCPCTL_CHECK(make_folder(place.substr(0, slash)));
  std::string backup;
  if (existing) {
    backup = free_name(place + "." + stamp());
    MCPCTL_TRY(PendingFile copy, PendingFile::open(backup));
    MCPCTL_CHECK(copy.commit(*existing));
  }
  MCPCTL_TRY(PendingFile file, PendingFile::open(place));
  MCPCTL_CHECK(file.commit(*merged));
  return write_out(path + (existing ? " changed, before: " + backup : " written") + "\n");
}

// A file may be made before its project is; that somebody meant another one is more likely.
void warn_of_project(const Settings& settings) {
  constexpr int64_t kTimeoutMs = 1000;
  auto api = Api::open(settings, true, kTimeoutMs);
  if (!api.ok()) return;
  const auto answer = api->call("GET", "/projects/" + url_encode(settings.project), {}, "warning");
  if (!answer.ok() && answer.failure().status == MCPTOKEN_NOT_FOUND)
    write_err(sanitize_line("warning: " + answer.failure().why) + "\nhint: " + sanitize_line(answer.failure().hint) +
              "\n");
}

Result<int> list_clients(const Environment& environment) {
  std::vector<std::vector<std::string>> rows = {{"CLIENT", "NAME", "TOKEN FROM", "FILE"}};
  constexpr const char* kVia[] = {"environment", "its own prompt", "mcpctl mcp", "mcpctl proxy"};
  for (const ClientRow& row : client_rows()) {
    const char* file = row.user_file != nullptr ? row.user_file : row.folder_file;
    rows.push_back({row.name, row.title, kVia[static_cast<size_t>(row.via)],
                    file != nullptr ? client_path(file, environment) : "printed"});
  }
  MCPCTL_CHECK(write_out(format_table(rows)));
  return kExitOk;
}

}  // namespace

Result<int> run_connect(Application& app, const Invocation& invocation) {
  if (invocation.is_set("list")) return list_clients(app.environment());
  if (invocation.arguments.empty()) return usage_failure("CLIENT is missing", "see: mcpctl connect --list");
  const ClientRow* row = find_client(invocation.arguments.front());
  if (row == nullptr) {
    std::string known;
    for (const ClientRow& one : client_rows())
      known += (known.empty() ? "" : ", ") + std::string(one.name);
    std::vector<std::string> names;
    for (const ClientRow& one : client_rows())
      names.emplace_back(one.name);
    const std::string guess = did_you_mean(invocation.arguments.front(), names);
    return usage_failure("unknown client \"" + invocation.arguments.front() + "\"",
                         guess.empty() ? "clients: " + known : guess);
  }
  if (invocation.is_set("write") && invocation.is_set("print"))
    return usage_failure("--write and --print cannot be mixed");
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(const Connection connection, connection_of(settings, invocation));
  warn_of_project(settings);
  const bool folder = invocation.text("scope") == "folder";
  const char* file = folder || row->user_file == nullptr ? row->folder_file : row->user_file;
  if (folder && row->folder_file == nullptr && row->user_file != nullptr)
    return usage_failure(row->title + std::string(" has no file of a folder"), "leave out --scope");
  if (!invocation.is_set("write")) {
    MCPCTL_CHECK(write_out(client_text(*row, connection)));
    if (file != nullptr)
      write_err("This belongs into " + client_path(file, app.environment()) + "; --write puts it there.\n");
    explain(*row, connection);
    return kExitOk;
  }
  if (file == nullptr)
    return usage_failure(row->title + std::string(" has no file to write to"),
                         "leave out --write, and use what is printed");
  MCPCTL_CHECK(write_client_file(*row, connection, client_path(file, app.environment())));
  explain(*row, connection);
  return kExitOk;
}

}  // namespace mcpctl
