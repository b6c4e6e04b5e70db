// Routes are a table: method, pattern, permission, token column, handler. A row cannot be written without a permission
// or the explicit word that the route is open, and tokens are refused unless the row says otherwise.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "loop/task.h"
#include "rbac/vocabulary.h"

namespace mcptoken::control {

class Control;
class Runner;
struct Context;
struct Kind;

// One request after its one canonical parse. Holds no credential.
struct Request {
  std::string method;
  std::vector<std::string> path;  // decoded segments: {"api","v1","servers","my-ha"}
  std::map<std::string, std::string> query;
  std::string body;
  std::string request_id;
  std::string client_address;
  std::string client_name;
  std::optional<int64_t> if_match;
  bool dry_run = false;  // everything is done, and taken back

  // A query parameter, or nothing.
  const std::string* parameter(const std::string& name) const;
};

// What a stream of changes tells: see watch_objects.
struct Watch {
  int64_t since = 0;               // changes of later revisions
  std::vector<std::string> kinds;  // of these kinds; empty: of all
};

struct Response {
  int status = 200;
  std::string body;                                          // JSON
  std::vector<std::pair<std::string, std::string>> headers;  // beside Content-Type and Content-Length
  std::optional<Watch> watch;                                // instead of a body: a stream, which the host makes
};

// What a project token may do with a route. Asked before any role.
enum class TokenAccess : uint8_t {
  never,
  self_project,  // when the segment :project names its own project
  itself,        // what is about the token; with a segment :id only its own id
  watch,         // the changes feed: any token, and whoever shows a ticket of the feed
  reports,       // as self_project; a revoked one for limits::kReportAfterRevocationMs, too
};

// What the caller needs. Made by the functions below only.
class Permission {
 public:
  enum class Level : uint8_t {
    open,   // nobody needs to be known
    self,   // anybody who is known: the handler judges what is the caller's own
    exact,  // the action on the object that the segment `segment` names (empty: on all of the resource)
    some,   // the action on at least one name: the handler filters, or judges the name in the body
    operation,
  };
  Level level;
  rbac::Action action = rbac::Action::view;
  rbac::Resource resource = rbac::Resource::any;
  std::optional<rbac::Operation> operation;
  std::string_view segment;

 private:
  explicit constexpr Permission(Level level_in) : level(level_in) {}
  friend constexpr Permission open_to_all();
  friend constexpr Permission anybody_known();
  friend constexpr Permission needs(rbac::Action, rbac::Resource, std::string_view);
  friend constexpr Permission needs_some(rbac::Action, rbac::Resource);
  friend constexpr Permission needs_operation(rbac::Operation);
};
constexpr Permission open_to_all() { return Permission(Permission::Level::open); }
constexpr Permission anybody_known() { return Permission(Permission::Level::self); }
constexpr Permission needs(rbac::Action action, rbac::Resource resource, std::string_view segment) {
  Permission p(Permission::Level::exact);
  p.action = action, p.resource = resource, p.segment = segment;
  return p;
}
constexpr Permission needs_some(rbac::Action action, rbac::Resource resource) {
  Permission p(Permission::Level::some);
  p.action = action, p.resource = resource;
  return p;
}
constexpr Permission needs_operation(rbac::Operation operation) {
  Permission p(Permission::Level::operation);
  p.operation = operation;
  return p;
}

// A handler answers inside the transaction it is given. An error leaves nothing behind.
using Handler = Result<Response> (*)(Control&, Context&);
// A handler with work between transactions (password hashing): it drives itself through the Runner, and authorises in
// each transaction (control.h: authorise).
using AsyncHandler = loop::Task<Result<Response>> (*)(Control&, Runner&);

struct Route {
  Route(std::string_view method_in, std::string pattern_in, Permission permission_in, TokenAccess tokens_in,
        Handler handler_in, const Kind* kind_in = nullptr)
      : method(method_in),
        pattern(std::move(pattern_in)),
        permission(permission_in),
        tokens(tokens_in),
        handler(handler_in),
        kind(kind_in) {}
  Route(std::string_view method_in, std::string pattern_in, Permission permission_in, TokenAccess tokens_in,
        AsyncHandler handler_in, const Kind* kind_in = nullptr)
      : method(method_in),
        pattern(std::move(pattern_in)),
        permission(permission_in),
        tokens(tokens_in),
        async_handler(handler_in),
        kind(kind_in) {}

  std::string_view method;
  std::string pattern;  // "/api/v1/projects/:project/servers"
  Permission permission;
  TokenAccess tokens;
  Handler handler = nullptr;  // exactly one of the two is set
  AsyncHandler async_handler = nullptr;
  const Kind* kind;  // generic handlers: of which kind
  // Of the request. More than the usual is taken only from whoever holds the permission (body_limit).
  size_t body_bytes = limits::kBodyBytes;

  bool reads_only() const;     // its handler may run in a read transaction
  bool may_dry_run() const;    // ?dryRun=true: for writes of objects
  bool judges_bearer() const;  // says whether the bearer that asks is good
  bool takes_away() const;     // objects or rights: works on a full disk, too
};

// Values of the pattern's ":name" segments.
class Params {
 public:
  const std::string& get(std::string_view name) const;  // empty when the pattern has no such segment
  void add(std::string_view name, std::string value) { values_.emplace_back(name, std::move(value)); }
  void clear() { values_.clear(); }

 private:
  std::vector<std::pair<std::string_view, std::string>> values_;
};

// Takes ?dryRun= out of the query where the route may be tried out; elsewhere it is an unknown parameter. invalid.
Result<void> read_dry_run(Request& request, const Route& route);

std::span<const Route> routes();

// Exact comparison of segments, a literal before a parameter. nullptr: no such path (allowed is empty: 404) or no such
// method on it (allowed lists the methods: 405).
const Route* match(std::string_view method, std::span<const std::string> path, Params& params,
                   std::vector<std::string_view>& allowed);

}  // namespace mcptoken::control
