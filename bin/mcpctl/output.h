// How objects look: tables, JSON, YAML, names. Everything here is pure; the caller writes the text.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "json.h"
#include "kinds.h"

namespace mcpctl {

enum class Format { kTable, kWide, kJson, kYaml, kName, kPath, kColumns };

// "table", "wide", "json", "yaml", "name", "jsonpath=…", "custom-columns=…"; a usage failure that names `origin`
// otherwise, also when what is behind the "=" cannot be read.
Result<Format> format_of(const std::string& text, const std::string& origin);
// What is behind the "=", "" for other formats.
std::string expression_of(const std::string& text);

struct Look {
  Format format = Format::kTable;
  bool headers = true;
  int64_t now_ms = 0;           // for ages
  std::string expression = {};  // of kPath and kColumns
};

// Left-aligned columns, two spaces between, no space at the end of a line; cells are sanitized here. `coloured`:
// columns whose status words have a colour.
std::string format_table(const std::vector<std::vector<std::string>>& rows, const std::vector<size_t>& coloured = {});
// A table of objects in a list, with the columns' titles as `look` says.
std::string format_rows(const std::vector<Column>& columns, JsonValue objects, const Look& look);
// A scalar as a cell shows it: "<none>" when there is none.
std::string plain(JsonValue value);
// Columns that the text takes on a terminal.
size_t display_width(std::string_view text);

struct KindObjects {
  const Kind* kind;
  std::vector<JsonValue> objects;
};
// Objects of several kinds: a table each, or one list.
Result<std::string> format_mixed(const std::vector<KindObjects>& groups, const Look& look);
// `as_list`: several objects were asked for, so that JSON is {"kind":"List","items":[…]} even for one.
Result<std::string> format_objects(const Kind& kind, const std::vector<JsonValue>& objects, bool as_list,
                                   const Look& look);
// Any document that is not an object of a kind: key and value lines, JSON or YAML.
Result<std::string> format_record(JsonValue record, const Look& look);

// "2026-11-24T10:22:11Z" or integer milliseconds; false when it is neither.
bool parse_time(JsonValue value, int64_t& ms_out);
std::string format_time(int64_t ms);
// "45s", "5m", "3h", "12d" between the two, whichever is later.
std::string format_age(int64_t ms, int64_t now_ms);

}  // namespace mcpctl
