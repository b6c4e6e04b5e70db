// Start here. lib/base holds what every other folder needs and nothing that knows about tokens, MCP or HTTP.
//
// Errors are values: a function that can fail returns Result<T>. Exceptions are left to std::bad_alloc, which stops in
// capi/guard.h and in loop::Task.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace mcptoken {

// The codes of include/mcptoken/base.h (a static_assert in capi/ holds the two together). Groups: expected outcomes,
// the caller's fault, the environment, the peer. A number is never reused.
enum class Status : int32_t {
  ok = 0,
  pending = 1,
  not_found = -1,
  denied = -2,
  unauthenticated = -3,
  exists = -4,
  conflict = -5,
  expired = -6,
  invalid = -100,
  misuse = -101,
  not_supported = -102,
  too_large = -103,
  io = -200,
  network = -201,
  timeout = -202,
  no_memory = -203,
  limit = -204,
  cancelled = -205,
  unavailable = -206,
  corrupt = -207,
  busy = -208,
  internal = -299,
  protocol = -300,
  remote = -301,
};

// One line for people in `message` (never a secret, never parsed); `code` is the stable word of the HTTP answer
// ("wrong_project"), `hint` what to do next. `http` and `rpc` are set by whoever knows them, 0 otherwise. `data` is the
// raw JSON of a JSON-RPC error's `data`, empty when there is none.
//
// What has to do with errors alone is kept out of line and marked cold: a request passes a hundred places where something may
// fail, and what it runs through should be small and lie together.
struct Error {
  [[gnu::cold]] Error(Status status_in, std::string message_in);
  [[gnu::cold]] Error(const Error& other);
  [[gnu::cold]] Error(Error&& other) noexcept;
  [[gnu::cold]] Error& operator=(const Error& other);
  [[gnu::cold]] Error& operator=(Error&& other) noexcept;
  [[gnu::cold]] ~Error();

  Error&& with_code(std::string_view value) && { code = value; return std::move(*this); }
  Error&& with_hint(std::string value) && { hint = std::move(value); return std::move(*this); }
  Error&& with_http(int value) && { http = value; return std::move(*this); }
  Error&& with_rpc(int64_t value) && { rpc = value; return std::move(*this); }
  Error&& with_data(std::string value) && { data = std::move(value); return std::move(*this); }
  // Prefixes the message, as an error travels up to somebody who knows more about the context.
  Error&& in(std::string_view context) && { message.insert(0, std::string(context) + ": "); return std::move(*this); }

  Status status;
  std::string message;
  std::string code;
  std::string hint;
  std::string request_id;  // under which a peer has logged its side of the failure
  int http = 0;
  int64_t rpc = 0;
  std::string data;
};

template <class T>
using Result = tl::expected<T, Error>;

[[gnu::cold]] tl::unexpected<Error> fail(Error error);
[[gnu::cold]] tl::unexpected<Error> fail(Status status, std::string message);

}  // namespace mcptoken

#define MCPT_CAT2(a, b) a##b
#define MCPT_CAT(a, b) MCPT_CAT2(a, b)

// MCPT_TRY(auto user, find(id));  MCPT_CHECK(write(user));  and their forms for coroutines.
#define MCPT_TRY_(tmp, target, expr, ret)                                     \
  auto tmp = (expr);                                                          \
  if (!tmp) [[unlikely]] ret ::mcptoken::fail(std::move(tmp).error());        \
  target = *std::move(tmp)
#define MCPT_TRY(target, ...) MCPT_TRY_(MCPT_CAT(try_, __LINE__), target, (__VA_ARGS__), return)
#define MCPT_CO_TRY(target, ...) MCPT_TRY_(MCPT_CAT(try_, __LINE__), target, (__VA_ARGS__), co_return)
#define MCPT_CHECK(...) \
  do { if (auto check_ = (__VA_ARGS__); !check_) [[unlikely]] return ::mcptoken::fail(std::move(check_).error()); } while (0)
#define MCPT_CO_CHECK(...) \
  do { if (auto check_ = (__VA_ARGS__); !check_) [[unlikely]] co_return ::mcptoken::fail(std::move(check_).error()); } while (0)
