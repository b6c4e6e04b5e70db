#include "control/cursor.h"

#include <algorithm>

#include "base/bytes.h"
#include "control/objects.h"

namespace mcptoken::control {

using json::Value;

namespace {

crypto::Key key_of(const Control& control) {
  return crypto::derive_key(as_text(control.keys().watch()), "mcptoken cursors");
}

// Names have no line ends. Whoever logs in again, or has another token, begins anew.
std::string bound_to(const Context& context) {
  const auto& who = context.who;
  std::string out = context.route ? context.route->pattern : std::string();
  for (const auto* part : {&who.user_id, &who.session_id, &who.token_id})
    out += "\n" + *part;
  return out;
}

}  // namespace

Result<std::string> seal_cursor(const Control& control, const Context& context, std::string_view place) {
  MCPT_TRY(const auto sealed, crypto::seal(key_of(control), place, bound_to(context)));
  return to_base64url(sealed);
}

Result<std::optional<std::string>> cursor_of(const Control& control, const Context& context) {
  const auto* text = context.request.parameter("cursor");
  if (!text) return std::optional<std::string>();
  const auto sealed = from_base64url(*text);
  auto place = sealed ? crypto::open(key_of(control), *sealed, bound_to(context))
                      : Result<std::string>(fail(Status::corrupt, ""));
  if (!place)
    return fail(Error(Status::invalid, "query: cursor is not one of ours, or is of another list")
                    .with_hint("begin with the first page"));
  return std::optional(*std::move(place));
}

Result<Value> page_of(const Control& control, Context& context, std::vector<Keyed> items) {
  auto limit = static_cast<int64_t>(items.size());
  if (const auto* text = context.request.parameter("limit")) {
    const auto number = parse_decimal(*text);
    if (!number || *number < 1) return fail(Status::invalid, "query: limit must be a positive number");
    limit = *number;
  }
  MCPT_TRY(const auto after, cursor_of(control, context));
  std::sort(items.begin(), items.end(), [](const Keyed& a, const Keyed& b) { return a.first < b.first; });
  std::vector<Value> shown;
  Value body = Value::object();
  const std::string* last = nullptr;
  for (auto& [key, item] : items) {
    if (after && key <= *after) continue;
    if (static_cast<int64_t>(shown.size()) == limit) {
      MCPT_TRY(const auto cursor, seal_cursor(control, context, *last));
      body.set("cursor", text_value(cursor));
      break;
    }
    shown.push_back(std::move(item));
    last = &key;
  }
  body.set("items", Value::array(std::move(shown)));
  MCPT_TRY(const auto revision, context.tx.revision());
  body.set("revision", Value::integer(revision));
  return body;
}

Result<Response> page(const Control& control, Context& context, std::vector<Keyed> items) {
  MCPT_TRY(const auto body, page_of(control, context, std::move(items)));
  return answer(200, body);
}

}  // namespace mcptoken::control
