#include "output.h"

#include <wchar.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "json_path.h"
#include "sanitize.h"
#include "suggest.h"
#include "terminal.h"
#include "yaml_text.h"

namespace mcpctl {
namespace {

struct FormatName {
  const char* name;
  Format format;
};
constexpr FormatName kFormats[] = {{"table", Format::kTable},
                                   {"wide", Format::kWide},
                                   {"json", Format::kJson},
                                   {"yaml", Format::kYaml},
                                   {"name", Format::kName}};
constexpr FormatName kExpressions[] = {{"jsonpath=", Format::kPath}, {"custom-columns=", Format::kColumns}};

// What the server sets by itself and a file must not carry.
constexpr const char* kServerOwned[] = {"id",        "kind",     "version",  "createdAt",
                                        "updatedAt", "revision", "warnings", "system"};

JsonValue member_at(JsonValue object, const std::string& path) {
  size_t from = 0;
  for (size_t dot; (dot = path.find('.', from)) != std::string::npos; from = dot + 1) {
    object = object.get(path.substr(from, dot - from));
  }
  return object.get(path.substr(from));
}

std::string scalar_text(JsonValue value) {
  if (value.type() == MCPTOKEN_JSON_BOOLEAN) return value.boolean() ? "true" : "false";
  return value.text();
}

// One item of a list in a cell: {"kind":"User","name":"ada"} is User:ada.
std::string item_text(JsonValue item) {
  if (!item.is_object()) return scalar_text(item);
  std::string text;
  for (size_t i = 0; i < item.size(); ++i) {
    if (item.at(i).is_scalar()) text += (text.empty() ? "" : ":") + scalar_text(item.at(i));
  }
  return text;
}

std::string joined(JsonValue value) {
  std::string text;
  for (size_t i = 0; i < value.size(); ++i) {
    text += (i == 0 ? "" : ",") + (value.is_object() ? std::string(value.key(i)) : item_text(value.at(i)));
  }
  return text.empty() ? "<none>" : text;
}

std::string cell_text(JsonValue value, const std::string& format, int64_t now_ms) {
  const bool is_time = format == "time" || format == "age";
  if (!value.has_content()) return is_time ? "never" : "<none>";
  if (value.is_array() || value.is_object()) return joined(value);
  int64_t ms = 0;
  if (is_time && parse_time(value, ms)) return format == "age" ? format_age(ms, now_ms) : format_time(ms);
  const std::string text = scalar_text(value);
  return text.empty() ? "<none>" : text;
}

std::vector<Column> columns_of(const Kind& kind, bool wide) {
  std::vector<Column> columns;
  for (const Column& column : kind.columns) {
    if (wide || !column.wide) columns.push_back(column);
  }
  if (columns.empty()) columns.push_back({"NAME", kind.name_field, "text"});
  const auto shown = [&](const char* field) {
    return std::any_of(columns.begin(), columns.end(), [&](const Column& c) { return c.field == field; });
  };
  if (wide && !shown("id")) columns.push_back({"ID", "id", "text"});
  if (wide && !shown("updatedAt") && kind.field("updatedAt") != nullptr)
    columns.push_back({"UPDATED", "updatedAt", "time"});
  return columns;
}

std::vector<std::vector<std::string>> heading(const std::vector<Column>& columns, const Look& look) {
  std::vector<std::vector<std::string>> rows;
  if (!look.headers) return rows;
  rows.emplace_back();
  for (const Column& column : columns)
    rows.back().push_back(column.title);
  return rows;
}

std::vector<std::string> row_of(const std::vector<Column>& columns, JsonValue object, const Look& look) {
  std::vector<std::string> row;
  for (const Column& column : columns)
    row.push_back(cell_text(member_at(object, column.field), column.format, look.now_ms));
  return row;
}

struct WordTone {
  const char* word;
  Tone tone;
};
constexpr WordTone kWordTones[] = {
    {"active", Tone::kGood},    {"RUNNING", Tone::kGood},       {"healthy", Tone::kGood},
    {"ok", Tone::kGood},        {"revoked", Tone::kBad},        {"expired", Tone::kBad},
    {"ERROR", Tone::kBad},      {"unhealthy", Tone::kBad},      {"denied", Tone::kBad},
    {"tool error", Tone::kBad}, {"protocol error", Tone::kBad}, {"transport error", Tone::kBad},
    {"superseded", Tone::kDim}, {"STOPPED", Tone::kDim},        {"STOPPING", Tone::kDim},
};
constexpr const char* kStatusTitles[] = {"STATUS", "HEALTH", "OUTCOME"};

// Which columns hold status words, by their titles.
std::vector<size_t> status_columns(const std::vector<Column>& columns) {
  std::vector<size_t> found;
  for (size_t i = 0; i < columns.size(); ++i) {
    const auto& title = columns[i].title;
    if (std::any_of(std::begin(kStatusTitles), std::end(kStatusTitles), [&](const char* one) { return title == one; }))
      found.push_back(i);
  }
  return found;
}

std::string with_tone(const std::string& cell) {
  for (const WordTone& row : kWordTones) {
    if (cell == row.word) return toned(cell, row.tone, true);
  }
  return cell;
}

std::string objects_table(const Kind& kind, const std::vector<JsonValue>& objects, const Look& look) {
  const std::vector<Column> columns = columns_of(kind, look.format == Format::kWide);
  std::vector<std::vector<std::string>> rows = heading(columns, look);
  for (const JsonValue object : objects)
    rows.push_back(row_of(columns, object, look));
  return format_table(rows, use_colour() ? status_columns(columns) : std::vector<size_t>());
}

void write_object(JsonWriter& writer, const Kind& kind, JsonValue object) {
  writer.begin_object().member("kind", kind.name);
  for (size_t i = 0; i < object.size(); ++i) {
    const std::string key(object.key(i));
    if (key != "kind") writer.key(key).value(object.at(i));
  }
  writer.end_object();
}

Result<std::string> pretty(JsonWriter& writer) {
  MCPCTL_TRY(const Bytes compact, writer.finish());
  MCPCTL_TRY(const JsonDocument document, JsonDocument::parse(view_of(compact), "the output"));
  MCPCTL_TRY(const std::string text, document.root().print(2));
  return sanitize_json(text) + "\n";
}

// One object, or all of them as a list.
void write_objects(JsonWriter& writer, const std::vector<KindObjects>& groups, bool as_list) {
  if (as_list) writer.begin_object().member("kind", "List").key("items").begin_array();
  for (const auto& [kind, objects] : groups) {
    for (const JsonValue object : objects)
      write_object(writer, *kind, object);
  }
  if (as_list) writer.end_array().end_object();
}

Result<std::string> objects_json(const std::vector<KindObjects>& groups, bool as_list) {
  JsonWriter writer;
  write_objects(writer, groups, as_list);
  return pretty(writer);
}

Result<std::string> objects_by_path(const std::vector<KindObjects>& groups, bool as_list, const std::string& text) {
  MCPCTL_TRY(const JsonTemplate wanted, JsonTemplate::parse(text));
  JsonWriter writer;
  write_objects(writer, groups, as_list);
  MCPCTL_TRY(const Bytes json, writer.finish());
  MCPCTL_TRY(const JsonDocument document, JsonDocument::parse(view_of(json), "the output"));
  std::string out = sanitize_text(wanted.render(document.root()));
  if (!out.empty() && out.back() != '\n') out += '\n';
  return out;
}

struct CustomColumn {
  std::string title;
  JsonPath path;
};

// TITLE:PATH,TITLE:PATH
Result<std::vector<CustomColumn>> custom_columns(const std::string& text) {
  std::vector<CustomColumn> columns;
  int depth = 0;
  std::string part;
  for (const char c : text + ",") {
    if (c == '[' || c == '(') ++depth;
    if (c == ']' || c == ')') --depth;
    if (c != ',' || depth > 0) {
      part += c;
      continue;
    }
    const size_t colon = part.find(':');
    if (colon == std::string::npos || colon == 0)
      return usage_failure("bad column \"" + part + "\"",
                           "write -o custom-columns=NAME:.name,SERVERS:.servers[*].server");
    MCPCTL_TRY(JsonPath path, JsonPath::parse(part.substr(colon + 1)));
    columns.push_back({part.substr(0, colon), std::move(path)});
    part.clear();
  }
  return columns;
}

Result<std::string> objects_in_columns(const std::vector<KindObjects>& groups, const Look& look) {
  MCPCTL_TRY(const std::vector<CustomColumn> columns, custom_columns(look.expression));
  std::vector<std::vector<std::string>> rows;
  if (look.headers) {
    rows.emplace_back();
    for (const CustomColumn& column : columns)
      rows.back().push_back(column.title);
  }
  for (const auto& [kind, objects] : groups) {
    for (const JsonValue object : objects) {
      rows.emplace_back();
      for (const CustomColumn& column : columns) {
        std::string cell;
        for (const JsonValue value : column.path.find(object))
          cell += (cell.empty() ? "" : ",") + plain_text(value);
        rows.back().push_back(cell.empty() ? "<none>" : cell);
      }
    }
  }
  return format_table(rows);
}

// Of a token that has ended the status is said, so that nobody takes it for one that is wanted.
bool says_end(const Kind& kind, const std::string& name, JsonValue value) {
  return kind.name == "mcptoken" && name == "status" && (value.text() == "revoked" || value.text() == "superseded");
}

bool is_server_owned(const Kind& kind, const std::string& name) {
  const bool common = std::any_of(std::begin(kServerOwned), std::end(kServerOwned), [&](auto f) { return name == f; });
  const Field* field = kind.field(name);
  return common || (field != nullptr && field->read_only);
}

bool is_shown(const Kind& kind, const std::string& name, JsonValue value) {
  return value.present() && (!is_server_owned(kind, name) || says_end(kind, name, value));
}

// Fields in the table's order, so that two texts of one object can be compared.
Result<std::string> objects_yaml(const Kind& kind, const std::vector<JsonValue>& objects) {
  std::string out;
  for (const JsonValue object : objects) {
    JsonWriter writer;
    writer.begin_object().member("kind", kind.name);
    for (const Field& field : kind.fields) {
      const JsonValue value = object.get(field.name);
      if (is_shown(kind, field.name, value)) writer.key(field.name).value(value);
    }
    for (size_t i = 0; i < object.size(); ++i) {
      const std::string key(object.key(i));
      if (kind.field(key) == nullptr && is_shown(kind, key, object.at(i))) writer.key(key).value(object.at(i));
    }
    writer.end_object();
    MCPCTL_TRY(const Bytes json, writer.finish());
    MCPCTL_TRY(const JsonDocument document, JsonDocument::parse(view_of(json), "the output"));
    out += (out.empty() ? "" : "---\n") + write_yaml(document.root());
  }
  return out;
}

void flatten(JsonValue record, const std::string& prefix, std::vector<std::vector<std::string>>& rows) {
  for (size_t i = 0; i < record.size(); ++i) {
    const std::string name = prefix.empty() ? std::string(record.key(i)) : prefix + "." + std::string(record.key(i));
    const JsonValue value = record.at(i);
    if (value.is_object()) {
      flatten(value, name, rows);
    } else if (value.is_array() && value.size() != 0) {
      for (size_t k = 0; k < value.size(); ++k)
        rows.push_back({k == 0 ? name + ":" : "", item_text(value.at(k))});
    } else {
      rows.push_back({name + ":", cell_text(value, "text", 0)});
    }
  }
}

}  // namespace

Result<Format> format_of(const std::string& text, const std::string& origin) {
  for (const FormatName& row : kFormats) {
    if (text == row.name) return row.format;
  }
  for (const FormatName& row : kExpressions) {
    if (text.compare(0, std::strlen(row.name), row.name) != 0) continue;
    const std::string expression = expression_of(text);
    if (row.format == Format::kPath) {
      MCPCTL_CHECK(JsonTemplate::parse(expression));
    } else {
      MCPCTL_CHECK(custom_columns(expression));
    }
    return row.format;
  }
  std::vector<std::string> names;
  for (const FormatName& row : kFormats)
    names.emplace_back(row.name);
  for (const FormatName& row : kExpressions)
    names.emplace_back(row.name);
  const std::string guess = did_you_mean(text, names);
  return usage_failure("bad output format in " + origin + ": \"" + text + "\"",
                       (guess.empty() ? "" : guess + " ") +
                           "values: table, wide, json, yaml, name, jsonpath=PATH, custom-columns=TITLE:PATH,…");
}

std::string expression_of(const std::string& text) {
  for (const FormatName& row : kExpressions) {
    if (text.compare(0, std::strlen(row.name), row.name) == 0) return text.substr(std::strlen(row.name));
  }
  return {};
}

size_t display_width(std::string_view text) {
  size_t width = 0;
  for (size_t at = 0; at < text.size();) {
    const int columns = wcwidth(static_cast<wchar_t>(next_code_point(text, at)));
    width += columns < 0 ? 1 : static_cast<size_t>(columns);
  }
  return width;
}

std::string format_table(const std::vector<std::vector<std::string>>& rows, const std::vector<size_t>& coloured) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], display_width(sanitize_line(row[i])));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string cell = sanitize_line(row[i]);
      line += std::find(coloured.begin(), coloured.end(), i) == coloured.end() ? cell : with_tone(cell);
      if (i + 1 < row.size()) line.append(widths[i] - display_width(cell) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string format_rows(const std::vector<Column>& columns, JsonValue objects, const Look& look) {
  std::vector<std::vector<std::string>> rows = heading(columns, look);
  for (size_t i = 0; i < objects.size(); ++i)
    rows.push_back(row_of(columns, objects.at(i), look));
  return format_table(rows, use_colour() ? status_columns(columns) : std::vector<size_t>());
}

std::string plain(JsonValue value) { return cell_text(value, "text", 0); }

Result<std::string> format_objects(const Kind& kind, const std::vector<JsonValue>& objects, bool as_list,
                                   const Look& look) {
  const std::vector<KindObjects> group = {{&kind, objects}};
  switch (look.format) {
    case Format::kJson:
      return objects_json(group, as_list);
    case Format::kPath:
      return objects_by_path(group, as_list, look.expression);
    case Format::kColumns:
      return objects_in_columns(group, look);
    case Format::kYaml:
      return objects_yaml(kind, objects);
    case Format::kName:
      break;
    default:
      return objects_table(kind, objects, look);
  }
  std::string out;
  for (const JsonValue object : objects)
    out += kind.name + "/" + sanitize_line(object.text(kind.name_field.c_str())) + "\n";
  return out;
}

Result<std::string> format_mixed(const std::vector<KindObjects>& groups, const Look& look) {
  if (look.format == Format::kJson) return objects_json(groups, true);
  if (look.format == Format::kPath) return objects_by_path(groups, true, look.expression);
  if (look.format == Format::kColumns) return objects_in_columns(groups, look);
  const char* between = look.format == Format::kYaml ? "---\n" : look.format == Format::kName ? "" : "\n";
  std::string out;
  for (const auto& [kind, objects] : groups) {
    if (objects.empty()) continue;
    MCPCTL_TRY(const std::string text, format_objects(*kind, objects, true, look));
    out += (out.empty() ? "" : between);
    if (look.format == Format::kTable || look.format == Format::kWide) out += kind->plural + ":\n";
    out += text;
  }
  return out;
}

Result<std::string> format_record(JsonValue record, const Look& look) {
  if (look.format == Format::kYaml) return write_yaml(record);
  if (look.format == Format::kPath) {
    MCPCTL_TRY(const JsonTemplate wanted, JsonTemplate::parse(look.expression));
    return sanitize_text(wanted.render(record)) + "\n";
  }
  if (look.format == Format::kJson) {
    MCPCTL_TRY(const std::string text, record.print(2));
    return sanitize_json(text) + "\n";
  }
  std::vector<std::vector<std::string>> rows;
  flatten(record, "", rows);
  return format_table(rows);
}

bool parse_time(JsonValue value, int64_t& ms_out) {
  if (value.type() == MCPTOKEN_JSON_NUMBER) {
    ms_out = value.integer(-1);
    return ms_out >= 0;
  }
  std::tm tm{};
  char zone = 0;
  double seconds = 0;
  const std::string text = value.text();
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%lf%c", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
                  &tm.tm_min, &seconds, &zone) != 7 ||
      zone != 'Z') {
    return false;
  }
  tm.tm_year -= 1900;
  tm.tm_mon -= 1;
  ms_out = static_cast<int64_t>(timegm(&tm)) * 1000 + static_cast<int64_t>(seconds * 1000);
  return true;
}

std::string format_time(int64_t ms) {
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  char buffer[32];
  const size_t size = std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%SZ", &tm);
  return {buffer, size};
}

std::string format_age(int64_t ms, int64_t now_ms) {
  struct Unit {
    int64_t seconds;
    char letter;
  };
  // Two of a unit are needed before it is used, so that ages keep some precision: 90m, 36h, 12d.
  static constexpr Unit kUnits[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}};
  const int64_t seconds = std::abs(now_ms - ms) / 1000;
  for (const Unit& unit : kUnits) {
    if (seconds >= 2 * unit.seconds) return std::to_string(seconds / unit.seconds) + unit.letter;
  }
  return std::to_string(seconds) + "s";
}

}  // namespace mcpctl
