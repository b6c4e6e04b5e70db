#include "mcptoken/token.h"

#include <limits>

#include "base/bytes.h"
#include "capi/handles.h"
#include "crypto/crypto.h"
#include "token/token.h"

using namespace mcptoken;
using namespace mcptoken::capi;

namespace {

Result<token::Kind> classify(std::string_view raw) {
  auto kind = token::classify(raw);
  if (!kind) return fail(Status::invalid, "not a well-formed token");
  return *kind;
}

}  // namespace

extern "C" {

mcptoken_status mcptoken_token_generate(mcptoken_bytes** raw_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(raw_out);
    MCPT_CHECK(require(raw_out, "raw_out"));
    MCPT_CHECK(crypto::init());
    MCPT_TRY(auto minted, token::mint(token::Kind::pat));
    *raw_out = new_bytes(std::string(minted.raw.reveal()));
    return {};
  });
}

mcptoken_status mcptoken_token_classify(const char* raw, size_t size, int32_t* kind_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(kind_out, "kind_out"));
    *kind_out = 0;
    MCPT_TRY(auto kind, classify(view(raw, size)));
    *kind_out = kind == token::Kind::pat ? MCPTOKEN_TOKEN_PAT : MCPTOKEN_TOKEN_SESSION;
    return {};
  });
}

mcptoken_status mcptoken_token_sha(const char* raw, size_t size, mcptoken_bytes** hex_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(hex_out);
    MCPT_CHECK(require(hex_out, "hex_out"));
    MCPT_CHECK(classify(view(raw, size)));
    *hex_out = new_bytes(to_hex(token::hash(view(raw, size))));
    return {};
  });
}

int32_t mcptoken_token_equal(const char* a, size_t a_size, const char* b, size_t b_size) {
  return guard_value(0, [&] { return crypto::equal(view(a, a_size), view(b, b_size)) ? 1 : 0; });
}

mcptoken_status mcptoken_token_parse_ttl(const char* text, int64_t now_ms, int64_t* expires_ms_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(expires_ms_out, "expires_ms_out"));
    *expires_ms_out = 0;
    MCPT_TRY(auto expires, token::parse_ttl(view(text), now_ms));
    *expires_ms_out = expires.value_or(std::numeric_limits<int64_t>::max());
    return {};
  });
}

}  // extern "C"
