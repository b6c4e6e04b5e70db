// The kinds of objects as the library's schema table describes them: nouns, create flags and table columns come from
// here, so that a new kind needs no code in this program.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "json.h"

namespace mcpctl {

struct Field {
  std::string name;
  std::string type;  // string text integer boolean enum list map object time secret reference
  std::string flag;  // spelling of the create flag without dashes; empty: none
  std::string help;
  std::string item;       // type of a list's or map's items
  std::string reference;  // kind that the value or its items name
  std::vector<std::string> choices;
  std::string default_text;   // for help only, the server applies it
  std::vector<Field> fields;  // of an object, or of the objects in a list
  bool required = false;
  bool read_only = false;
  bool write_only = false;
  bool immutable = false;
};

struct Column {
  std::string title;
  std::string field;   // a member, or a path with dots
  std::string format;  // text time age list bool
  bool wide = false;   // only with -o wide
};

struct Kind {
  std::string name;    // "server"
  std::string plural;  // "servers", the REST collection
  std::vector<std::string> aliases;
  std::string help;
  int64_t apply_order = 0;  // what others refer to comes first
  bool in_project = false;  // its name is unique per project
  std::string name_field;   // the member that holds the name, "name" for most
  std::vector<std::string> verbs;
  std::vector<Field> fields;
  std::vector<Column> columns;

  bool can(std::string_view verb) const;
  const Field* field(std::string_view name) const;
  // How lines call an object of it: "server/grafana", "prompt/demo/be-kind".
  std::string label(JsonValue object) const;
};

class Kinds {
 public:
  // The table compiled into the library.
  static Result<Kinds> load();
  // The same shape from text.
  static Result<Kinds> parse(std::string_view json);

  const std::vector<Kind>& all() const { return kinds_; }
  // By name, plural or alias; null when there is none.
  const Kind* find(std::string_view word) const;
  // find(), or a usage failure that lists the nouns which allow `verb`.
  Result<const Kind*> require(std::string_view word, std::string_view verb) const;

 private:
  std::vector<Kind> kinds_;
};

}  // namespace mcpctl
