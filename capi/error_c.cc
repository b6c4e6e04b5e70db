#include "mcptoken/error.h"

#include "base/bytes.h"
#include "capi/guard.h"
#include "json/utf8.h"

using mcptoken::Error;
using mcptoken::Status;

static_assert(static_cast<int>(Status::ok) == MCPTOKEN_OK && static_cast<int>(Status::pending) == MCPTOKEN_PENDING);

namespace {

struct Row {
  Status status;
  mcptoken_status code;
  const char* name;
};

// Keeps the enum of lib/base and the macros of the header together.
constexpr Row kRows[] = {
    {Status::ok, MCPTOKEN_OK, "ok"},
    {Status::pending, MCPTOKEN_PENDING, "pending"},
    {Status::not_found, MCPTOKEN_NOT_FOUND, "not_found"},
    {Status::denied, MCPTOKEN_DENIED, "denied"},
    {Status::unauthenticated, MCPTOKEN_UNAUTHENTICATED, "unauthenticated"},
    {Status::exists, MCPTOKEN_EXISTS, "exists"},
    {Status::conflict, MCPTOKEN_CONFLICT, "conflict"},
    {Status::expired, MCPTOKEN_EXPIRED, "expired"},
    {Status::invalid, MCPTOKEN_INVALID, "invalid"},
    {Status::misuse, MCPTOKEN_MISUSE, "misuse"},
    {Status::not_supported, MCPTOKEN_NOT_SUPPORTED, "not_supported"},
    {Status::too_large, MCPTOKEN_TOO_LARGE, "too_large"},
    {Status::io, MCPTOKEN_IO, "io"},
    {Status::network, MCPTOKEN_NETWORK, "network"},
    {Status::timeout, MCPTOKEN_TIMEOUT, "timeout"},
    {Status::no_memory, MCPTOKEN_NO_MEMORY, "no_memory"},
    {Status::limit, MCPTOKEN_LIMIT, "limit"},
    {Status::cancelled, MCPTOKEN_CANCELLED, "cancelled"},
    {Status::unavailable, MCPTOKEN_UNAVAILABLE, "unavailable"},
    {Status::corrupt, MCPTOKEN_CORRUPT, "corrupt"},
    {Status::busy, MCPTOKEN_BUSY, "busy"},
    {Status::internal, MCPTOKEN_INTERNAL, "internal"},
    {Status::protocol, MCPTOKEN_PROTOCOL, "protocol"},
    {Status::remote, MCPTOKEN_REMOTE, "remote"},
};
static_assert([] {
  for (const Row& row : kRows) {
    if (static_cast<mcptoken_status>(row.status) != row.code) return false;
  }
  return true;
}());

// Reporting that memory is gone must not need memory. Never freed, never changed.
mcptoken_error* no_memory_record() noexcept {
  static mcptoken_error record{Error(Status::no_memory, "out of memory")};  // short enough for no allocation
  return &record;
}

}  // namespace

namespace mcptoken::capi {
namespace {

constexpr size_t kMaxLine = 4096;
constexpr size_t kEnding = 8;  // room for a last character and what says that it goes on

// How many bytes at `text` may stand as they are: a character of UTF-8 that a terminal only shows. 0: none.
size_t visible(std::string_view text) {
  const size_t length = json::utf8_length(text.data(), text.data() + text.size());
  const auto first = static_cast<unsigned char>(text[0]);
  if (length == 1) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const bool control = first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;  // U+0080 to U+009F
  return control ? 0 : length;
}

// What quotes a caller or a peer becomes one line for people: UTF-8, no control characters, and not a whole page.
void make_line(std::string& text) {
  std::string_view rest = text;
  for (size_t length; !rest.empty() && (length = visible(rest)) > 0;)
    rest.remove_prefix(length);
  if (rest.empty() && text.size() <= kMaxLine) return;
  std::string out;
  for (rest = text; !rest.empty() && out.size() < kMaxLine - kEnding;) {
    const size_t length = visible(rest);
    const char c = rest[0];
    if (length > 0)
      out += rest.substr(0, length);
    else if (c == '\n' || c == '\r' || c == '\t')
      out += ' ';
    else
      out += "\\x" + to_hex(as_bytes(rest.substr(0, 1)));
    rest.remove_prefix(length > 0 ? length : 1);
  }
  if (!rest.empty()) out += "…";
  text = std::move(out);
}

}  // namespace

void store_no_memory(mcptoken_error** error_out) noexcept {
  if (error_out) *error_out = no_memory_record();
}

void store_error(mcptoken_error** error_out, Error&& error) noexcept {
  if (!error_out) return;
  try {
    for (std::string* text : {&error.message, &error.code, &error.hint, &error.request_id})
      make_line(*text);
    *error_out = new mcptoken_error{std::move(error)};
  } catch (const std::bad_alloc&) {
    store_no_memory(error_out);
  }
}

}  // namespace mcptoken::capi

extern "C" {

mcptoken_status mcptoken_error_status(const mcptoken_error* error) {
  return error ? static_cast<mcptoken_status>(error->error.status) : MCPTOKEN_OK;
}
const char* mcptoken_error_message(const mcptoken_error* error) { return error ? error->error.message.c_str() : ""; }
const char* mcptoken_error_code(const mcptoken_error* error) { return error ? error->error.code.c_str() : ""; }
const char* mcptoken_error_hint(const mcptoken_error* error) { return error ? error->error.hint.c_str() : ""; }
const char* mcptoken_error_request_id(const mcptoken_error* error) {
  return error ? error->error.request_id.c_str() : "";
}
int32_t mcptoken_error_http_status(const mcptoken_error* error) { return error ? error->error.http : 0; }
int64_t mcptoken_error_jsonrpc_code(const mcptoken_error* error) { return error ? error->error.rpc : 0; }

const char* mcptoken_error_data(const mcptoken_error* error, size_t* size_out) {
  const bool any = error && error->error.rpc != 0;
  if (size_out) *size_out = any ? error->error.data.size() : 0;
  return any ? error->error.data.c_str() : "";
}

void mcptoken_error_free(mcptoken_error* error) {
  if (error != no_memory_record()) delete error;
}

const char* mcptoken_status_name(mcptoken_status status) {
  for (const Row& row : kRows) {
    if (row.code == status) return row.name;
  }
  return "unknown";
}

}  // extern "C"
