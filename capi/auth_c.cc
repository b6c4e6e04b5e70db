#include "mcptoken/auth.h"

#include <limits>

#include "base/time_text.h"
#include "capi/handles.h"
#include "capi/rights_handle.h"

using namespace mcptoken;
using namespace mcptoken::capi;

struct mcptoken_identity {
  std::string token_name, token_sha, project, owner;
  int64_t expires_ms = std::numeric_limits<int64_t>::max();
  std::unique_ptr<mcptoken_rights> rights;
};

namespace {

// With the project, whose settings say what viewing a server implies.
constexpr char kPath[] = "/api/v1/mcptokens/introspect?project=true";

struct Release {
  void operator()(mcptoken_bytes* bytes) const { mcptoken_bytes_free(bytes); }
  void operator()(mcptoken_error* error) const { mcptoken_error_free(error); }
};

Result<std::string> introspect(mcptoken_client* client) {
  mcptoken_bytes* bytes = nullptr;
  mcptoken_error* error = nullptr;
  const mcptoken_status status = mcptoken_client_call(client, "GET", kPath, nullptr, 0, &bytes, &error);
  const std::unique_ptr<mcptoken_bytes, Release> answer(bytes);
  const std::unique_ptr<mcptoken_error, Release> failed(error);
  if (status != MCPTOKEN_OK) return fail(Error(failed->error));
  return answer->data;
}

Error unreadable(const char* what) {
  return {Status::protocol, std::string("introspection without a readable ") + what};
}

Result<std::unique_ptr<mcptoken_identity>> read(const std::string& text) {
  auto answer = json::parse(text);
  if (!answer) return fail(unreadable("answer"));
  auto out = std::make_unique<mcptoken_identity>();
  out->token_name = answer->text("tokenName");
  out->token_sha = answer->text("tokenSha");
  out->project = answer->text("projectName");
  out->owner = answer->text("owner");
  if (out->token_name.empty() || out->token_sha.empty() || out->project.empty()) return fail(unreadable("name"));
  if (const json::Value* expires = answer->find("expiresAt")) {
    const auto ms = expires->as_string() ? from_iso8601(*expires->as_string()) : std::nullopt;
    if (!ms) return fail(unreadable("expiresAt"));
    out->expires_ms = *ms;
  }
  const json::Value* permissions = answer->find("permissions");
  const json::Value* project = answer->find("project");
  const bool run = project && project->text("toolGrant") == "run";
  if (!permissions) return fail(unreadable("list of permissions"));
  auto rights = make_rights(*permissions, run ? rbac::ToolGrant::run : rbac::ToolGrant::view);
  if (!rights) return fail(unreadable("list of permissions"));
  out->rights = std::move(*rights);
  return out;
}

}  // namespace

extern "C" {

mcptoken_status mcptoken_auth_verify(mcptoken_client* client, mcptoken_identity** identity_out,
                                     mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(identity_out);
    MCPT_CHECK(require(client, "client"));
    MCPT_CHECK(require(identity_out, "identity_out"));
    MCPT_TRY(auto text, introspect(client));
    MCPT_TRY(auto identity, read(text));
    *identity_out = identity.release();
    return {};
  });
}

const char* mcptoken_identity_token_name(const mcptoken_identity* identity) {
  return identity ? identity->token_name.c_str() : "";
}
const char* mcptoken_identity_token_sha(const mcptoken_identity* identity) {
  return identity ? identity->token_sha.c_str() : "";
}
const char* mcptoken_identity_project(const mcptoken_identity* identity) {
  return identity ? identity->project.c_str() : "";
}
const char* mcptoken_identity_owner(const mcptoken_identity* identity) {
  return identity ? identity->owner.c_str() : "";
}
int64_t mcptoken_identity_expires_ms(const mcptoken_identity* identity) { return identity ? identity->expires_ms : 0; }
const mcptoken_rights* mcptoken_identity_rights(const mcptoken_identity* identity) {
  return identity ? identity->rights.get() : nullptr;
}
void mcptoken_identity_free(mcptoken_identity* identity) { delete identity; }

}  // extern "C"
