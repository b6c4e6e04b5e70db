#include "create_body.h"

#include <mcptoken/rbac.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "rights_words.h"
#include "suggest.h"

namespace mcpctl {
namespace {

struct ShapeRow {
  const char* kind;
  const char* field;
  Shape shape;
};
// Fields whose text form is more than their type says.
constexpr ShapeRow kFieldShapes[] = {
    {"server", "command", Shape::kCommandLine},   {"server", "env", Shape::kNamedValues},
    {"server", "headers", Shape::kNamedValues},   {"project", "servers", Shape::kServerRefs},
    {"rbac", "subjects", Shape::kSubjects},       {"rbac", "roleBindings", Shape::kBindings},
    {"secret", "data", Shape::kSecretMap},        {"mcptoken", "bindings", Shape::kBindings},
    {"template", "command", Shape::kCommandLine}, {"template", "env", Shape::kEntries},
    {"template", "headers", Shape::kEntries},     {"proxymodel", "stages", Shape::kStages},
};

struct TypeRow {
  const char* type;
  Shape shape;
};
constexpr TypeRow kTypeShapes[] = {
    {"integer", Shape::kInteger}, {"boolean", Shape::kBoolean}, {"enum", Shape::kEnum},     {"list", Shape::kList},
    {"map", Shape::kMap},         {"object", Shape::kJson},     {"secret", Shape::kSecret},
};

struct FlagLook {
  Shape shape;
  FlagType type;
  const char* placeholder;
  bool repeatable;
};
constexpr FlagLook kLooks[] = {
    {Shape::kText, FlagType::kText, "TEXT", false},
    {Shape::kInteger, FlagType::kInteger, "N", false},
    {Shape::kBoolean, FlagType::kBoolean, "", false},
    {Shape::kEnum, FlagType::kEnum, "", false},
    {Shape::kSecret, FlagType::kBoolean, "", false},
    {Shape::kList, FlagType::kText, "TEXT", true},
    {Shape::kMap, FlagType::kText, "KEY=VALUE", true},
    {Shape::kJson, FlagType::kText, "JSON", false},
    {Shape::kJsonList, FlagType::kText, "JSON", true},
    {Shape::kCommandLine, FlagType::kText, "PROGRAM", false},
    {Shape::kNamedValues, FlagType::kText, "KEY=VALUE|KEY=secret:NAME/KEY|JSON", true},
    {Shape::kEntries, FlagType::kText, "NAME[=DEFAULT]|JSON", true},
    {Shape::kStages, FlagType::kText, "TYPE|JSON", true},
    {Shape::kServerRefs, FlagType::kText, "SERVER[:PREFIX]|JSON", true},
    {Shape::kSubjects, FlagType::kText, "KIND:NAME", true},
    {Shape::kBindings, FlagType::kText, "KEY:VALUE,…", true},
    {Shape::kSecretMap, FlagType::kText, "KEY=VALUE", true},
};

// "view:servers[:name]" and "logs" of earlier versions, written as --roleBindings.
std::string binding_replacement(const std::string& value) {
  if (value.compare(0, 5, "role:") == 0) return "--roleBindings " + value;
  const std::vector<std::string> parts = split(value, ':');
  std::string text = "--roleBindings role:" + (parts.empty() ? "ROLE" : parts[0]);
  text += ",resource:" + (parts.size() < 2 ? "RESOURCE" : parts[1]);
  return parts.size() < 3 ? text : text + ",name:" + parts[2];
}
std::string operation_replacement(const std::string& value) { return "--roleBindings action:" + value; }

const Flag kRemovedRbacFlags[] = {
    {.name = "binding", .placeholder = "TEXT", .help = "removed", .hidden = true, .replacement = binding_replacement},
    {.name = "operation",
     .placeholder = "TEXT",
     .help = "removed",
     .hidden = true,
     .replacement = operation_replacement},
};

const FlagLook& flag_look_of(Shape shape) {
  return *std::find_if(std::begin(kLooks), std::end(kLooks),
                       [shape](const FlagLook& look) { return look.shape == shape; });
}

std::string join(const std::vector<std::string>& texts, const char* separator) {
  std::string out;
  for (const std::string& text : texts)
    out += (out.empty() ? "" : separator) + text;
  return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](unsigned char x, unsigned char y) {
           return std::tolower(x) == std::tolower(y);
         });
}

Failure bad_value(const std::string& flag, const std::string& text, const std::string& form) {
  return usage_failure("bad value for --" + flag + ": \"" + text + "\"", "write --" + flag + " " + form);
}

struct Pair {
  std::string key, value;
};
Result<Pair> pair_of(const std::string& flag, const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return bad_value(flag, text, "KEY=VALUE");
  return Pair{text.substr(0, equals), text.substr(equals + 1)};
}

// "column 6: unknown role 'vew'": a word that was meant.
std::string near_word(const std::string& message) {
  const size_t open = message.find('\''), close = message.rfind('\'');
  if (open == close) return {};
  std::vector<std::string> words = {"role", "action", "resource", "name"};
  for (const auto* more : {&role_words(), &resource_words(), &operation_words()})
    words.insert(words.end(), more->begin(), more->end());
  return did_you_mean(message.substr(open + 1, close - open - 1), words);
}

Status write_bindings(JsonWriter& writer, const std::string& flag, const std::vector<std::string>& texts) {
  writer.begin_array();
  for (const std::string& text : texts) {
    mcptoken_bytes* json = nullptr;
    mcptoken_error* error = nullptr;
    const mcptoken_status status = mcptoken_rbac_parse_binding(text.c_str(), &json, &error);
    const Bytes owned(json);
    const Error detail(error);
    if (status != MCPTOKEN_OK) {
      const std::string guess = near_word(mcptoken_error_message(error));
      return Failure{kExitUsage,
                     "bad value for --" + flag + ": \"" + text + "\"",
                     mcptoken_error_message(error),
                     (guess.empty() ? "" : guess + " ") + "write --" + flag +
                         " role:view,resource:servers,name:my-server or --" + flag + " action:logs",
                     {}};
    }
    writer.raw(view_of(owned));
  }
  writer.end_array();
  return Done{};
}

bool takes_json(Shape shape) {
  constexpr Shape kShapes[] = {Shape::kStages, Shape::kEntries, Shape::kNamedValues, Shape::kServerRefs};
  return std::find(std::begin(kShapes), std::end(kShapes), shape) != std::end(kShapes);
}

// Writes one object member from flags; false when nothing was given, so that the server applies its default.
class MemberWriter {
 public:
  MemberWriter(JsonWriter& writer, const Invocation& invocation, const Inputs& inputs)
      : writer_(writer), invocation_(invocation), inputs_(inputs) {}

  Status write(const Field& field, Shape shape) {
    if (shape == Shape::kSecret) return secret(field);
    if (shape == Shape::kCommandLine) return command_line(field);
    if (shape == Shape::kSecretMap) return secret_map(field);
    if (!invocation_.has(field.flag)) return Done{};
    writer_.key(field.name);
    const std::string text = invocation_.text(field.flag);
    switch (shape) {
      case Shape::kInteger:
        return integer(field.flag, text);
      case Shape::kBoolean:
        return writer_.boolean(text == "true"), Done{};
      case Shape::kJson:
        return json(field.flag, text);
      case Shape::kText:
      case Shape::kEnum:
        return writer_.string(text), Done{};
      case Shape::kMap:
        return map(field.flag);
      case Shape::kBindings:
        return write_bindings(writer_, field.flag, invocation_.all(field.flag));
      default:
        return list(field.flag, shape);
    }
  }

 private:
  Status integer(const std::string& flag, const std::string& text) {
    int64_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc{} || end != text.data() + text.size()) return bad_value(flag, text, "N");
    writer_.integer(value);
    return Done{};
  }

  Status json(const std::string& flag, const std::string& text) {
    auto document = JsonDocument::parse(text, "the value of --" + flag);
    if (!document.ok()) return Failure{kExitUsage, document.failure().what, document.failure().why, {}, {}};
    writer_.value(document->root());
    return Done{};
  }

  Status map(const std::string& flag) {
    writer_.begin_object();
    MCPCTL_CHECK(map_members(flag));
    writer_.end_object();
    return Done{};
  }

  Status map_members(const std::string& flag) {
    std::vector<std::string> seen;
    for (const std::string& text : invocation_.all(flag)) {
      MCPCTL_TRY(const Pair pair, pair_of(flag, text));
      MCPCTL_CHECK(once(flag, pair.key, seen));
      writer_.member(pair.key, pair.value);
    }
    return Done{};
  }

  Status once(const std::string& flag, const std::string& key, std::vector<std::string>& seen) {
    if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
      return usage_failure("--" + flag + " gives \"" + key + "\" twice");
    }
    seen.push_back(key);
    return Done{};
  }

  Status list(const std::string& flag, Shape shape) {
    std::vector<std::string> seen;
    writer_.begin_array();
    for (const std::string& text : invocation_.all(flag)) {
      // The short forms cannot say everything that a file can.
      if (shape == Shape::kJsonList || (takes_json(shape) && text.starts_with('{'))) {
        MCPCTL_CHECK(json(flag, text));
        continue;
      }
      switch (shape) {
        case Shape::kNamedValues:
          MCPCTL_CHECK(named_value(flag, text, seen));
          break;
        case Shape::kServerRefs:
          MCPCTL_CHECK(server_ref(flag, text));
          break;
        case Shape::kSubjects:
          MCPCTL_CHECK(subject(flag, text));
          break;
        default:
          writer_.string(text);
      }
    }
    writer_.end_array();
    return Done{};
  }

  Status named_value(const std::string& flag, const std::string& text, std::vector<std::string>& seen) {
    constexpr std::string_view kPrefix = "secret:";
    MCPCTL_TRY(const Pair pair, pair_of(flag, text));
    MCPCTL_CHECK(once(flag, pair.key, seen));
    writer_.begin_object().member("name", pair.key);
    if (pair.value.compare(0, kPrefix.size(), kPrefix) == 0) {
      const std::string target = pair.value.substr(kPrefix.size());
      const size_t slash = target.find('/');
      if (slash == std::string::npos || slash == 0 || slash + 1 == target.size()) {
        return bad_value(flag, text, pair.key + "=secret:NAME/KEY");
      }
      writer_.key("valueFrom").begin_object().key("secretRef").begin_object();
      writer_.member("name", target.substr(0, slash)).member("key", target.substr(slash + 1));
      writer_.end_object().end_object();
    } else {
      writer_.member("value", pair.value);
    }
    writer_.end_object();
    return Done{};
  }

  Status server_ref(const std::string& flag, const std::string& text) {
    const size_t colon = text.find(':');
    if (colon == 0 || colon + 1 == text.size()) return bad_value(flag, text, "SERVER[:PREFIX]");
    writer_.begin_object().member("server", text.substr(0, colon));
    if (colon != std::string::npos) writer_.member("prefix", text.substr(colon + 1));
    writer_.end_object();
    return Done{};
  }

  Status subject(const std::string& flag, const std::string& text) {
    const size_t colon = text.find(':');
    if (colon != std::string::npos && colon + 1 < text.size()) {
      for (const std::string& kind : subject_words()) {
        if (!equal_ignoring_case(kind, std::string_view(text).substr(0, colon))) continue;
        writer_.begin_object().member("kind", kind).member("name", text.substr(colon + 1)).end_object();
        return Done{};
      }
    }
    const std::string guess = did_you_mean(text.substr(0, colon), subject_words());
    if (!guess.empty()) return usage_failure("bad value for --" + flag + ": \"" + text + "\"", guess);
    return bad_value(flag, text, "User:EMAIL, Group:NAME, ServiceAccount:project:NAME or McpToken:SHA256");
  }

  Status secret(const Field& field) {
    const bool piped = invocation_.is_set(field.name + "-stdin");
    MCPCTL_TRY(const std::string value, piped ? inputs_.standard_input() : inputs_.question(field.name));
    if (piped && value.empty()) return usage_failure("the " + field.name + " on standard input is empty");
    if (!value.empty()) writer_.member(field.name, value);
    return Done{};
  }

  Status secret_map(const Field& field) {
    const std::string from_stdin = field.flag + "-stdin";
    if (!invocation_.has(field.flag) && !invocation_.has(from_stdin)) return Done{};
    writer_.key(field.name).begin_object();
    MCPCTL_CHECK(map_members(field.flag));
    if (invocation_.has(from_stdin)) {
      const std::string key = invocation_.text(from_stdin);
      for (const std::string& text : invocation_.all(field.flag)) {
        if (text.compare(0, key.size() + 1, key + "=") == 0) {
          return usage_failure("--" + field.flag + " and --" + from_stdin + " both give \"" + key + "\"");
        }
      }
      MCPCTL_TRY(const std::string value, inputs_.standard_input());
      writer_.member(key, value);
    }
    writer_.end_object();
    return Done{};
  }

  Status command_line(const Field& field) {
    std::vector<std::string> words = invocation_.all(field.flag);
    const std::vector<std::string> arguments = invocation_.all("arg");
    if (!invocation_.rest.empty()) {
      if (!words.empty() || !arguments.empty()) {
        return usage_failure("--" + field.flag + " and --arg cannot be mixed with a command after \"--\"");
      }
      writer_.members(field.name, invocation_.rest);
      return Done{};
    }
    if (words.empty() && arguments.empty()) return Done{};
    if (invocation_.has("package-name") || invocation_.has("docker-image")) {  // a program, which takes arguments
      if (!words.empty())
        return usage_failure("--" + field.flag + " cannot be combined with --package-name or --docker-image",
                             "give arguments with --arg, or last, after two dashes");
      writer_.members(field.name, arguments);
      return Done{};
    }
    if (words.empty()) return usage_failure("--arg needs --" + field.flag + " PROGRAM, --package-name or --docker-image");
    const std::string& program = words.front();
    // A whole command line in one word would be looked up as one program name.
    if (program.find(' ') != std::string::npos && program.find('/') == std::string::npos) {
      return usage_failure("--" + field.flag + " takes the program alone, not \"" + program + "\"",
                           "write the command last, after two dashes: -- " + program);
    }
    words.insert(words.end(), arguments.begin(), arguments.end());
    writer_.members(field.name, words);
    return Done{};
  }

  JsonWriter& writer_;
  const Invocation& invocation_;
  const Inputs& inputs_;
};

// Which fields `create` writes: those with a flag, and secrets, which are read elsewhere.
bool is_written(const Kind& kind, const Field& field) {
  if (field.read_only || field.name == kind.name_field) return false;
  if (kind.in_project && field.name == "project") return false;
  return !field.flag.empty() || field.type == "secret";
}

}  // namespace

Shape shape_of(const Kind& kind, const Field& field) {
  for (const ShapeRow& row : kFieldShapes) {
    if (kind.name == row.kind && field.name == row.field) return row.shape;
  }
  if (field.type == "list" && field.item == "object") return Shape::kJsonList;
  for (const TypeRow& row : kTypeShapes) {
    if (field.type == row.type) return row.shape;
  }
  return Shape::kText;
}

std::vector<Flag> create_flags(const Kind& kind) {
  std::vector<Flag> flags;
  for (const Field& field : kind.fields) {
    if (!is_written(kind, field)) continue;
    const Shape shape = shape_of(kind, field);
    const FlagLook& look = flag_look_of(shape);
    Flag flag{.name = field.flag,
              .placeholder = look.placeholder,
              .help = field.help,
              .type = look.type,
              .choices = join(field.choices, "|"),
              .default_text = field.default_text,
              .repeatable = look.repeatable,
              .required = field.required};
    if (!field.reference.empty() && shape == Shape::kText) flag.placeholder = "NAME";
    if (shape == Shape::kList && !field.choices.empty()) flag.type = FlagType::kEnum;  // each of them
    flag.completes = shape == Shape::kServerRefs ? "server"
                     : shape == Shape::kBindings ? "binding"
                     : shape == Shape::kSubjects ? "subject"
                                                 : field.reference;
    if (shape == Shape::kSecret) {
      flag.name = field.name + "-stdin";
      flag.help = "read the " + field.name + " from standard input";
      flag.required = false;
    }
    // Alternatives exist, so that none of them alone is required.
    if (shape == Shape::kCommandLine || shape == Shape::kSecretMap) flag.required = false;
    flags.push_back(flag);
    if (shape == Shape::kCommandLine) {
      flags.push_back(
          {.name = "arg", .placeholder = "TEXT", .help = "one argument of --" + field.flag, .repeatable = true});
    }
    if (shape == Shape::kSecretMap) {
      flags.push_back({.name = field.flag + "-stdin",
                       .placeholder = "KEY",
                       .help = "one more, its value read from standard input"});
    }
  }
  if (kind.name == "rbac") flags.insert(flags.end(), std::begin(kRemovedRbacFlags), std::end(kRemovedRbacFlags));
  return flags;
}

std::string create_rest(const Kind& kind) {
  for (const Field& field : kind.fields) {
    if (is_written(kind, field) && shape_of(kind, field) == Shape::kCommandLine) return "PROGRAM [ARG…]";
  }
  return {};
}

Result<Bytes> create_body(const Kind& kind, const std::string& name, const std::string& project,
                          const Invocation& invocation, const Inputs& inputs) {
  JsonWriter writer;
  MemberWriter members(writer, invocation, inputs);
  writer.begin_object().member(kind.name_field, name);
  if (kind.in_project && !project.empty()) writer.member("project", project);
  for (const Field& field : kind.fields) {
    if (is_written(kind, field)) MCPCTL_CHECK(members.write(field, shape_of(kind, field)));
  }
  writer.end_object();
  return writer.finish();
}

}  // namespace mcpctl
