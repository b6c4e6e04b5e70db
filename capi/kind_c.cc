#include "mcptoken/kind.h"

#include "capi/handles.h"
#include "control/kind.h"
#include "json/value.h"

using namespace mcptoken;
using namespace mcptoken::capi;

extern "C" {

mcptoken_status mcptoken_kind_table(mcptoken_bytes** json_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(json_out);
    MCPT_CHECK(require(json_out, "json_out"));
    *json_out = new_bytes(json::to_text(control::kind_table_json()));
    return {};
  });
}

}  // extern "C"
