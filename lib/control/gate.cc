#include "control/gate.h"

#include <algorithm>

#include "control/handlers.h"
#include "control/kind.h"
#include "control/objects.h"

namespace mcptoken::control {
namespace {

constexpr int64_t kLongestMs = 24 * 3600'000LL;
constexpr Field kWord{.name = "word", .type = Type::string, .min = 1, .max = 256};
constexpr Field kFields[] = {
    {.name = "untilMs", .type = Type::integer, .shape = Shape::required, .max = INT64_MAX},
    {.name = "tags", .type = Type::list, .default_json = "[]", .max = 256, .item = &kWord},
    {.name = "given", .type = Type::list, .default_json = "[]", .max = 256, .item = &kWord},
};

Result<std::string> own_token(const Context& context) {
  if (!context.who.token_id.empty()) return context.who.token_id;
  return fail(Error(Status::denied, "a gate belongs to a token").with_code("forbidden").with_http(403));
}

}  // namespace

Result<json::Value> load_gate(store::Tx& tx, const std::string& token_id) {
  MCPT_TRY(auto rows, tx.db().prepare("SELECT state FROM gates WHERE token_id = ?1"));
  rows.bind(token_id);
  MCPT_TRY(const bool found, rows.step());
  if (!found) return json::Value::object();
  return json::parse(rows.text_view(0));
}

Result<void> save_gate(store::Tx& tx, const std::string& token_id, const json::Value& state) {
  MCPT_TRY(auto checked, check_fields(kFields, state, ""));
  const int64_t until_ms = checked.find("untilMs")->as_int().value_or(0);
  checked.set("untilMs", json::Value::integer(std::clamp<int64_t>(until_ms, 0, tx.now_ms() + kLongestMs)));
  return tx.db().run(
      "INSERT INTO gates (token_id, state) VALUES (?1, ?2)"
      " ON CONFLICT (token_id) DO UPDATE SET state = excluded.state",
      token_id, json::to_text(checked));
}

Result<Response> get_gate(Control&, Context& context) {
  MCPT_CHECK(check_query(context.request, {}));
  MCPT_TRY(const auto token, own_token(context));
  MCPT_TRY(const auto state, load_gate(context.tx, token));
  return answer(200, state);
}

Result<Response> put_gate(Control&, Context& context) {
  MCPT_CHECK(check_query(context.request, {}));
  MCPT_TRY(const auto token, own_token(context));
  MCPT_TRY(const auto body, parse_body(context.request));
  MCPT_CHECK(save_gate(context.tx, token, body));
  MCPT_TRY(const auto state, load_gate(context.tx, token));
  return answer(200, state);
}

}  // namespace mcptoken::control
