// The first user. The code is in a file that only the operator can read, its hash in the store; the transaction that
// makes the user removes the hash, so that of two requests one succeeds.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/bytes.h"
#include "control/handlers.h"
#include "control/login.h"
#include "control/objects.h"
#include "control/rules.h"

namespace mcptoken::control {

using json::Value;

namespace {

constexpr std::string_view kSetting = "bootstrap-code-sha256";

std::string digest_text(std::string_view code) { return to_hex(crypto::sha256(code)); }

Result<std::string> read_code(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return std::string();
  std::array<char, 64> buffer{};
  const auto size = ::read(fd, buffer.data(), buffer.size());
  ::close(fd);
  std::string code(buffer.data(), size > 0 ? static_cast<size_t>(size) : 0);
  while (!code.empty() && code.back() == '\n')
    code.pop_back();
  return code;
}

Result<void> write_code(const std::string& path, std::string_view code) {
  ::unlink(path.c_str());
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return fail(Status::io, "cannot create " + path + ": " + std::strerror(errno));
  const auto line = std::string(code) + "\n";
  const bool good = ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!good) return fail(Status::io, "cannot write " + path);
  return {};
}

Result<void> check_code(Context& context, std::string_view code) {
  MCPT_TRY(const auto users, context.tx.list("user"));
  MCPT_TRY(const auto expected, context.tx.setting(kSetting));
  if (!users.empty() || !expected)
    return fail(Error(Status::conflict, "this server has its first user already")
                    .with_code("already_bootstrapped")
                    .with_hint("log in: mcpctl login"));
  if (crypto::equal(*expected, digest_text(code))) return {};
  return fail(Error(Status::denied, "the bootstrap code is wrong")
                  .with_code("bad_bootstrap_code")
                  .with_http(403)
                  .with_hint("the code is in the file bootstrap-code of the data directory"));
}

Value administrator_doc(const std::string& name, const std::string& user_id) {
  std::vector<Value> bindings;
  for (auto role : {rbac::Role::edit, rbac::Role::run}) {
    rbac::Binding all;
    all.role = role;
    bindings.push_back(rbac::to_json(all));
  }
  for (int i = 0; i <= static_cast<int>(rbac::Operation::escalate); i++) {
    rbac::Binding operation;
    operation.role = rbac::Role::run;
    operation.operation = static_cast<rbac::Operation>(i);
    bindings.push_back(rbac::to_json(operation));
  }
  Value subject = Value::object();
  subject.set("kind", text_value("User"));
  subject.set("name", text_value(user_id));
  Value doc = Value::object();
  doc.set("name", text_value(name));
  doc.set("description", text_value("The first user."));
  doc.set("subjects", Value::array({std::move(subject)}));
  doc.set("roleBindings", Value::array(std::move(bindings)));
  return doc;
}

Result<store::Object> insert_first_user(Context& context, const Value& user, const std::string& phc) {
  const auto& kind = *find_kind("user");
  store::NewObject fresh;
  fresh.kind = "user";
  fresh.name = user.text("email");
  MCPT_TRY(auto stored, to_stored(context.tx, kind, user));
  fresh.doc = std::move(stored.doc);
  MCPT_TRY(auto inserted, context.tx.insert(std::move(fresh)));
  MCPT_CHECK(context.tx.set_password(inserted.id, phc));
  store::NewObject definition;
  definition.kind = "rbac";
  definition.name = "administrators";
  definition.doc = json::to_text(administrator_doc(definition.name, inserted.id));
  definition.refs.push_back({"subjects", inserted.id, store::OnDelete::unlink});
  MCPT_CHECK(context.tx.insert(std::move(definition)));
  return inserted;
}

}  // namespace

std::string Control::bootstrap_path() const { return settings_.data_dir + "/bootstrap-code"; }

Result<std::optional<std::string>> Control::prepare_bootstrap(store::Tx& tx) const {
  const auto path = bootstrap_path();
  MCPT_TRY(const auto users, tx.list("user"));
  if (!users.empty()) {
    ::unlink(path.c_str());
    return std::nullopt;
  }
  MCPT_TRY(const auto kept, read_code(path));
  MCPT_TRY(const auto expected, tx.setting(kSetting));
  if (expected && !kept.empty() && *expected == digest_text(kept)) return path;
  std::array<uint8_t, 16> bytes{};
  MCPT_CHECK(crypto::random_bytes(bytes));
  const auto code = to_hex(bytes);
  MCPT_CHECK(tx.set_setting(kSetting, digest_text(code)));
  MCPT_CHECK(write_code(path, code));
  return path;
}

loop::Task<Result<Response>> bootstrap(Control& control, Runner& runner) {
  MCPT_CO_CHECK(check_query(runner.request(), {}));
  MCPT_CO_TRY(const auto input, parse_body(runner.request()));
  MCPT_CO_TRY(const auto body, check_members(input, {"email", "password", "code"}, {"name"}));
  Value wanted = body;
  wanted.erase("code");
  MCPT_CO_TRY(const auto user, check(*find_kind("user"), wanted, Mode::create, nullptr));
  const Route& route = runner.route();
  const auto code = std::make_shared<crypto::Secret>(body.text("code"));
  auto judge = runner.in_transaction([code, &route](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    MCPT_CHECK(check_code(context, code->reveal()));
    return Response();
  });
  MCPT_CO_CHECK(co_await judge);
  auto hashing = runner.off_loop(
      [password = crypto::Secret(user.text("password"))] { return crypto::hash_password(password.reveal()); });
  MCPT_CO_TRY(const auto phc, co_await hashing);
  auto write = runner.in_transaction([code, user, phc, &route](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    MCPT_CHECK(check_code(context, code->reveal()));
    MCPT_CHECK(context.tx.remove_setting(kSetting));
    MCPT_TRY(const auto inserted, insert_first_user(context, user, phc));
    MCPT_TRY(const auto out, begin_session(context, inserted));
    MCPT_CHECK(record_changes(context));
    return answer(201, out);
  });
  MCPT_CO_TRY(auto response, co_await write);
  ::unlink(control.bootstrap_path().c_str());  // of no use any more; also removed at the next start
  co_return response;
}

}  // namespace mcptoken::control
