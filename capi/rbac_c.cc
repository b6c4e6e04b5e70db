#include "mcptoken/rbac.h"

#include "capi/handles.h"
#include "json/value.h"
#include "rbac/json.h"
#include "rbac/vocabulary.h"

using namespace mcptoken;
using namespace mcptoken::capi;

extern "C" {

mcptoken_status mcptoken_rbac_parse_binding(const char* text, mcptoken_bytes** json_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(json_out);
    MCPT_CHECK(require(json_out, "json_out"));
    MCPT_TRY(auto binding, rbac::parse_binding(view(text)));
    *json_out = new_bytes(json::to_text(rbac::to_json(binding)));
    return {};
  });
}

mcptoken_status mcptoken_rbac_print_binding(const char* json, size_t size, mcptoken_bytes** text_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(text_out);
    MCPT_CHECK(require(text_out, "text_out"));
    MCPT_TRY(auto value, json::parse(view(json, size)));
    MCPT_TRY(auto binding, rbac::binding_from_json(value));
    *text_out = new_bytes(rbac::to_text(binding));
    return {};
  });
}

}  // extern "C"
