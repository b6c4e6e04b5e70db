#include "service/snapshot.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "control/models.h"
#include "gateway/plugins/model.h"
#include "json/value.h"

namespace mcptoken::service {
namespace {

using gateway::ServerSpec;
using json::Value;

std::vector<std::string> strings_of(const Value* list) {
  std::vector<std::string> out;
  if (!list) return out;
  for (const Value& item : list->items()) {
    if (auto* text = item.as_string()) out.push_back(*text);
  }
  return out;
}

// Package and image servers are stdio servers underneath; `command` holds their arguments.
std::vector<std::string> command_of(const Value& doc) {
  auto command = strings_of(doc.find("command"));
  std::string package = doc.text("packageName"), image = doc.text("dockerImage");
  if (!package.empty()) {
    size_t at = package.rfind('@');
    bool python = doc.text("runtime") == "python";
    std::vector<std::string> run = {"npx", "-y", package};
    if (python) run = {"uvx", package.substr(0, at) + (at == std::string::npos || at == 0 ? "" : "==" + package.substr(at + 1))};
    run.insert(run.end(), command.begin(), command.end());
    command = std::move(run);
  } else if (!image.empty()) {
    std::vector<std::string> run = {"docker", "run", "-i", "--rm"};
    if (const Value* env = doc.find("env")) {
      for (const Value& item : env->items()) run.insert(run.end(), {"-e", item.text("name")});
    }
    run.push_back(image);
    run.insert(run.end(), command.begin(), command.end());
    command = std::move(run);
  }
  return command;
}

Result<std::shared_ptr<const ServerSpec>> read_server(const store::Object& object, int64_t secrets_revision) {
  MCPT_TRY(auto doc, json::parse(object.doc));
  auto spec = std::make_shared<ServerSpec>();
  spec->id = object.id;
  spec->name = object.name;
  // A changed secret makes a connection stale like a changed definition does.
  spec->version = std::max(object.revision, secrets_revision);
  spec->url = doc.text("externalUrl");
  spec->transport = spec->url.empty()                 ? gateway::Transport::stdio
                    : doc.text("transport") == "SSE" ? gateway::Transport::sse
                                                     : gateway::Transport::http;
  if (spec->transport == gateway::Transport::stdio) spec->command = command_of(doc);
  if (const Value* flag = doc.find("allowPrivate")) spec->allow_private = flag->as_bool().value_or(false);
  if (const Value* flag = doc.find("pin")) spec->pin = flag->as_bool().value_or(false);
  if (const Value* replicas = doc.find("replicas")) spec->replicas = static_cast<int>(replicas->as_int().value_or(1));
  std::string share = doc.text("share", "project");
  spec->share = share == "installation" ? gateway::Share::installation
                : share == "principal"  ? gateway::Share::principal
                : share == "session"    ? gateway::Share::session
                                        : gateway::Share::project;
  if (const Value* timeouts = doc.find("timeouts")) {
    const std::pair<std::string_view, int64_t*> fields[] = {{"connectMs", &spec->connect_ms},
                                                            {"firstByteMs", &spec->first_byte_ms},
                                                            {"callMs", &spec->call_ms},
                                                            {"discoveryMs", &spec->discovery_ms}};
    for (auto& [name, value] : fields) {
      if (const Value* given = timeouts->find(name)) *value = given->as_int().value_or(*value);
    }
  }
  const Value* cache = doc.find("cache");
  if (const Value* tools = cache ? cache->find("tools") : nullptr) {
    for (const auto& [tool, seconds] : tools->members())
      spec->cache_ms[tool] = seconds.as_int().value_or(0) * 1000;
  }
  if (const Value* check = doc.find("healthCheck")) {
    auto number = [&](std::string_view name, int64_t otherwise) {
      const Value* given = check->find(name);
      return given ? given->as_int().value_or(otherwise) : otherwise;
    };
    spec->health.tool = check->text("tool");
    if (const Value* arguments = check->find("arguments")) spec->health.arguments = json::to_text(*arguments);
    spec->health.interval_ms = number("intervalSeconds", 60) * 1000;
    spec->health.timeout_ms = number("timeoutSeconds", 10) * 1000;
    spec->health.failure_threshold = static_cast<int>(number("failureThreshold", 3));
  }
  return std::shared_ptr<const ServerSpec>(std::move(spec));
}

// Ids of the secrets that a server's document refers to.
std::vector<std::string> secrets_of(const store::Object& server) {
  std::vector<std::string> out;
  auto doc = json::parse(server.doc);
  if (!doc) return out;
  for (std::string_view list : {"env", "headers"}) {
    const Value* entries = doc->find(list);
    if (!entries) continue;
    for (const Value& entry : entries->items()) {
      const Value* from = entry.find("valueFrom");
      const Value* ref = from ? from->find("secretRef") : nullptr;
      if (ref) out.push_back(ref->text("name"));
    }
  }
  return out;
}

Result<void> load_servers(store::Tx& tx, Snapshot& snapshot) {
  std::unordered_map<std::string, int64_t> secrets;
  MCPT_TRY(auto stored, tx.list("secret"));
  for (auto& secret : stored) secrets[secret.id] = secret.revision;
  auto servers = std::make_shared<gateway::Servers>();
  MCPT_TRY(auto objects, tx.list("server"));
  for (auto& object : objects) {
    int64_t newest = 0;
    for (auto& id : secrets_of(object)) {
      auto it = secrets.find(id);
      if (it != secrets.end()) newest = std::max(newest, it->second);
    }
    MCPT_TRY((*servers)[object.id], read_server(object, newest));
  }
  snapshot.servers = std::move(servers);
  return {};
}

// Compiled once for as long as no model changes: what a project says is the same object then.
class Models {
 public:
  Models(store::Tx& tx, Snapshot& snapshot)
      : tx_(tx), snapshot_(snapshot), models_(std::make_shared<Map>(snapshot.models ? *snapshot.models : Map())) {}
  ~Models() { snapshot_.models = std::move(models_); }

  gateway::ModelPtr of(const std::string& word) {
    auto [at, is_new] = models_->try_emplace(word);
    if (is_new) at->second = gateway::read_model(control::model_for_gateway(tx_, word, control::Where::here));
    return at->second;
  }

 private:
  using Map = std::unordered_map<std::string, gateway::ModelPtr>;
  store::Tx& tx_;
  Snapshot& snapshot_;
  std::shared_ptr<Map> models_;
};

std::shared_ptr<const gateway::Prompt> read_prompt(const store::Object& object, const Value& doc, const Snapshot& snapshot) {
  auto prompt = std::make_shared<gateway::Prompt>();
  prompt->id = object.id;
  prompt->name = object.name;
  prompt->content = doc.text("content");
  if (const Value* priority = doc.find("priority")) prompt->priority = priority->as_int().value_or(prompt->priority);
  prompt->summary = doc.text("summary");
  prompt->chapters = strings_of(doc.find("chapters"));
  gateway::complete_prompt(*prompt);
  gateway::read_link(doc.text("linkTarget"), *prompt);
  for (auto& [id, server] : *snapshot.servers) {
    if (!prompt->link_server.empty() && server->name == prompt->link_server) prompt->linked = server;
  }
  return prompt;
}

Result<void> load_prompts(store::Tx& tx, Snapshot& snapshot) {
  std::unordered_map<std::string, gateway::Prompts> found;
  MCPT_TRY(auto objects, tx.list("prompt"));
  for (auto& object : objects) {
    MCPT_TRY(auto doc, json::parse(object.doc));
    found[object.project_id].push_back(read_prompt(object, doc, snapshot));
  }
  auto prompts = std::make_shared<std::unordered_map<std::string, gateway::PromptsPtr>>();
  for (auto& [project, list] : found)
    prompts->emplace(project, std::make_shared<const gateway::Prompts>(std::move(list)));
  snapshot.prompts = std::move(prompts);
  MCPT_TRY(auto replaced, control::replaced_texts(tx));
  replaced.merge(control::default_texts());
  snapshot.texts = std::make_shared<const control::SystemTexts>(std::move(replaced));
  return {};
}

std::shared_ptr<const gateway::LlmSpec> read_llm(const Value* doc) {
  if (!doc) return nullptr;
  auto llm = std::make_shared<gateway::LlmSpec>();
  llm->base_url = doc->text("baseUrl");
  llm->model = doc->text("model");
  llm->tier = doc->text("tier");
  if (const Value* timeout = doc->find("timeoutMs")) llm->timeout_ms = timeout->as_int().value_or(0);
  if (const Value* most = doc->find("maxTokens")) llm->max_tokens = most->as_int().value_or(0);
  llm->has_key = doc->find("apiKeySecret") != nullptr;
  return llm;
}

Result<void> load_projects(store::Tx& tx, Snapshot& snapshot) {
  Models models(tx, snapshot);
  auto projects = std::make_shared<std::unordered_map<std::string, std::shared_ptr<const gateway::ProjectView>>>();
  MCPT_TRY(auto objects, tx.list("project"));
  for (auto& object : objects) {
    MCPT_TRY(auto doc, json::parse(object.doc));
    auto view = std::make_shared<gateway::ProjectView>();
    view->id = object.id;
    view->name = object.name;
    view->revision = object.revision;
    view->instructions = doc.text("prompt");
    view->separator = doc.text("separator", "__");
    view->policy = snapshot.policy;
    view->model = models.of(doc.text("proxyModel", "none"));
    view->llm = read_llm(doc.find("llm"));
    view->system = snapshot.texts;
    if (auto prompts = snapshot.prompts->find(object.id); prompts != snapshot.prompts->end()) {
      view->prompts = prompts->second;
      view->has_prompts = !view->prompts->empty();
    }
    if (const Value* attached = doc.find("servers")) {
      for (const Value& item : attached->items()) {
        auto server = snapshot.servers->find(item.text("server"));
        if (server == snapshot.servers->end()) continue;
        gateway::Attachment attachment;
        attachment.server = server->second;
        attachment.prefix = item.text("prefix", server->second->name);
        if (const Value* model = item.find("proxyModel")) {
          attachment.overrides = true;
          attachment.model = models.of(*model->as_string());
        }
        view->attachments.push_back(std::move(attachment));
      }
    }
    projects->emplace(object.id, std::move(view));
  }
  snapshot.projects = std::move(projects);
  return {};
}

Result<void> load_users(store::Tx& tx, Snapshot& snapshot) {
  auto users = std::make_shared<std::unordered_map<std::string, UserEntry>>();
  MCPT_TRY(auto objects, tx.list("user"));
  for (auto& object : objects) {
    MCPT_TRY(auto doc, json::parse(object.doc));
    UserEntry entry;
    entry.email = object.name;
    if (const Value* flag = doc.find("disabled")) entry.disabled = flag->as_bool().value_or(false);
    users->emplace(object.id, std::move(entry));
  }
  snapshot.users = std::move(users);
  return {};
}

SessionEntry entry_of(const store::SessionRecord& session) {
  SessionEntry entry;
  entry.id = session.id;
  entry.user_id = session.user_id;
  entry.created_ms = session.created_ms;
  entry.last_used_ms = session.last_used_ms;
  return entry;
}

}  // namespace

size_t DigestHash::operator()(const crypto::Digest& digest) const {
  size_t value;
  std::memcpy(&value, digest.data(), sizeof value);
  return value;
}

PrincipalPtr principal_of(const Snapshot& snapshot, const TokenEntry& token) {
  if (auto kept = token.principal()) return kept;
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::token;
  who.user_id = token.owner_id();
  if (auto owner = snapshot.users->find(who.user_id); owner != snapshot.users->end()) who.user_email = owner->second.email;
  who.token_id = token.id();
  who.token_name = token.name();
  who.token_sha = to_hex(token.sha());
  who.project_id = token.project_id();
  if (auto project = snapshot.projects->find(who.project_id); project != snapshot.projects->end()) who.project = project->second->name;
  return token.keep(std::move(who));
}

Result<SnapshotPtr> load_snapshot(store::Tx& tx, const control::Control& control) {
  auto next = std::make_shared<Snapshot>();
  MCPT_TRY(next->revision, tx.revision());
  MCPT_CHECK(load_users(tx, *next));
  MCPT_TRY(auto policy, control.load_policy(tx));
  next->policy = std::make_shared<const rbac::Policy>(std::move(policy));
  MCPT_CHECK(load_servers(tx, *next));
  MCPT_CHECK(load_prompts(tx, *next));
  MCPT_CHECK(load_projects(tx, *next));
  TokenTable::Loader tokens;
  MCPT_CHECK(tx.for_each_token([&](const store::TokenFacts& token) -> Result<void> {
    tokens.add(token);
    return {};
  }));
  next->tokens = tokens.finish();
  auto sessions = std::make_shared<std::unordered_map<crypto::Digest, SessionEntry, DigestHash>>();
  MCPT_CHECK(tx.for_each_session([&](const store::SessionRecord& session) -> Result<void> {
    sessions->emplace(session.sha, entry_of(session));
    return {};
  }));
  next->sessions = std::move(sessions);
  next->changes = std::make_shared<const ChangeLog>(next->revision);
  auto history = std::make_shared<History>();
  history->after = next->revision;
  next->history = std::move(history);
  return SnapshotPtr(std::move(next));
}

Result<SnapshotPtr> advance_snapshot(SnapshotPtr before, store::Tx& tx, const control::Control& control) {
  const store::Changes& changes = tx.changes();
  bool users = changes.touches("user");
  bool rights = users || changes.touches("rbac") || changes.touches("group") || !changes.tokens.empty();
  bool servers = changes.touches("server") || changes.touches("secret");
  bool models = changes.touches("proxymodel");
  bool prompts = servers || changes.touches("prompt") || changes.touches("project");
  bool projects = rights || servers || models || prompts;
  if (changes.objects.empty() && changes.tokens.empty() && changes.sessions.empty()) return before;
  auto next = std::make_shared<Snapshot>(*before);
  MCPT_TRY(next->revision, tx.revision());
  if (users) MCPT_CHECK(load_users(tx, *next));
  if (rights) {
    MCPT_TRY(auto policy, control.load_policy(tx));
    next->policy = std::make_shared<const rbac::Policy>(std::move(policy));
  }
  if (servers) MCPT_CHECK(load_servers(tx, *next));
  if (models) next->models.reset();
  if (prompts) MCPT_CHECK(load_prompts(tx, *next));
  if (projects) MCPT_CHECK(load_projects(tx, *next));
  for (auto& change : changes.tokens) {
    if (change.op == store::Op::removed) next->tokens.remove(change.record.sha);
    else next->tokens.put(change.record.facts());
  }
  if (!changes.sessions.empty()) {
    auto sessions = std::make_shared<std::unordered_map<crypto::Digest, SessionEntry, DigestHash>>(*before->sessions);
    for (auto& change : changes.sessions) {
      if (change.op == store::Op::removed) sessions->erase(change.record.sha);
      else (*sessions)[change.record.sha] = entry_of(change.record);
    }
    next->sessions = std::move(sessions);
  }
  if (!changes.objects.empty()) next->history = advance_history(*before->history, changes, *next, *before);
  if (auto changed = changed_tokens(*before, *next, changes, control.keys()); !changed.empty()) {
    auto log = std::make_shared<ChangeLog>(*before->changes);
    log->append(next->revision, std::move(changed));
    next->changes = std::move(log);
  }
  return SnapshotPtr(std::move(next));
}

SnapshotPtr with_session_used(SnapshotPtr before, const crypto::Digest& sha, int64_t used_ms) {
  auto found = before->sessions->find(sha);
  if (found == before->sessions->end() || found->second.last_used_ms >= used_ms) return before;
  auto sessions = std::make_shared<std::unordered_map<crypto::Digest, SessionEntry, DigestHash>>(*before->sessions);
  (*sessions)[sha].last_used_ms = used_ms;
  auto next = std::make_shared<Snapshot>(*before);
  next->sessions = std::move(sessions);
  return next;
}

}  // namespace mcptoken::service
