// A value or the reason why the program cannot go on, with the exit code that says whose fault it is.
#pragma once

#include <optional>
#include <string>
#include <utility>

namespace mcpd {

inline constexpr int kExitFailure = 1;  // the environment: a port in use, a data directory held by another process
inline constexpr int kExitUsage = 64;   // the caller: an unknown setting, a bad value (EX_USAGE of sysexits.h)

struct Failure {
  int exit_code = kExitFailure;
  std::string message;
};

template <class T>
class Outcome {
 public:
  Outcome(T value) : value_(std::move(value)) {}              // NOLINT(google-explicit-constructor)
  Outcome(Failure failure) : failure_(std::move(failure)) {}  // NOLINT(google-explicit-constructor)
  explicit operator bool() const { return value_.has_value(); }
  T& operator*() { return *value_; }
  T* operator->() { return &*value_; }
  const Failure& failure() const { return failure_; }

 private:
  std::optional<T> value_;
  Failure failure_;
};

}  // namespace mcpd
