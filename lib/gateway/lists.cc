// The four lists of what servers offer, merged, the same for both eras of clients.
#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "gateway/endpoint.h"
#include "gateway/plugins/gate.h"
#include "gateway/plugins/links.h"
#include "gateway/plugins/outside.h"
#include "gateway/plugins/own_prompts.h"
#include "gateway/ticket.h"
#include "gateway/view.h"
#include "json/writer.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kNegativeTtlMs = 30'000;
constexpr int64_t kCursorMs = 3600'000;

// Where a page begins: an attachment's entry.
struct Position {
  size_t attachment = 0;
  size_t entry = 0;
};

Error bad_cursor() { return Error(Status::invalid, "the cursor is not one of ours").with_rpc(mcp::rpc::kInvalidParams); }

std::string use_of(Kind kind) { return "cursor:" + std::string(row_of(kind).method); }

// The cursor names the server, so that it stays right while others come and go.
Result<std::string> cursor_for(const Exchange& exchange, Kind kind, Position at) {
  auto& server = *exchange.caller.project->attachments[at.attachment].server;
  int64_t expires_ms = exchange.site.loop.clock().wall_ms() + kCursorMs;
  return seal_ticket(exchange.caller, use_of(kind), server.id + "\n" + std::to_string(at.entry), expires_ms);
}

Result<Position> read_cursor(const Exchange& exchange, Kind kind, const mcp::Message& message) {
  if (!message.param("cursor")) return Position();
  auto cursor = message.string_param("cursor");
  if (!cursor) return fail(bad_cursor());
  auto content = open_ticket(exchange.caller, use_of(kind), *cursor, exchange.site.loop.clock().wall_ms());
  if (!content) return fail(bad_cursor());
  std::string_view server = std::string_view(*content).substr(0, content->find('\n'));
  auto& attachments = exchange.caller.project->attachments;
  for (size_t i = 0; i < attachments.size(); ++i) {
    if (attachments[i].server->id != server) continue;
    auto entry = parse_decimal(std::string_view(*content).substr(server.size() + 1));
    return Position{i, static_cast<size_t>(entry.value_or(0))};
  }
  return fail(bad_cursor());
}

// One kind of list of all attachments, fetched side by side.
class Gathering {
 public:
  Gathering(Exchange& exchange, const Client& client, Kind kind)
      : exchange_(exchange), kind_(kind), era_(client.era), share_(share_of(exchange, client)) {}

  loop::Task<Result<void>> run(loop::Scope& scope) {
    auto& attachments = exchange_.caller.project->attachments;
    lists_.resize(attachments.size());
    left_ = 1;  // ours: lists that are there already must not end the gathering before the last one is asked for
    for (size_t i = 0; i < attachments.size(); ++i) {
      if (!may_use(i)) continue;
      ++left_;
      auto task = one(i, scope);
      group_.spawn(std::move(task), [this](Result<void>) {
        if (--left_ == 0) done_.resolve({});  // may end this object
      });
    }
    if (--left_ > 0) {
      MCPT_CO_CHECK(co_await done_.wait(scope));
    }
    co_return Result<void>();
  }

  // The page that begins there; `at` is where the next one does, past the last attachment when there is none.
  ListView view(Position& at) const {
    ListView out;
    out.era = era_;
    auto& project = *exchange_.caller.project;
    for (size_t i = 0; i < lists_.size(); ++i) {
      if (!lists_[i] && may_use(i)) out.unavailable.push_back(project.attachments[i].server->name);
    }
    for (; at.attachment < lists_.size(); ++at.attachment, at.entry = 0) {
      auto& list = lists_[at.attachment];
      if (!list) continue;
      auto& attachment = project.attachments[at.attachment];
      at.entry = add_items(out, project, *exchange_.caller.who, attachment, *list, at.entry, limits::kListPage);
      if (at.entry < list->items.size()) break;
    }
    out.items.push_back(']');
    return out;
  }

 private:
  bool may_use(size_t index) const {
    auto& project = *exchange_.caller.project;
    return may_use_any(project, *exchange_.caller.who, kind_, project.attachments[index].server->name);
  }
  loop::Task<Result<void>> one(size_t index, loop::Scope& scope) {
    auto& server = exchange_.caller.project->attachments[index].server;
    loop::Scope own(scope);
    loop::Deadline deadline(exchange_.site.loop, own, server->discovery_ms,
                            Error(Status::timeout, server->name + ": the server has not answered in time"));
    auto task = exchange_.site.catalogue.list(kind_, server, share_, own);
    auto list = co_await task;
    if (list) lists_[index] = *std::move(list);
    else if (!own.cancelled()) exchange_.site.gateway.options().log.info(list.error().message);
    co_return Result<void>();
  }

  Exchange& exchange_;
  Kind kind_;
  mcp::Era era_;
  CallerShare share_;
  std::vector<RawListPtr> lists_;
  size_t left_ = 0;
  loop::Completion<void> done_;
  loop::Group group_;
};

// Why a list is empty; "" when there simply is nothing.
std::string reason_of(const Exchange& exchange, Kind kind, const ListView& view) {
  auto& project = *exchange.caller.project;
  if (project.attachments.empty() && !project.hides_servers) return "no server is attached to this project";
  if (!view.unavailable.empty()) return "the servers that this token may use are unavailable";
  if (kind == Kind::tools) return "this token may call no tool of this project's servers";
  auto usable = [&](const Attachment& one) { return may_use_any(project, *exchange.caller.who, kind, one.server->name); };
  if (std::any_of(project.attachments.begin(), project.attachments.end(), usable)) return "";
  return "this token may use the " + std::string(kind == Kind::prompts ? "prompts" : "resources") + " of none of this project's servers";
}

void write_remarks(json::Writer& writer, std::string_view key, const std::vector<std::pair<std::string, std::string>>& remarks) {
  if (remarks.empty()) return;
  writer.key(key).begin_array();
  for (auto& [name, what] : remarks) writer.begin_object().member("name", name).member("reason", what).end_object();
  writer.end_array();
}

// The whole answer.
std::string list_message(const Exchange& exchange, const Client& client, Kind kind, const ListView& view, const std::string& cursor,
                         std::string_view id) {
  std::string out;
  out.reserve(view.items.size() + 512);
  json::Writer writer(out);
  writer.begin_object().member("jsonrpc", "2.0").raw_member("id", id).key("result");
  writer.begin_object().raw_member(row_of(kind).array, view.items);
  if (!cursor.empty()) writer.member("nextCursor", cursor);
  bool modern = client.era == mcp::Era::modern;
  if (modern) {
    int64_t left = view.fresh_until_ms == INT64_MAX ? 0 : std::max<int64_t>(0, view.fresh_until_ms - exchange.site.loop.now_ms());
    if (!view.unavailable.empty()) left = std::min(left, kNegativeTtlMs);
    writer.member("resultType", "complete").member("ttlMs", left).member("cacheScope", "private");
  }
  std::string reason = view.count == 0 ? reason_of(exchange, kind, view) : "";
  if (modern || !reason.empty() || !view.unavailable.empty() || !view.hidden.empty() || !view.suspicious.empty()) {
    writer.key("_meta").begin_object();
    if (modern) writer.raw_member("io.modelcontextprotocol/serverInfo", server_info(exchange));
    if (!view.unavailable.empty()) {
      writer.key("io.mcptoken/unavailable").begin_array();
      for (auto& name : view.unavailable) writer.string(name);
      writer.end_array();
    }
    write_remarks(writer, "io.mcptoken/unusable", view.hidden);
    write_remarks(writer, "io.mcptoken/suspicious", view.suspicious);
    if (!reason.empty()) writer.member("io.mcptoken/reason", reason);
    writer.end_object();
  }
  writer.end_object().end_object();
  return out;
}

// What the project itself has in a list, in front of what its servers have.
struct OwnItems {
  std::string items;      // raw JSON with commas between
  bool alone = false;     // nothing else is shown
  bool changing = false;  // by what the client does: not to be kept
};

bool has_own_items(const ProjectView& project, Kind kind) {
  return kind == Kind::tools ? has_gate(project) : kind == Kind::prompts && project.has_prompts;
}

loop::Task<Result<OwnItems>> own_items(Exchange& exchange, Kind kind, loop::Scope& scope) {
  OwnItems out;
  if (kind == Kind::tools && is_gated_project(exchange)) {
    auto looking = is_open(exchange, scope);
    MCPT_CO_TRY(const bool open, co_await looking);
    out.items = gate_tools(has_model(exchange.site, *exchange.caller.project), open);
    out.alone = !open;
    out.changing = true;
  } else if (kind == Kind::prompts) {
    auto listing = visible_prompts(exchange, scope);
    auto prompts = co_await listing;
    if (!prompts && scope.cancelled()) co_return fail(scope.reason());
    if (prompts) out.items = prompt_items(*exchange.caller.project, **prompts);
    else exchange.site.gateway.options().log.warn("prompts of project " + exchange.caller.project->name + ": " + prompts.error().message);
  }
  co_return out;
}

void put_in_front(ListView& view, const std::string& items) {
  if (items.empty()) return;
  view.items.insert(1, view.count > 0 ? items + "," : items);
  ++view.count;
}

}  // namespace

loop::Task<Result<void>> serve_list(Exchange& exchange, Client& client, MessagePtr message, Answer& answer) {
  Kind kind = find_list(message->method())->kind;
  auto at = read_cursor(exchange, kind, *message);
  if (!at) {
    refuse(exchange, answer, message->id(), at.error());
    co_return Result<void>();
  }
  OwnItems own;
  if (has_own_items(*exchange.caller.project, kind) && at->attachment == 0 && at->entry == 0) {
    auto looking = own_items(exchange, kind, exchange.link.scope);
    MCPT_CO_TRY(own, co_await looking);
  }
  if (own.alone) {
    ListView closed;
    closed.items.push_back(']');
    put_in_front(closed, own.items);
    answer.finish(200, list_message(exchange, client, kind, closed, "", message->id()));
    co_return Result<void>();
  }
  Gathering gathering(exchange, client, kind);
  auto task = gathering.run(exchange.link.scope);
  auto gathered = co_await task;
  if (!gathered && gathered.error().rpc == mcp::rpc::kRequestCancelled) answer.withdraw();
  if (!gathered) co_return gathered;
  auto view = gathering.view(*at);
  put_in_front(view, own.items);
  if (own.changing) view.fresh_until_ms = exchange.site.loop.now_ms();
  std::string cursor;
  if (at->attachment < exchange.caller.project->attachments.size()) {
    MCPT_CO_TRY(cursor, cursor_for(exchange, kind, *at));
  }
  answer.finish(200, list_message(exchange, client, kind, view, cursor, message->id()));
  co_return Result<void>();
}

}  // namespace mcptoken::gateway
