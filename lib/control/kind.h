// Start here. lib/control is the control plane: the kinds of objects there are, what may be written into them, the REST
// handlers, secrets at rest, bootstrap, login and the minting of tokens. It knows no HTTP: requests come parsed,
// answers leave as values (control/route.h), and every handler runs inside one store transaction (control/control.h).
//
// This header is the ONE schema table. A row here gives a kind its REST routes, validation, references, masking, and
// (as JSON) the command line its nouns, flags and columns. A new kind is a new row.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/function.h"
#include "base/result.h"
#include "json/value.h"
#include "rbac/vocabulary.h"
#include "store/records.h"

namespace mcptoken::control {

enum class Type : uint8_t { string, text, integer, boolean, enumeration, list, map, object, time, secret, reference };

// What writing a reference to an object asks for beyond the permission of the route.
enum class Use : uint8_t {
  none,
  secret,  // run or edit secrets NAME, whichever field of the referring object changes
  attach,  // expose servers NAME, when the reference is new
};

enum class Shape : uint8_t { required, optional, accepted /* taken and dropped, with a warning */ };

// Judges one value of the right type; the message is for people and does not repeat the path.
using Rule = Result<void> (*)(const json::Value& value);
// A one-line spelling of a structured value ("role:view,resource:servers") that is accepted wherever the value is.
using FromText = Result<json::Value> (*)(std::string_view text);

struct Field {
  std::string_view name;
  Type type = Type::string;
  std::string_view help;
  Shape shape = Shape::optional;
  std::string_view default_json = {};             // filled in when absent; empty: stays absent
  std::span<const std::string_view> values = {};  // enumeration; Type::reference: words that name no object
  int64_t min = 0;                                // integers: value; strings: bytes; lists and maps: entries
  int64_t max = 64 * 1024;
  std::string_view reference = {};  // Type::reference: kind referred to; "*": the sibling member `kind` says
  store::OnDelete on_delete = store::OnDelete::restrict_;
  Use use = Use::none;
  std::span<const Field> fields = {};  // object, or list of objects
  const Field* item = nullptr;         // list of other things, or map values
  Rule rule = nullptr;
  Rule key_rule = nullptr;       // map keys
  FromText from_text = nullptr;  // list of objects: of one item
  bool immutable = false;        // the same in every later write
  bool read_only = false;        // in answers only: in a body it is an unknown field
  bool write_only = false;       // in bodies only
  bool for_tokens = false;       // a project token may see it (nothing else of the object)
  std::string_view flag = {};    // command line; empty: the name in kebab case; "-": none
  bool repeatable = false;
};

struct Column {
  std::string_view title;
  std::string_view field;
  std::string_view format;  // "text", "time", "age", "list", "bool"
};

enum class KindScope : uint8_t { global, project };

struct Kind {
  std::string_view name;
  std::string_view plural;
  rbac::Resource resource;
  std::span<const std::string_view> aliases;
  KindScope scope;
  bool is_virtual;              // kept in tables of its own, with handlers of its own
  std::string_view name_field;  // "name", or "email" for users
  std::span<const std::string_view> verbs;
  std::span<const Field> fields;
  std::span<const Column> columns;
  int apply_order;
  std::string_view help;
  // Rules over several fields, after defaults; may complete the object. Message with path. nullptr: none.
  Result<void> (*complete)(json::Value& object);
};

std::span<const Kind> kinds();
// By name, plural or alias, exact spelling; nullptr when there is none.
const Kind* find_kind(std::string_view word);
// {"kinds":[…]} as documented in include/mcptoken/kind.h, with "nameField" and "virtual" beside it.
json::Value kind_table_json();

enum class Mode : uint8_t {
  create,
  replace,  // the same rules; that immutable fields stay is judged where the old object is known (check_immutable)
  patch,    // RFC 7396: nothing is required, null removes; judge the merged object with `replace` afterwards
};

// The same for a part of an object: `path` is where it stands in messages.
Result<json::Value> check_fields(std::span<const Field> fields, const json::Value& input, const std::string& path);
// The object that `input` describes: defaults filled in, one-line spellings expanded, accepted fields dropped. Errors:
// Status::invalid with the path in front ("env[2].valueFrom.secretRef.name: …"). References are names here.
Result<json::Value> check(const Kind& kind, const json::Value& input, Mode mode, std::vector<std::string>* warnings);
// What only the server writes, from the object as it was: bodies do not have it, and a write does not lose it.
void carry_read_only(const Kind& kind, const json::Value& before, json::Value& after);
void drop_read_only(const Kind& kind, json::Value& object);
Result<void> check_immutable(const Kind& kind, const json::Value& before, const json::Value& after);
json::Value merge_patch(json::Value target, const json::Value& patch);  // RFC 7396

// Calls `visit` for every reference in the object, with the kind it refers to and its path; what visit stores in
// `value` is written back. `keep` false: the list item that holds it is dropped (a reference that no longer resolves).
struct Reference {
  const Field& field;
  std::string_view kind;  // of the object referred to; empty: a text that stays as it is (tokens, built-in names)
  std::string path;
  std::string_view top;  // the top-level field
  std::string& value;
  bool keep = true;
};
Result<void> each_reference(const Kind& kind, json::Value& object, Function<Result<void>(Reference&)> visit);

}  // namespace mcptoken::control
