// How MCP clients are told about a project's endpoint. The raw token is never among it: a client gets the name of an
// environment variable, asks for the token itself, or starts `mcpctl mcp`, which has it from the credentials file.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "settings.h"

namespace mcpctl {

enum class ConfigFormat { kJson, kToml, kYaml, kText };
// Where the client takes the token from.
enum class TokenVia { kVariable, kPrompt, kBridge, kProxy };

struct ClientRow {
  const char* name;   // the argument of `connect`
  const char* title;  // as its maker writes it
  ConfigFormat format;
  TokenVia via;
  // Of the user's file, and of one that belongs to a folder of work: "~/…", "$XDG/…", "./…". Null: there is none, print
  // only.
  const char* user_file;
  const char* folder_file;
  // What the file has to hold. @NAME@ @URL@ @VARIABLE@ @PROJECT@ @SERVER@ stand for what they say.
  const char* content;
  const char* note;  // what else the reader has to know; "" for nothing
};

const std::vector<ClientRow>& client_rows();
const ClientRow* find_client(std::string_view name);

struct Connection {
  std::string name;  // of the entry
  std::string url;
  std::string variable;  // of the environment
  std::string project;
  std::string server;
};

// The row's content for this connection, alone.
std::string client_text(const ClientRow& row, const Connection& connection);
// `existing` with the content in it: what is there and unknown to us stays, arrays get new items. A failure when the
// text cannot be understood well enough to lose nothing of it.
Result<std::string> merged_text(const ClientRow& row, const Connection& connection, const std::string& existing);
// "~" and "$XDG" resolved.
std::string client_path(const char* place, const Environment& environment);

}  // namespace mcpctl
