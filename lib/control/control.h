// The control plane as one object, the context of a request, and the ONE place where requests are authorised.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/event.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/result.h"
#include "control/keys.h"
#include "control/kind.h"
#include "control/login_guard.h"
#include "control/route.h"
#include "control/runner.h"
#include "crypto/secret.h"
#include "rbac/policy.h"
#include "store/tx.h"

namespace mcptoken::control {

struct Settings {
  rbac::Ceiling ceiling = rbac::Ceiling::live;
  rbac::ToolGrant tool_grant = rbac::ToolGrant::view;
  std::optional<int64_t> max_token_ttl_ms;
  std::optional<int64_t> audit_retention_ms;      // nothing: events are kept for ever
  int64_t max_tokens = limits::kTokensPerHolder;  // usable ones of a project, and of an owner
  std::string data_dir;
  std::string version;              // of the product, for GET version
  std::vector<std::string> stages;  // content stages of the program's own, by name
  // How a server does, for people ("running", "unreachable"); asked on the store's thread. Empty function: not told.
  std::function<std::string(std::string_view server_id)> server_status;
};

// Immutable after construction and shared by all threads, but for what says that it is not.
class Control {
 public:
  Control(Settings settings, Keys keys, const Clock& clock, Log log);

  const Settings& settings() const { return settings_; }
  const Keys& keys() const { return keys_; }
  const Clock& clock() const { return clock_; }
  const Log& log() const { return log_; }
  LoginGuard& login_guard() { return login_guard_; }  // in transactions alone
  // Logins of an account, and of all together, in the space that is kept for a full disk. Its first few come at once.
  static constexpr int64_t kSpareLogins = 3, kSpareLoginMs = 600'000, kSpareLoginsOfAll = 20, kSpareLoginOfAllMs = 60'000;
  Result<void> take_spare_login(const std::string& account);  // in transactions alone. limit (429)
  // KiB of gateways' reports, by token: none fills the record of all, or keeps the store's thread for itself.
  static constexpr int64_t kReportBurstKiB = 4'096, kReportMsPerKiB = 1;
  FailureLimit& reports() { return reports_; }  // in transactions alone

  // While no user exists: writes a one-time 128-bit code to <data_dir>/bootstrap-code (0600) and keeps its hash in the
  // store; a pending one stays as it is. Answers the file's path, or nothing when there are users (a left-over file is
  // removed then).
  Result<std::optional<std::string>> prepare_bootstrap(store::Tx& tx) const;
  std::string bootstrap_path() const;

  // The policy of the store's present state. Disabled users hold nothing. Reload after a commit that touches rbac,
  // group, user or a token.
  Result<rbac::Policy> load_policy(store::Tx& tx) const;

  // --- secrets, for those who run servers. Stored documents name secrets by id.
  Result<crypto::Secret> reveal(store::Tx& tx, std::string_view secret_id, std::string_view key) const;
  // The values of a stored `env` or `headers` list, in order. not_found names the secret and key that do not resolve.
  using NamedSecret = std::pair<std::string, crypto::Secret>;
  Result<std::vector<NamedSecret>> resolve_values(store::Tx& tx, const json::Value& list) const;

 private:
  Settings settings_;
  Keys keys_;
  const Clock& clock_;
  Log log_;
  LoginGuard login_guard_;
  FailureLimit reports_, spare_logins_, all_spare_logins_;
};

// One request inside one transaction. `policy` is that of the store's state when the transaction began, so that check
// and write see the same rights.
struct Context {
  Context(store::Tx& tx_in, const rbac::Policy& policy_in, const rbac::Principal& who_in, const Request& request_in,
          const Params& params_in)
      : tx(tx_in), policy(policy_in), who(who_in), request(request_in), params(params_in) {}

  store::Tx& tx;
  const rbac::Policy& policy;
  const rbac::Principal& who;
  const Request& request;
  const Params& params;
  const Route* route = nullptr;             // set by authorise
  std::optional<store::Object> object;      // what the permission's segment names, when it exists; set by authorise
  std::optional<std::string> password_phc;  // a password of the body, hashed before this transaction
};

// A new password for somebody who cannot log in, by whoever has the data directory: the user's sessions end, the event
// is recorded. `phc` is the hash. not_found.
Result<void> recover_password(store::Tx& tx, const std::string& email, const std::string& phc);

// What needs no store: the fence for tokens, then that the caller is known where the route is not open. The service may
// ask it on the headers, before the body is read.
Result<void> admit(const rbac::Principal& who, const Route& route, const Params& params);
// How much of a body is read before the permission is judged: more than the usual only for who holds it now.
size_t body_limit(const rbac::Policy& policy, const rbac::Principal& who, const Route& route);
// admit, then the permission. Errors: unauthenticated, denied (code and scope as the answer shows them), not_found.
Result<void> authorise(Context& context, const Route& route);
// authorise, then the route's synchronous handler, then the events of what it changed.
Result<Response> dispatch(Control& control, Context& context, const Route& route);
// admit, then the asynchronous handler, which does the rest in its transactions.
loop::Task<Result<Response>> dispatch(Control& control, Runner& runner);

// What a transaction answers that is to leave nothing behind: an error, so that it is rolled back. `kept` has the
// answer, unless there is an error already.
Result<Response> take_back(Result<Response> answer, std::optional<Response>& kept);

// A refused permission as an error: 403 `forbidden` with scope="edit:servers".
Error forbidden(const rbac::Query& query);
// {"error","message","hint","request_id"}, Cache-Control: no-store, WWW-Authenticate and Retry-After where they belong.
// What the caller cannot help (5xx) is answered without detail: log the error before. `route`: of the request, nullptr
// when it has none; a refusal of introspection says "ok": false and the reason as one word, too.
Response to_response(const Error& error, std::string_view request_id, const Route* route);
// The audit event of a refusal (it survives the rolled-back transaction; push it to the loop's ring), or nothing.
std::optional<audit::Event> refusal_event(const Error& error, const rbac::Principal& who, const Request& request,
                                          int64_t now_ms);

}  // namespace mcptoken::control
