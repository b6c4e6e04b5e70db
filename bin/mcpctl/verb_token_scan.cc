// token scan: raw credentials in files.
#include "api.h"
#include "sanitize.h"
#include "terminal.h"
#include "token_scan.h"
#include "verbs.h"

namespace mcpctl {
namespace {

// What the server says of it: "active", "revoked", … A session is asked about as a login, a token about itself.
std::string state_of(const FoundToken& found, Settings settings) {
  settings.token = found.raw;
  settings.token_from_environment = false;
  auto api = Api::open(settings, true);
  if (!api.ok()) return "unknown: " + api.failure().why;
  const bool token = found.kind == "token";
  const auto answer = api->call("GET", token ? "/mcptokens/introspect" : "/auth/whoami", {}, "ask");
  if (answer.ok())
    return token ? "ACTIVE: mcptoken/" + answer->root().text("tokenName") + " of project " +
                       answer->root().text("projectName")
                 : "ACTIVE: session of " + answer->root().text("user");
  if (answer.failure().exit_code == kExitNotAuthenticated) return "refused: " + answer.failure().why;
  return "unknown: " + answer.failure().why;
}

struct Row {
  FoundToken found;
  std::string state;
};

Status show(const std::vector<Row>& rows, const Settings& settings, bool checked) {
  if (is_human(settings.format) || settings.format == Format::kName) {
    std::vector<std::vector<std::string>> table;
    if (settings.headers) table.push_back({"WHERE", "KIND", "PREFIX"});
    if (settings.headers && checked) table.back().push_back("STATE");
    for (const Row& row : rows) {
      table.push_back({row.found.place + ":" + std::to_string(row.found.line) + ":" + std::to_string(row.found.column),
                       row.found.kind, masked_token(row.found.raw)});
      if (checked) table.back().push_back(row.state);
    }
    return rows.empty() ? Status(Done{}) : write_out(format_table(table));
  }
  JsonWriter writer;
  writer.begin_object().key("found").begin_array();
  for (const Row& row : rows) {
    writer.begin_object()
        .member("file", row.found.place)
        .key("line")
        .integer(row.found.line)
        .key("column")
        .integer(row.found.column);
    writer.member("tokenKind", row.found.kind).member("prefix", masked_token(row.found.raw));
    if (checked) writer.member("state", row.state);
    writer.end_object();
  }
  writer.end_array().end_object();
  MCPCTL_TRY(const Bytes json, writer.finish());
  MCPCTL_TRY(const JsonDocument document, JsonDocument::parse(view_of(json), "the output"));
  MCPCTL_TRY(const std::string text, format_record(document.root(), look_of(settings)));
  return write_out(text);
}

}  // namespace

Result<int> run_token_scan(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  std::vector<Row> rows;
  bool complete = true;
  for (const std::string& path : invocation.arguments) {
    scan_path(
        path,
        [&](FoundToken found) {
          rows.push_back({std::move(found), {}});
        },
        [&](const Failure& failure) { report(failure), complete = false; });
  }
  const bool check = invocation.is_set("check");
  for (Row& row : rows)
    if (check) row.state = state_of(row.found, settings);
  MCPCTL_CHECK(show(rows, settings, check));
  if (rows.empty() && complete && is_human(settings.format)) write_err("No tokens found.\n");
  return rows.empty() && complete ? kExitOk : kExitFailed;
}

}  // namespace mcpctl
