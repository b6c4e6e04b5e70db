#include "service/introspection.h"

#include <cstring>

#include "base/bytes.h"
#include "base/time_text.h"
#include "control/system_prompts.h"
#include "gateway/plugins/model.h"
#include "rbac/json.h"

namespace mcptoken::service {
namespace {

using json::Value;

Error unreadable(std::string_view what) {
  return Error(Status::protocol, "the control plane's introspection has no usable " + std::string(what));
}

// Rights and project in one number: what was fetched for other rights is not used again.
int64_t version_of(const Value& permissions, const Value& project) {
  auto digest = crypto::sha256(json::to_text(permissions) + json::to_text(project));
  int64_t version;
  std::memcpy(&version, digest.data(), sizeof version);
  return version;
}

// The effective rights as the bindings of one definition: no ceiling is left to apply.
Result<std::shared_ptr<const rbac::Policy>> policy_of(const Value& permissions, const Value& project,
                                                      const std::string& sha_hex) {
  rbac::Definition definition;
  definition.id = definition.name = "introspection";
  definition.subjects.push_back({rbac::SubjectKind::mcp_token, sha_hex});
  for (const Value& item : permissions.items()) {
    MCPT_TRY(auto binding, rbac::binding_from_json(item));
    definition.bindings.push_back(std::move(binding));
  }
  auto grant = project.text("toolGrant") == "run" ? rbac::ToolGrant::run : rbac::ToolGrant::view;
  return std::make_shared<const rbac::Policy>(std::vector{std::move(definition)}, std::vector<rbac::Group>(),
                                              rbac::Ceiling::mint, grant);
}

std::shared_ptr<const control::SystemTexts> read_texts(const Value* replaced) {
  static const auto defaults = std::make_shared<const control::SystemTexts>(control::default_texts());
  if (!replaced) return defaults;
  control::SystemTexts texts;
  for (auto& [name, text] : replaced->members()) {
    if (text.as_string()) texts.emplace(name, *text.as_string());
  }
  texts.merge(control::SystemTexts(*defaults));
  return std::make_shared<const control::SystemTexts>(std::move(texts));
}

Result<void> read_servers(const Value& project, const PlaneAddress& plane, int64_t version,
                          gateway::ProjectView& view) {
  const Value* servers = project.find("servers");
  if (!servers || !servers->is(json::Type::array)) return fail(unreadable("list of servers"));
  for (const Value& item : servers->items()) {
    auto spec = std::make_shared<gateway::ServerSpec>();
    spec->name = item.text("name");
    if (!is_name(spec->name)) return fail(unreadable("name of a server"));
    spec->id = view.id + "/" + spec->name;
    spec->version = version;
    spec->transport = gateway::Transport::http;
    spec->url = plane.at("/api/v1/projects/" + view.name + "/servers/" + spec->name + "/mcp").text();
    spec->allow_private = true;
    spec->share = gateway::Share::principal;
    spec->relayed = true;
    if (const Value* call = item.find("callMs")) spec->call_ms = call->as_int().value_or(spec->call_ms);
    if (const Value* lists = item.find("discoveryMs")) spec->discovery_ms = lists->as_int().value_or(spec->discovery_ms);
    gateway::Attachment attachment;
    attachment.server = std::move(spec);
    attachment.prefix = item.text("prefix");
    if (const Value* model = item.find("model")) {
      attachment.overrides = true;
      attachment.model = gateway::read_model(*model);
    }
    view.attachments.push_back(std::move(attachment));
  }
  return {};
}

}  // namespace

Result<Introspection> read_introspection(const Value& answer, const PlaneAddress& plane, const std::string& sha_hex) {
  const Value* ok = answer.find("ok");
  const Value* permissions = answer.find("permissions");
  const Value* project = answer.find("project");
  if (!ok || !ok->as_bool().value_or(false)) return fail(unreadable("verdict"));
  if (answer.text("tokenSha") != sha_hex) return fail(unreadable("token: it is about another one"));
  if (!permissions || !permissions->is(json::Type::array)) return fail(unreadable("permissions"));
  if (!project || project->text("id").empty() || !is_name(project->text("name"))) return fail(unreadable("project"));
  Introspection out;
  auto view = std::make_shared<gateway::ProjectView>();
  view->id = project->text("id");
  view->name = project->text("name");
  view->instructions = project->text("prompt");
  view->separator = project->text("separator", "__");
  view->prompts_version = project->text("promptsVersion");
  view->has_prompts = !view->prompts_version.empty();
  view->system = read_texts(project->find("texts"));
  if (const Value* model = project->find("model")) view->model = gateway::read_model(*model);
  if (const Value* hides = project->find("hidesServers")) view->hides_servers = hides->as_bool().value_or(false);
  MCPT_CHECK(read_servers(*project, plane, version_of(*permissions, *project), *view));
  MCPT_TRY(view->policy, policy_of(*permissions, *project, sha_hex));
  auto who = std::make_shared<rbac::Principal>();
  who->kind = rbac::PrincipalKind::token;
  who->user_email = answer.text("owner");
  who->token_name = answer.text("tokenName");
  who->token_sha = sha_hex;
  who->project_id = view->id;
  who->project = view->name;
  if (const Value* expiry = answer.find("expiresAt")) {
    auto at = expiry->as_string() ? from_iso8601(*expiry->as_string()) : std::nullopt;
    if (!at) return fail(unreadable("expiry"));
    out.verdict.expires_ms = *at;
  }
  if (const Value* revision = answer.find("revision")) out.verdict.revision = revision->as_int().value_or(0);
  view->revision = out.verdict.revision;
  out.verdict.who = std::move(who);
  out.verdict.project = std::move(view);
  out.verdict.watch_id = answer.text("watchId");
  out.watch_ticket = crypto::Secret(answer.text("watchTicket"));
  return out;
}

}  // namespace mcptoken::service
