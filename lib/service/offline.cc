#include "service/offline.h"

#include <filesystem>

#include "audit/event.h"
#include "control/control.h"
#include "control/rules.h"
#include "store/directory.h"
#include "store/store.h"

namespace mcptoken::service {

Result<void> reset_password(const std::string& data_dir, const std::string& email, const crypto::Secret& password) {
  MCPT_CHECK(crypto::init());
  auto good = control::password_rule(json::Value::string(std::string(password.reveal())));
  if (!good) return fail(std::move(good).error().in("password"));
  std::error_code ignored;
  if (!std::filesystem::exists(store::database_path(data_dir), ignored)) {
    return fail(Error(Status::not_found, "there is no database in " + data_dir).with_hint("name the data directory: --data-dir"));
  }
  store::Options options(data_dir);
  options.schemas = {audit::schema()};
  MCPT_TRY(auto store, store::Store::open(std::move(options)));
  MCPT_TRY(const auto phc, crypto::hash_password(password.reveal()));
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::system;
  auto done = store->run_and_wait(who, [&](store::Tx& tx) { return control::recover_password(tx, email, phc); });
  store->close();
  if (!done) return fail(std::move(done).error());
  return {};
}

}  // namespace mcptoken::service
