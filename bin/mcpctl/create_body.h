// From create flags to the body of a POST. Pure but for the callbacks that read what must not be on a command line.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "command.h"

namespace mcpctl {

// How the texts of one flag become the value of a field.
enum class Shape {
  kText,
  kInteger,
  kBoolean,
  kEnum,
  kSecret,       // never on the command line: --FIELD-stdin or a question
  kList,         // repeatable text
  kMap,          // KEY=VALUE to {KEY: VALUE}
  kJson,         // a JSON value
  kJsonList,     // repeatable JSON values
  kCommandLine,  // --command PROGRAM --arg A…, or everything after "--"
  kNamedValues,  // KEY=VALUE or KEY=secret:NAME/KEY to [{name, value | valueFrom}]
  kEntries,      // NAME or NAME=DEFAULT, as the server reads them
  kStages,       // TYPE, or a stage as JSON
  kServerRefs,   // SERVER or SERVER:PREFIX to [{server, prefix?}]
  kSubjects,     // Kind:name to [{kind, name}]
  kBindings,     // role:R,resource:X[,name:N] or action:A to the stored shape
  kSecretMap,    // a map with an additional --FLAG-stdin KEY
};

Shape shape_of(const Kind& kind, const Field& field);

// The flags of `create KIND`, without --force and the like.
std::vector<Flag> create_flags(const Kind& kind);
// "PROGRAM ARG…" when the kind has a command line, otherwise "".
std::string create_rest(const Kind& kind);

// Where values come from that must not be arguments.
struct Inputs {
  std::function<Result<std::string>()> standard_input;  // everything, without the last line break
  // Asked without echo; the label is for people. "" when there is no answer or nobody to ask.
  std::function<Result<std::string>(const std::string& label)> question;
};

// `project` becomes the member of kinds inside one; "" leaves it out.
Result<Bytes> create_body(const Kind& kind, const std::string& name, const std::string& project,
                          const Invocation& invocation, const Inputs& inputs);

}  // namespace mcpctl
