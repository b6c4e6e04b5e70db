#include "gateway/asked.h"

#include <algorithm>

#include "gateway/site.h"
#include "gateway/uri.h"
#include "json/edit.h"
#include "json/writer.h"
#include "mcp/cancel.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

std::string edited(const mcp::Message& message, json::Edits& edits) {
  mcp::drop_unknown_members(message, edits);
  return json::apply(message.text(), message.outline().root().value, edits.sorted());
}

}  // namespace

Asked::~Asked() {
  for (auto& id : ids_) site_.asks.erase(id);
}

Result<std::string> Asked::ask(const mcp::Message& request, const Attachment& from, uint64_t asker, Function<void(std::string)>& reply) {
  MCPT_TRY(const auto random, crypto::random_id());
  // The answer may come to any loop, which finds this one by the id.
  std::string id = std::to_string(site_.index) + "." + std::to_string(++site_.next_number) + "." + random;
  Ask one;
  one.share = share_;
  one.upstream_id = std::string(request.id());
  one.asker = asker;
  one.reply = std::move(reply);
  site_.asks.emplace(id, std::move(one));
  json::Edits edits(request.outline());
  edits.replace(*request.id_node(), json::quoted(id));
  for (auto& edit : uri_edits(from, request)) {
    json::Node place;
    place.value = edit.range;
    edits.replace(place, edit.bytes);
  }
  ids_.push_back(std::move(id));
  return edited(request, edits);
}

std::optional<std::string> Asked::withdraw(const mcp::Message& notification, uint64_t asker) {
  const json::Node* upstream_id = mcp::withdrawn_request(notification);
  if (!upstream_id) return std::nullopt;
  auto& asks = site_.asks;
  const auto id = std::find_if(ids_.begin(), ids_.end(), [&](const std::string& one) {
    const auto at = asks.find(one);
    return at != asks.end() && at->second.asker == asker && at->second.upstream_id == notification.outline().raw(*upstream_id);
  });
  if (id == ids_.end()) return std::nullopt;
  asks.erase(*id);
  json::Edits edits(notification.outline());
  edits.replace(*upstream_id, json::quoted(*id));
  return edited(notification, edits);
}

void Asked::refuse(const Error& reason) {
  for (auto& id : std::exchange(ids_, {})) {
    auto open = site_.asks.extract(id);
    if (!open.empty()) open.mapped().reply(mcp::error_message(open.mapped().upstream_id, reason));
  }
}

size_t Asked::open() const {
  return static_cast<size_t>(std::count_if(ids_.begin(), ids_.end(), [this](const std::string& id) { return site_.asks.contains(id); }));
}

void Asked::forget_answered() {
  std::erase_if(ids_, [this](const std::string& id) { return !site_.asks.contains(id); });
}

}  // namespace mcptoken::gateway
