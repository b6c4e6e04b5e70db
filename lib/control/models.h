// Proxy models: the built-in ones, and what a model comes to once everything that it extends is counted in.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "json/value.h"
#include "store/tx.h"

namespace mcptoken::control {

// Words that name a model without an object. An object of the same name stands in for one, but for `none` and `gate`.
inline constexpr std::string_view kBuiltInModels[] = {"none", "default", "gate", "content-pipeline", "subindex"};
bool is_fixed_model(std::string_view name);

// What a gateway is told: {"name","gate"?:true,"content"?:{"appliesTo":[…],"cacheable":…,"stages":[{"type","config"}]}}.
// `word` is a name, or an id of the store. Errors: not_found; invalid (with "extends: " in front) for a circle, a chain
// that is too long, or two models of one list that both work on content.
Result<json::Value> compile_model(store::Tx& tx, const std::string& word);
// The same of a model that is about to be written (in wire form). Then every other model is compiled with it, too: an
// error says which would no longer work.
Result<json::Value> compile_changed(store::Tx& tx, const json::Value& model, const std::string& id);
// As compile_model, for those who cannot refuse any more: an error becomes {"name","error"}. A gateway elsewhere learns it
// through a token, which may not know what programs run here: their stages come without settings.
enum class Where : uint8_t { here, elsewhere };
json::Value model_for_gateway(store::Tx& tx, const std::string& word, Where where);

}  // namespace mcptoken::control
