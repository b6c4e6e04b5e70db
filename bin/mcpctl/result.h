// mcpctl: the command line of the control plane and of MCP endpoints, written against the C API alone.
//
// Where to start: command.h (the declarative table that feeds parser, help and docs), commands.cc (the table itself),
// main.cc (order of events). Verbs are in verb_*.cc, everything they print goes through output.h.
//
// This file: every failure is a value. What is in it becomes the three parts that people see.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace mcpctl {

// Exit codes of every command but `test mcp`, which has its own (see verb_test_mcp.cc).
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitNotAuthenticated = 4;
inline constexpr int kExitUsage = 64;
inline constexpr int kExitInterrupted = 130;

struct Failure {
  int exit_code = kExitFailed;
  std::string what;        // what was attempted: "cannot create server/fs"
  std::string why;         // the reason, usually the server's message; may be empty
  std::string hint;        // what to run or change next; may be empty
  std::string request_id;  // the server's id of the request; may be empty
  int32_t status = 0;      // MCPTOKEN_* of the call behind it, 0 when there was none
  bool unanswered = false;  // the call got no answer at all
};

inline Failure usage_failure(std::string what, std::string hint = {}) {
  return Failure{kExitUsage, std::move(what), {}, std::move(hint), {}};
}

struct Done {};

// A value or a Failure. `value()` may only be called when ok().
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}          // NOLINT: implicit on purpose
  Result(Failure failure) : state_(std::in_place_index<1>, std::move(failure)) {}  // NOLINT: implicit on purpose

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() { return std::get<0>(state_); }
  const T& value() const { return std::get<0>(state_); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Failure& failure() { return std::get<1>(state_); }
  const Failure& failure() const { return std::get<1>(state_); }

 private:
  std::variant<T, Failure> state_;
};

using Status = Result<Done>;

}  // namespace mcpctl

#define MCPCTL_CONCAT_(a, b) a##b
#define MCPCTL_CONCAT(a, b) MCPCTL_CONCAT_(a, b)
// MCPCTL_TRY(auto x, f()): x is the value, or the enclosing function returns the failure.
#define MCPCTL_TRY(declaration, expression) \
  MCPCTL_TRY_(declaration, expression, MCPCTL_CONCAT(mcpctl_try_, __LINE__))
#define MCPCTL_TRY_(declaration, expression, name) \
  auto name = (expression);                        \
  if (!name.ok()) return std::move(name.failure()); \
  declaration = std::move(name.value())
#define MCPCTL_CHECK(expression)                                                    \
  do {                                                                              \
    if (auto mcpctl_check = (expression); !mcpctl_check.ok()) return std::move(mcpctl_check.failure()); \
  } while (false)
