// What people read about one object: the object, and what the control plane knows around it. Nothing is told here that
// the caller could not ask for elsewhere.
#include "control/describe.h"

#include <algorithm>

#include "control/handlers.h"
#include "control/objects.h"
#include "control/rights.h"
#include "control/token_objects.h"
#include "control/tool_prints.h"
#include "rbac/json.h"

namespace mcptoken::control {

using json::Value;
using rbac::Action;
using rbac::Resource;

bool may_view(const Context& context, Resource resource, const std::string& name) {
  return require(context, Action::view, resource, name).has_value();
}

Value texts(const std::vector<std::string>& words) {
  std::vector<Value> items;
  for (const auto& word : words)
    items.push_back(text_value(word));
  return Value::array(std::move(items));
}

std::optional<std::set<std::string>> tools_of(const std::vector<Instance>& instances, const std::string& server) {
  std::optional<std::set<std::string>> found;
  for (const auto& one : instances) {
    if (one.server != server || !one.tools) continue;
    if (!found) found.emplace();
    found->insert(one.tools->begin(), one.tools->end());
  }
  return found;
}

Result<std::vector<Grant>> visible_grants(Context& context) {
  MCPT_TRY(const auto definitions, context.tx.list("rbac"));
  std::vector<Grant> grants;
  for (const auto& definition : definitions) {
    if (!may_view(context, Resource::rbac, definition.name)) continue;
    MCPT_TRY(const auto doc, json::parse(definition.doc));
    Grant grant;
    grant.definition = definition.name;
    const auto* bindings = doc.find("roleBindings");
    for (const auto& binding : bindings ? bindings->items() : std::vector<Value>()) {
      MCPT_TRY(auto read, rbac::binding_from_json(binding));
      grant.bindings.push_back(std::move(read));
    }
    if (const auto* subjects = doc.find("subjects")) grant.subjects = subjects->items();
    grants.push_back(std::move(grant));
  }
  std::sort(grants.begin(), grants.end(), [](const Grant& a, const Grant& b) { return a.definition < b.definition; });
  return grants;
}

namespace {

// What is known of what runs.
struct Running {
  std::vector<Instance> instances;
  Links links;
};

struct Describing {
  Control& control;
  Context& context;
  const std::vector<Instance>& instances;
  const Links& links;
  const store::Object& object;
  const Value& wire;
};
using Describe = Result<void> (*)(const Describing& it, Value& out);

// --- servers

Value instances_of(const Describing& it, const std::string& server) {
  std::vector<Value> items;
  for (const auto& one : it.instances) {
    if (one.server == server) items.push_back(one.object);
  }
  return Value::array(std::move(items));
}

// What became of an instance that is in trouble.
std::string last_error(const std::vector<Instance>& instances, const std::string& server) {
  for (const auto& one : instances) {
    if (one.server != server || (one.object.text("status") != "ERROR" && one.object.text("health") != "unhealthy"))
      continue;
    const auto* events = one.object.find("events");
    if (events && !events->items().empty()) return events->items().back().text("text");
  }
  return {};
}

Result<Value> used_by(Context& context, const std::string& id) {
  MCPT_TRY(const auto referrers, context.tx.referrers(id));
  std::set<std::string> names;
  for (const auto& one : referrers) {
    MCPT_TRY(const auto object, context.tx.get(one.id));
    const auto* kind = find_kind(one.kind);
    MCPT_TRY(const auto scope, scope_name(context.tx, object));
    if (kind && may_view(context, kind->resource, scope)) names.insert(one.kind + "/" + scope);
  }
  return texts({names.begin(), names.end()});
}

Result<void> describe_server(const Describing& it, Value& out) {
  const auto& name = it.object.name;
  if (it.control.settings().server_status)
    out.set("status", text_value(it.control.settings().server_status(it.object.id)));
  const bool sees = may_view(it.context, Resource::instances, name);
  if (sees) out.set("instances", instances_of(it, name));
  if (const auto error = last_error(it.instances, name); sees && !error.empty())
    out.set("lastError", text_value(error));
  if (const auto tools = tools_of(it.instances, name)) out.set("tools", texts({tools->begin(), tools->end()}));
  MCPT_TRY(const auto waiting, unapproved_tools(it.context.tx, it.object.id));
  if (!waiting.empty()) out.set("unapprovedTools", texts(waiting));
  MCPT_TRY(auto users, used_by(it.context, it.object.id));
  out.set("usedBy", std::move(users));
  return {};
}

Result<void> describe_used(const Describing& it, Value& out) {
  MCPT_TRY(auto users, used_by(it.context, it.object.id));
  out.set("usedBy", std::move(users));
  return {};
}

// --- projects

// To a token what it may call of them, and nothing else.
Value attached(const Describing& it) {
  const bool all = it.context.who.kind == rbac::PrincipalKind::user;
  const auto& policy = it.context.policy;
  std::vector<Value> items;
  const auto* servers = it.wire.find("servers");
  for (const auto& attachment : servers ? servers->items() : std::vector<Value>()) {
    const auto name = attachment.text("server");
    if (!all && !policy.may_use_any_tool(it.context.who, name)) continue;
    Value item = Value::object();
    item.set("server", text_value(name));
    item.set("prefix", text_value(attachment.text("prefix", name)));
    const auto server = find_named(it.context.tx, *find_kind("server"), name);
    if (server && it.control.settings().server_status)
      item.set("status", text_value(it.control.settings().server_status(server->id)));
    if (const auto tools = tools_of(it.instances, name)) {
      const auto shown = std::count_if(tools->begin(), tools->end(), [&](const std::string& tool) {
        return all || policy.may_use_tool(it.context.who, name, tool);
      });
      item.set("tools", Value::integer(shown));
    }
    items.push_back(std::move(item));
  }
  return Value::array(std::move(items));
}

// People read these; all of something is what its list is for. What is cut off is counted.
constexpr size_t kDescribed = 200;

void cut_lists(Value& out) {
  std::string cut;
  for (auto& [name, value] : out.members()) {
    if (!value.is(json::Type::array) || value.items().size() <= kDescribed) continue;
    cut += (cut.empty() ? "" : "; ") + std::to_string(kDescribed) + " of " + std::to_string(value.items().size()) +
           " " + name;
    value.items().resize(kDescribed);
  }
  if (!cut.empty()) out.set("shown", text_value(cut));
}

Result<Value> tokens_where(const Describing& it, std::optional<std::string> project_id, const std::string& owner_id) {
  MCPT_TRY(const auto tokens, it.context.tx.list_tokens(std::move(project_id)));
  std::vector<Value> items;
  for (const auto& token : tokens) {
    const bool wanted = token.usable(it.context.tx.now_ms()) && (owner_id.empty() || token.owner_id == owner_id);
    const auto project = name_of(it.context.tx, token.project_id);
    const bool visible =
        owns(it.context, token) || may_view(it.context, Resource::mcptokens, token_scope(project, token.name));
    if (!wanted || !visible) continue;
    items.emplace_back();  // beyond what is shown it is counted alone
    if (items.size() <= kDescribed) {
      MCPT_TRY(items.back(), token_json(it.context, token, project));
    }
  }
  return Value::array(std::move(items));
}

Result<Value> owned_names(const Describing& it, const Kind& kind) {
  MCPT_TRY(const auto objects, it.context.tx.list(kind.name, it.object.id));
  std::vector<std::string> names;
  for (const auto& object : objects) {
    if (may_view(it.context, kind.resource, it.object.name + "/" + object.name)) names.push_back(object.name);
  }
  return texts(names);
}

Result<void> describe_project(const Describing& it, Value& out) {
  out.set("endpoint", text_value("/projects/" + it.object.name + "/mcp"));
  out.set("servers", attached(it));
  if (it.context.who.kind == rbac::PrincipalKind::user) {
    MCPT_TRY(auto tokens, tokens_where(it, it.object.id, ""));
    out.set("tokens", std::move(tokens));
  }
  for (auto kind : {"prompt", "promptrequest"}) {
    MCPT_TRY(auto names, owned_names(it, *find_kind(kind)));
    out.set(find_kind(kind)->plural, std::move(names));
  }
  return {};
}

// --- users, groups, definitions

Value access_row(const rbac::Binding& binding, const std::string& definition, const std::string& through) {
  Value row = Value::object();
  row.set("binding", text_value(rbac::to_text(binding)));
  row.set("source", text_value("rbac/" + definition));
  if (!through.empty()) row.set("through", text_value("group/" + through));
  return row;
}

// Bindings of the subject, with the definition they come from.
void add_access(const std::vector<Grant>& grants, std::string_view kind, const std::string& id,
                const std::string& through, std::vector<Value>& rows) {
  for (const auto& grant : grants) {
    const bool bound = std::any_of(grant.subjects.begin(), grant.subjects.end(), [&](const Value& subject) {
      return subject.text("kind") == kind && subject.text("name") == id;
    });
    if (!bound) continue;
    for (const auto& binding : grant.bindings)
      rows.push_back(access_row(binding, grant.definition, through));
  }
}

Result<std::vector<store::Object>> groups_with(Context& context, const std::string& user_id) {
  MCPT_TRY(auto groups, context.tx.list("group"));
  std::vector<store::Object> found;
  for (auto& group : groups) {
    MCPT_TRY(const auto doc, json::parse(group.doc));
    const auto* members = doc.find("members");
    const auto is_user = [&](const Value& member) { return member.as_string() && *member.as_string() == user_id; };
    if (members && std::any_of(members->items().begin(), members->items().end(), is_user))
      found.push_back(std::move(group));
  }
  return found;
}

Result<void> describe_user(const Describing& it, Value& out) {
  MCPT_TRY(const auto grants, visible_grants(it.context));
  std::vector<Value> rows;
  add_access(grants, "User", it.object.id, "", rows);
  MCPT_TRY(const auto groups, groups_with(it.context, it.object.id));
  std::vector<std::string> names;
  for (const auto& group : groups) {
    if (!may_view(it.context, Resource::groups, group.name)) continue;
    names.push_back(group.name);
    add_access(grants, "Group", group.id, group.name, rows);
  }
  out.set("groups", texts(names));
  out.set("access", Value::array(std::move(rows)));
  MCPT_TRY(auto tokens, tokens_where(it, std::nullopt, it.object.id));
  out.set("tokens", std::move(tokens));
  return {};
}

Result<void> describe_group(const Describing& it, Value& out) {
  MCPT_TRY(const auto grants, visible_grants(it.context));
  std::vector<Value> rows;
  add_access(grants, "Group", it.object.id, "", rows);
  out.set("access", Value::array(std::move(rows)));
  return {};
}

void add_holder(std::vector<Value>& rows, const std::string& who, const std::string& through) {
  Value row = Value::object();
  row.set("who", text_value(who));
  if (!through.empty()) row.set("through", text_value(through));
  rows.push_back(std::move(row));
}

// Everybody whom the definition reaches: of a group its members.
Result<void> describe_definition(const Describing& it, Value& out) {
  std::vector<Value> rows;
  const auto* subjects = it.wire.find("subjects");
  for (const auto& subject : subjects ? subjects->items() : std::vector<Value>()) {
    const auto kind = subject.text("kind"), name = subject.text("name");
    if (kind != "Group") {
      add_holder(rows, kind + ":" + name, "");
      continue;
    }
    const auto group = find_named(it.context.tx, *find_kind("group"), name);
    if (!group || !may_view(it.context, Resource::groups, name)) {
      add_holder(rows, "members of " + name, "Group:" + name);
      continue;
    }
    MCPT_TRY(const auto wire, to_wire(it.context.tx, *find_kind("group"), *group));
    const auto* members = wire.find("members");
    for (const auto& member : members ? members->items() : std::vector<Value>())
      add_holder(rows, "User:" + *member.as_string(), "Group:" + name);
  }
  out.set("holders", Value::array(std::move(rows)));
  return {};
}

// --- prompts

Result<void> describe_prompt(const Describing& it, Value& out) {
  const auto target = it.wire.text("linkTarget");
  if (target.empty()) return {};
  const auto known = it.links.find(it.object.id);
  Value link = Value::object();
  link.set("target", text_value(target));
  link.set("health", text_value(known == it.links.end() ? "unknown" : known->second.empty() ? "healthy" : "unhealthy"));
  if (known != it.links.end() && !known->second.empty()) link.set("failure", text_value(known->second));
  out.set("link", Value::array({std::move(link)}));
  return {};
}

struct Row {
  std::string_view kind;
  Describe describe;
};
constexpr Row kRows[] = {{"server", describe_server},  {"project", describe_project}, {"user", describe_user},
                         {"group", describe_group},    {"rbac", describe_definition}, {"secret", describe_used},
                         {"proxymodel", describe_used}, {"prompt", describe_prompt}};

Result<Response> describe_in(Control& control, Context& context, const Running& running) {
  const auto& kind = *context.route->kind;
  const auto object = *context.object;
  Value out = Value::object();
  MCPT_TRY(auto shown, readable(context, kind, object));
  MCPT_TRY(const auto wire, to_wire(context.tx, kind, object));
  out.set("object", std::move(shown));
  const Describing it{control, context, running.instances, running.links, object, wire};
  for (const auto& row : kRows) {
    if (row.kind == kind.name) MCPT_CHECK(row.describe(it, out));
  }
  cut_lists(out);
  return answer(200, out);
}

}  // namespace

loop::Task<Result<Response>> describe_object(Control& control, Runner& runner) {
  const Route& route = runner.route();
  MCPT_CO_CHECK(check_query(runner.request(), {route.kind->scope == KindScope::project ? "project" : ""}));
  auto running = std::make_shared<Running>();
  auto asking = runner.instances();
  MCPT_CO_TRY(running->instances, co_await asking);
  auto following = runner.links();
  MCPT_CO_TRY(running->links, co_await following);
  auto work = runner.reading([&control, &route, running](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    return describe_in(control, context, *running);
  });
  co_return co_await work;
}

}  // namespace mcptoken::control
