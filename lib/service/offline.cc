#include "service/offline.h"

#include <filesystem>

#include "audit/chain.h"
#include "control/control.h"
#include "control/event_json.h"
#include "control/rules.h"
#include "store/directory.h"
#include "store/store.h"

namespace mcptoken::service {
namespace {

constexpr int64_t kVerifyStep = 10'000;

Result<void> need_database(const std::string& data_dir) {
  std::error_code ignored;
  if (std::filesystem::exists(store::database_path(data_dir), ignored)) return {};
  return fail(Error(Status::not_found, "there is no database in " + data_dir).with_hint("name the data directory: --data-dir"));
}

Result<control::Keys> open_keys(const std::string& data_dir, const std::string& key_file) {
  control::KeyOptions options;
  options.data_dir = data_dir;
  options.key_file = key_file;
  options.database_exists = true;  // none is made
  return control::Keys::open(options);
}

// The record is examined as it is, so it must be one that this build could have written.
Result<void> need_this_schema(db::Connection& connection) {
  MCPT_TRY(const int there, db::schema_version(connection, "audit"));
  const auto newest = static_cast<int>(audit::schema().migrations.size());
  if (there == newest) return {};
  const auto what =
      "the audit record has schema " + std::to_string(there) + ", this build examines schema " + std::to_string(newest);
  return fail(Error(Status::not_supported, what)
                  .with_hint(there > newest
                                 ? "use the build that wrote it, or a newer one"
                                 : "use the build that wrote it, or start mcpd once, which brings it up to date"));
}

}  // namespace

Result<void> reset_password(const std::string& data_dir, const std::string& key_file, const std::string& email,
                            const crypto::Secret& password) {
  MCPT_CHECK(crypto::init());
  auto good = control::password_rule(json::Value::string(std::string(password.reveal())));
  if (!good) return fail(std::move(good).error().in("password"));
  MCPT_CHECK(need_database(data_dir));
  MCPT_TRY(const auto keys, open_keys(data_dir, key_file));
  store::Options options(data_dir);
  options.schemas = {audit::schema()};
  MCPT_TRY(auto store, store::Store::open(std::move(options)));
  MCPT_TRY(const auto phc, crypto::hash_password(password.reveal()));
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::system;
  auto done = store->run_and_wait(who, [&](store::Tx& tx) -> Result<void> {
    MCPT_CHECK(control::check_key(tx, keys));
    MCPT_CHECK(audit::disown(tx.db()));
    MCPT_CHECK(control::recover_password(tx, email, phc));
    return audit::seal(tx.db(), keys.audit());
  });
  store->close();
  if (!done) return fail(std::move(done).error());
  return {};
}

// Without the store, which would bring an older database up to date: what is examined stays as it is.
Result<std::string> verify_audit(const std::string& data_dir, const std::string& key_file, const std::string& expected_head) {
  MCPT_CHECK(crypto::init());
  const auto expected = audit::head_of(expected_head);
  if (!expected && !expected_head.empty())
    return fail(Status::invalid, "the expected head must be SEQ:HASH as an earlier verification told it");
  MCPT_CHECK(need_database(data_dir));
  store::DirectoryLock lock;
  MCPT_CHECK(lock.acquire(data_dir));
  MCPT_TRY(const auto keys, open_keys(data_dir, key_file));
  MCPT_TRY(auto connection, db::Connection::open(db::OpenOptions(store::database_path(data_dir))));
  MCPT_CHECK(need_this_schema(*connection));
  MCPT_TRY(auto transaction, db::Transaction::begin(*connection, db::Transaction::Mode::read));
  audit::Verification found;
  while (!found.done)
    MCPT_CHECK(audit::verify(transaction, keys.audit(), expected, kVerifyStep, found));
  return json::to_text(control::verification_json(found));
}

}  // namespace mcptoken::service
