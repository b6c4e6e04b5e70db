#include "control/vault.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "control/kind.h"
#include "control/rules.h"
#include "json/writer.h"

namespace mcptoken::control {
namespace {

using json::Value;

constexpr std::string_view kCiphers[] = {"xchacha20-poly1305"};
constexpr std::string_view kDerivations[] = {"argon2id"};
constexpr std::string_view kAssociated = "mcptoken backup 1";
constexpr auto kRequired = Shape::required;
constexpr auto kMost = static_cast<int64_t>(limits::kRestoreBytes);

// clang-format off
constexpr Field kSealedFields[] = {
    {.name = "cipher", .type = Type::enumeration, .shape = kRequired, .values = kCiphers},
    {.name = "derivation", .type = Type::enumeration, .shape = kRequired, .values = kDerivations},
    {.name = "passes", .type = Type::integer, .shape = kRequired, .min = 1, .max = 16},
    {.name = "memoryKiB", .type = Type::integer, .shape = kRequired, .min = 8 * 1024, .max = 256 * 1024},
    {.name = "salt", .type = Type::string, .shape = kRequired, .max = 64},
    {.name = "data", .type = Type::string, .shape = kRequired, .max = kMost},
};
constexpr Field kValue{.name = "value", .type = Type::secret, .max = kMost};
constexpr Field kSecretFields[] = {
    {.name = "name", .type = Type::string, .shape = kRequired, .max = limits::kNameBytes},
    {.name = "data", .type = Type::map, .shape = kRequired, .max = kMost, .item = &kValue},
};
constexpr Field kPasswordFields[] = {
    {.name = "email", .type = Type::string, .shape = kRequired, .max = 254},
    {.name = "hash", .type = Type::secret, .shape = kRequired, .max = 256},
};
constexpr Field kVaultFields[] = {
    {.name = "digest", .type = Type::string, .shape = kRequired, .max = 64},
    {.name = "secrets", .type = Type::list, .shape = kRequired, .max = kMost, .fields = kSecretFields},
    {.name = "passwords", .type = Type::list, .shape = kRequired, .max = kMost, .fields = kPasswordFields},
};
// clang-format on

std::string digest_of(const Value& rest) { return to_hex(crypto::sha256(json::to_text(rest))); }

// Wiped on the way out.
struct Plain {
  std::string text;
  ~Plain() { crypto::wipe(text.data(), text.size()); }
};

// The text never moves while it grows: a left-over copy would hold secrets.
size_t bound(const Vault& vault) {
  constexpr size_t kFrame = 64, kEscape = 6;
  size_t bytes = 1024;
  for (const auto& [name, data] : vault.secrets) {
    bytes += kFrame + name.size();
    for (const auto& [key, value] : data)
      bytes += kFrame + key.size() + kEscape * value.size();
  }
  for (const auto& [email, hash] : vault.passwords)
    bytes += kFrame + kEscape * (email.size() + hash.size());
  return bytes;
}

void write_vault(const Vault& vault, std::string_view digest, std::string& out) {
  out.reserve(bound(vault));
  json::Writer writer(out);
  writer.begin_object().member("digest", digest).key("secrets").begin_array();
  for (const auto& [name, data] : vault.secrets) {
    writer.begin_object().member("name", name).key("data").begin_object();
    for (const auto& [key, value] : data)
      writer.member(key, value.reveal());
    writer.end_object().end_object();
  }
  writer.end_array().key("passwords").begin_array();
  for (const auto& [email, hash] : vault.passwords)
    writer.begin_object().member("email", email).member("hash", hash).end_object();
  writer.end_array().end_object();
}

}  // namespace

loop::Task<Result<void>> derive(Runner& runner, std::shared_ptr<VaultKey> key, crypto::Secret password) {
  auto work = runner.off_loop([key, secret = std::move(password)]() -> Result<std::string> {
    MCPT_TRY(key->key, crypto::password_key(secret.reveal(), key->salt, key->cost));
    return std::string();
  });
  MCPT_CO_CHECK(co_await work);
  co_return Result<void>();
}

Result<Value> seal_vault(const Vault& vault, const VaultKey& key, const Value& rest) {
  Plain plain;
  write_vault(vault, digest_of(rest), plain.text);
  MCPT_TRY(const auto data, crypto::seal(key.key, plain.text, kAssociated));
  Value out = Value::object();
  out.set("cipher", Value::string(std::string(kCiphers[0])));
  out.set("derivation", Value::string(std::string(kDerivations[0])));
  out.set("passes", Value::integer(key.cost.passes));
  out.set("memoryKiB", Value::integer(key.cost.memory_kib));
  out.set("salt", Value::string(to_base64url(as_text(key.salt))));
  out.set("data", Value::string(to_base64url(data)));
  return out;
}

Result<std::shared_ptr<VaultKey>> read_lock(const Value& sealed) {
  MCPT_TRY(const auto checked, check_fields(kSealedFields, sealed, "backup.sealed"));
  auto key = std::make_shared<VaultKey>();
  const auto salt = from_base64url(checked.text("salt"));
  if (!salt || salt->size() != key->salt.size()) return fail(Status::invalid, "backup.sealed.salt: is damaged");
  std::copy(salt->begin(), salt->end(), key->salt.begin());
  key->cost.passes = *checked.find("passes")->as_int();
  key->cost.memory_kib = *checked.find("memoryKiB")->as_int();
  return key;
}

Result<Vault> open_vault(const Value& sealed, const VaultKey& key, const Value& rest) {
  const auto data = from_base64url(sealed.text("data"));
  if (!data) return fail(Status::invalid, "backup.sealed.data: is damaged");
  auto opened = crypto::open(key.key, *data, kAssociated);
  if (!opened)
    return fail(Error(Status::invalid, "password: is not that of the backup, or its sealed part was changed")
                    .with_code("wrong_password"));
  Plain plain{*std::move(opened)};
  json::ReadLimits limits;
  limits.bytes = limits::kRestoreBytes;
  MCPT_TRY(const auto parsed, json::parse(plain.text, limits));
  MCPT_TRY(const auto content, check_fields(kVaultFields, parsed, "backup.sealed"));
  if (content.text("digest") != digest_of(rest))
    return fail(Error(Status::invalid, "backup: was changed after it was made")
                    .with_hint("restore the file as it was written; a backup without a password may be edited"));
  Vault vault;
  for (const auto& secret : content.find("secrets")->items()) {
    auto& values = vault.secrets[secret.text("name")];
    for (const auto& [name, value] : secret.find("data")->members())
      values.insert_or_assign(name, crypto::Secret(*value.as_string()));
  }
  for (const auto& password : content.find("passwords")->items())
    vault.passwords[password.text("email")] = password.text("hash");
  return vault;
}

}  // namespace mcptoken::control
