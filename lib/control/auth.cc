// Login, logout and passwords. Hashing happens between transactions, so what was judged before it is judged again
// after.
#include <memory>

#include "base/bytes.h"
#include "base/time_text.h"
#include "control/handlers.h"
#include "control/login.h"
#include "control/objects.h"
#include "control/rights.h"
#include "control/rules.h"
#include "store/store.h"
#include "token/token.h"

namespace mcptoken::control {

using json::Value;

Result<Value> check_members(const Value& body, std::initializer_list<std::string_view> required,
                            std::initializer_list<std::string_view> optional) {
  const auto in = [](std::string_view key, std::initializer_list<std::string_view> list) {
    for (auto one : list) {
      if (one == key) return true;
    }
    return false;
  };
  for (const auto& [key, value] : body.members()) {
    if (!in(key, required) && !in(key, optional)) return fail(Status::invalid, key + ": unknown field");
    if (!value.as_string()) return fail(Status::invalid, key + ": must be a string");
  }
  for (auto key : required) {
    if (!body.find(key)) return fail(Status::invalid, std::string(key) + ": is required");
  }
  return body;
}

Result<Value> begin_session(Context& context, const store::Object& user) {
  MCPT_TRY(const auto minted, token::mint(token::Kind::session));
  MCPT_TRY(const auto session, context.tx.insert_session(user.id, minted.sha, context.request.client_name));
  MCPT_CHECK(record_login(context, audit::Kind::login, user.name));
  Value shown = Value::object();
  shown.set("id", text_value(user.id));
  shown.set("email", text_value(user.name));
  Value out = Value::object();
  out.set("token", text_value(minted.raw.reveal()));
  out.set("sessionId", text_value(session.id));
  out.set("user", std::move(shown));
  return out;
}

namespace {

constexpr std::string_view kNobody = "(no address)";  // for the guard: no user is called that

Error bad_login() {
  return Error(Status::unauthenticated, "e-mail address or password is wrong").with_code("login_failed").with_http(401);
}

// What the first transaction knows and the second must still find true.
struct Account {
  std::string user_id;
  std::string phc;  // that of nobody when the user is unknown, disabled, or has no password
  bool known = false;
};

Result<Account> account_of(store::Tx& tx, const Result<store::Object>& user) {
  Account account;
  account.phc = crypto::dummy_password_hash();
  if (!user && user.error().status != Status::not_found) return fail(user.error());
  if (!user) return account;
  MCPT_TRY(const bool disabled, is_disabled(*user));
  MCPT_TRY(const auto phc, tx.password(user->id));
  account.user_id = user->id;
  if (disabled || !phc) return account;
  account.phc = *phc;
  account.known = true;
  return account;
}

// A full queue has looked at no password.
loop::Task<Result<void>> take_back_attempt(Control& control, Runner& runner, std::string account) {
  auto work = runner.reading([&control, account](Context& context) -> Result<Response> {
    control.login_guard().take_back(context.request.client_address, account);
    return Response();
  });
  MCPT_CO_CHECK(co_await work);
  co_return Result<void>();
}

// Of an attempt that the guard has counted for `account`.
loop::Task<Result<bool>> verify(Control& control, Runner& runner, std::string account, std::string phc,
                                std::string password) {
  auto work = runner.off_loop([phc = std::move(phc), secret = crypto::Secret(password)]() -> Result<std::string> {
    return std::string(crypto::verify_password(phc, secret.reveal()) ? "yes" : "no");
  });
  crypto::wipe(password.data(), password.size());
  auto verdict = co_await work;
  if (!verdict && verdict.error().status == Status::limit) {
    auto taking_back = take_back_attempt(control, runner, account);
    MCPT_CO_CHECK(co_await taking_back);
  }
  if (!verdict) co_return fail(std::move(verdict).error());
  co_return *verdict == "yes";
}

Result<void> check_password(const std::string& password) {
  auto good = password_rule(Value::string(password));
  return good ? good : Result<void>(fail(std::move(good).error().in("password")));
}

loop::Task<Result<std::string>> hash(Runner& runner, std::string password) {
  auto work = runner.off_loop([secret = crypto::Secret(password)] { return crypto::hash_password(secret.reveal()); });
  crypto::wipe(password.data(), password.size());
  co_return co_await work;
}

Result<Response> finish_login(Control& control, Context& context, const std::string& email, const Account& before, bool good) {
  MCPT_CHECK(authorise(context, *context.route));
  auto user = find_named(context.tx, *find_kind("user"), email);
  MCPT_TRY(const auto now, account_of(context.tx, user));
  if (!good || !before.known || !now.known || now.user_id != before.user_id || now.phc != before.phc) {
    MCPT_CHECK(record_login(context, audit::Kind::login_failed, email));
    return to_response(bad_login(), context.request.request_id, context.route);  // not an error: the event is to be kept
  }
  control.login_guard().succeeded(context.request.client_address, email);
  MCPT_TRY(const auto body, begin_session(context, *user));
  return answer(200, body);
}

// What is no address is nobody's: it is answered like one that nobody has, at the same price, and kept nowhere
// (somebody may have typed a password into the wrong field). The addresses that send such are counted, not the names.
loop::Task<Result<Response>> login_of_nobody(Control& control, Runner& runner, std::string password) {
  const Route& route = runner.route();
  auto look = runner.reading([&control, &route](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    MCPT_CHECK(control.login_guard().begin(context.request.client_address, std::string(kNobody)));
    return Response();
  });
  MCPT_CO_CHECK(co_await look);
  auto check = verify(control, runner, std::string(kNobody), crypto::dummy_password_hash(), std::move(password));
  MCPT_CO_CHECK(co_await check);
  auto finish = runner.in_transaction([&route](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    MCPT_CHECK(record_login(context, audit::Kind::login_failed, ""));
    return to_response(bad_login(), context.request.request_id, context.route);
  });
  auto finished = co_await finish;
  if (!finished && store::is_out_of_space(finished.error())) co_return fail(bad_login());
  co_return finished;
}

Result<void> drop_other_sessions(Context& context, const std::string& user_id) {
  std::vector<std::string> others;
  MCPT_CHECK(context.tx.for_each_session([&](const store::SessionRecord& session) -> Result<void> {
    if (session.user_id == user_id && session.id != context.who.session_id) others.push_back(session.id);
    return {};
  }));
  for (const auto& id : others)
    MCPT_CHECK(context.tx.remove_session(id));
  return {};
}

Result<Response> store_password(Context& context, const std::string& user_id, const std::string& phc) {
  MCPT_CHECK(context.tx.set_password(user_id, phc));
  MCPT_CHECK(drop_other_sessions(context, user_id));
  MCPT_CHECK(record_changes(context));
  Value out = Value::object();
  out.set("changed", Value::boolean(true));
  return answer(200, out);
}

// Whoever sets another's password can become that user.
Result<void> may_reset(Context& context, const Route& route) {
  MCPT_CHECK(authorise(context, route));
  return check_takeover(context, context.object->id);
}

// On a full disk. Whoever has the right password gets of the space for what takes rights away, for otherwise nobody could
// take any; a wrong one writes nothing.
loop::Task<Result<Response>> login_with_reserve(Control& control, Runner& runner, std::string email, Account account,
                                                bool good) {
  if (!good || !account.known) co_return fail(bad_login());
  auto counting = runner.reading([&control, email](Context&) -> Result<Response> {
    MCPT_CHECK(control.take_spare_login(email));
    return Response();
  });
  MCPT_CO_CHECK(co_await counting);
  auto finish = runner.with_reserve([&control, email, account, &route = runner.route()](Context& context) {
    context.route = &route;
    return finish_login(control, context, email, account, true);
  });
  co_return co_await finish;
}

}  // namespace

Result<void> recover_password(store::Tx& tx, const std::string& email, const std::string& phc) {
  MCPT_TRY(const auto user, find_named(tx, *find_kind("user"), email));
  MCPT_CHECK(tx.set_password(user.id, phc));
  MCPT_CHECK(tx.remove_sessions_of(user.id));
  const rbac::Policy nothing({}, {}, rbac::Ceiling::live, rbac::ToolGrant::run);
  const Request request;
  const Params params;
  Context context(tx, nothing, tx.who(), request, params);
  return record_changes(context);
}

Result<void> check_takeover(const Context& context, const std::string& user_id) {
  if (context.who.user_id == user_id) return {};
  MCPT_TRY(const auto gained, rights_of(context, user_id));
  return require_all(context, gained, true);
}

loop::Task<Result<Response>> login(Control& control, Runner& runner) {
  MCPT_CO_CHECK(check_query(runner.request(), {}));
  MCPT_CO_TRY(const auto input, parse_body(runner.request()));
  MCPT_CO_TRY(const auto body, check_members(input, {"email", "password"}, {}));
  const auto email = normal_email(body.text("email"));
  const Route& route = runner.route();
  if (!rbac::is_email(email)) {
    auto refusing = login_of_nobody(control, runner, body.text("password"));
    co_return co_await refusing;
  }
  auto account = std::make_shared<Account>();
  auto look = runner.reading([&control, account, email, &route](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    MCPT_CHECK(control.login_guard().begin(context.request.client_address, email));
    MCPT_TRY(*account, account_of(context.tx, find_named(context.tx, *find_kind("user"), email)));
    return Response();
  });
  MCPT_CO_CHECK(co_await look);
  auto check = verify(control, runner, email, account->phc, body.text("password"));
  MCPT_CO_TRY(const bool good, co_await check);
  auto finish = runner.in_transaction([&control, account, email, good, &route](Context& context) {
    context.route = &route;
    return finish_login(control, context, email, *account, good);
  });
  auto finished = co_await finish;
  if (finished || !store::is_out_of_space(finished.error())) co_return finished;
  auto spare = login_with_reserve(control, runner, email, *account, good);
  co_return co_await spare;
}

Result<Response> logout(Control&, Context& context) {
  MCPT_CHECK(check_query(context.request, {}));
  if (!context.who.session_id.empty()) MCPT_CHECK(context.tx.remove_session(context.who.session_id));
  Value out = Value::object();
  out.set("loggedOut", Value::boolean(true));
  return answer(200, out);
}

loop::Task<Result<Response>> change_own_password(Control& control, Runner& runner) {
  MCPT_CO_CHECK(check_query(runner.request(), {}));
  MCPT_CO_TRY(const auto input, parse_body(runner.request()));
  MCPT_CO_TRY(const auto body, check_members(input, {"current", "password"}, {}));
  MCPT_CO_CHECK(check_password(body.text("password")));
  const Route& route = runner.route();
  auto account = std::make_shared<Account>();
  auto look = runner.reading([&control, account, &route](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    MCPT_CHECK(control.login_guard().begin(context.request.client_address, context.who.user_email));
    MCPT_TRY(*account, account_of(context.tx, context.tx.get(context.who.user_id)));
    return Response();
  });
  MCPT_CO_CHECK(co_await look);
  auto check = verify(control, runner, runner.who().user_email, account->phc, body.text("current"));
  MCPT_CO_TRY(const bool good, co_await check);
  if (!good || !account->known) co_return fail(Error(Status::invalid, "current: is not your password"));
  auto hashing = hash(runner, body.text("password"));
  auto hashed = co_await hashing;
  if (!hashed) {  // the old one was right
    auto taking_back = take_back_attempt(control, runner, runner.who().user_email);
    MCPT_CO_CHECK(co_await taking_back);
    co_return fail(std::move(hashed).error());
  }
  const auto phc = *hashed;
  auto write = runner.in_transaction([&control, account, phc, &route](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    control.login_guard().succeeded(context.request.client_address, context.who.user_email);
    MCPT_TRY(const auto now, account_of(context.tx, context.tx.get(context.who.user_id)));
    if (now.phc != account->phc) return fail(Status::conflict, "the password was changed meanwhile");
    return store_password(context, context.who.user_id, phc);
  });
  co_return co_await write;
}

loop::Task<Result<Response>> reset_password(Control&, Runner& runner) {
  MCPT_CO_CHECK(check_query(runner.request(), {}));
  MCPT_CO_TRY(const auto input, parse_body(runner.request()));
  MCPT_CO_TRY(const auto body, check_members(input, {"password"}, {}));
  MCPT_CO_CHECK(check_password(body.text("password")));
  const Route& route = runner.route();
  auto judge = runner.reading([&route](Context& context) -> Result<Response> {
    MCPT_CHECK(may_reset(context, route));
    return Response();
  });
  MCPT_CO_CHECK(co_await judge);
  auto hashing = hash(runner, body.text("password"));
  MCPT_CO_TRY(const auto phc, co_await hashing);
  auto write = runner.in_transaction([phc, &route](Context& context) -> Result<Response> {
    MCPT_CHECK(may_reset(context, route));
    return store_password(context, context.object->id, phc);
  });
  co_return co_await write;
}

}  // namespace mcptoken::control
