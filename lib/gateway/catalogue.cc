#include "gateway/catalogue.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_set>

#include "base/limits.h"
#include "gateway/hop.h"
#include "gateway/site.h"
#include "gateway/tool_label.h"
#include "json/writer.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kPositiveMs = 5 * 60'000;
constexpr int64_t kHeardMs = 60'000;  // lists that live shorter are fetched anew before a change is worth a stream
constexpr int64_t kNegativeMs = 30'000;  // after a failure, and twice as long after each that follows
constexpr int64_t kLongestNegativeMs = 120'000;
constexpr int64_t kRelayedMs = 5'000;  // the control plane hears of changes, and answers from its own cache
constexpr int64_t kRelayedNegativeMs = 1'000;  // the control plane remembers for longer, and knows when it is over
constexpr int64_t kLongestTtlMs = 24 * 3600'000;
constexpr size_t kMaxPages = 100;
constexpr size_t kMaxItems = 10'000;
constexpr const char* kRest = "the rest of the list";
constexpr size_t kMaxEntries = 4'096;
constexpr int kAttempts = 2;       // at a list that does not change while it is fetched
constexpr int64_t kSlackMs = 100;  // an asker's deadline starts a moment before the flight that it begins

constexpr int64_t kAgainTickMs = 1'000;
constexpr int64_t kInterestMs = 3600'000;  // after which nobody waits for a server to come back

using Names = std::unordered_set<std::string>;

// Of a tool; "" when it may be shown. Marks of headers mean something to the modern era's HTTP alone.
std::string why_hidden(const Item& item, bool marks_matter) {
  if (!item.unusable.empty() || !marks_matter) return item.unusable;
  return item.bad_headers;
}

// A whole number from 0 on (2026-07-28); anything else is as if there were none.
std::optional<int64_t> read_ttl(const mcp::Message& message) {
  const json::Node* ttl = message.in_result("ttlMs");
  if (!ttl || ttl->type != json::Type::number) return std::nullopt;
  const auto text = message.outline().raw(*ttl);
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || value < 0 || value != std::floor(value)) return std::nullopt;
  return static_cast<int64_t>(std::min(value, static_cast<double>(kLongestTtlMs)));
}

// Takes the entries of one page of a list result; of equal keys the first. An entry that cannot be read is left out
// alone.
Result<void> read_page(const UpstreamAnswer& answer, bool marks_matter, RawList& list, Names& keys,
                       std::optional<std::string>& cursor, std::optional<int64_t>& ttl_ms) {
  const mcp::Message& message = answer.message;
  const mcp::Era era = answer.era;
  const KindRow& row = row_of(list.kind);
  if (message.kind() == mcp::MessageKind::error) return fail(answer.to_error());
  const json::Node* items = message.in_result(row.array);
  if (!items || items->type != json::Type::array) {
    return fail(Status::protocol, "the answer has no list of " + std::string(row.array));
  }
  MCPT_TRY(auto outline, json::Outline::read(message.outline().raw(*items), 1, mcp::server_limits(limits::kUpstreamBodyBytes)));
  size_t number = 0;
  for (auto* item = outline.first(outline.root()); item; item = outline.after(outline.root(), *item)) {
    ++number;
    auto entry = read_item(list.kind, outline.raw(*item));
    if (list.items.size() + list.hidden.size() >= kMaxItems) {
      list.hidden[kRest] = "the server lists more than " + std::to_string(kMaxItems) + " entries";
      cursor.reset();
      return {};
    }
    if (!entry) {
      list.hidden["entry " + std::to_string(number)] = entry.error().message;
      continue;
    }
    if (!keys.insert(entry->key).second) {  // not under its name, by which the first may be called
      list.hidden["entry " + std::to_string(number)] = "\"" + entry->key + "\" is listed twice; the first counts";
      continue;
    }
    if (auto why = why_hidden(*entry, marks_matter); !why.empty()) {
      list.hidden[entry->key] = std::move(why);
      continue;
    }
    if (!entry->unseen.empty()) list.suspicious[entry->key] = entry->unseen;
    if (entry->headers) list.headers[entry->key] = entry->headers;
    list.items.push_back(*std::move(entry));
  }
  cursor.reset();
  if (const json::Node* next = message.in_result("nextCursor"); next && next->type == json::Type::string) {
    cursor = message.outline().string(*next);
  }
  if (const auto value = read_ttl(message)) ttl_ms = ttl_ms ? std::min(*ttl_ms, *value) : *value;
  // Who says nothing has not said that all may have it; the legacy era knows no such word.
  const json::Node* scope = message.in_result("cacheScope");
  list.is_private |= (scope || era == mcp::Era::modern) && (!scope || message.outline().string(*scope) != "public");
  return {};
}

// What is the same connection in all that matters to whether it is there.
UpstreamKey one_of(const UpstreamKey& upstream) {
  UpstreamKey out = upstream;
  out.capabilities = 0;
  out.replica = 0;
  return out;
}

bool same_entries(const RawList& one, const RawList& other) {
  const auto same = [](const Item& a, const Item& b) { return a.raw == b.raw; };
  return one.hidden == other.hidden && std::equal(one.items.begin(), one.items.end(), other.items.begin(), other.items.end(), same);
}

// Who holds a server's lists in common with others hears of their changes from it. A process tells by itself, the control
// plane by its feed; a stream for each token or session would be too many.
bool is_heard(const ServerSpec& server) {
  return server.transport == Transport::http && !server.relayed && (server.share == Share::installation || server.share == Share::project);
}

// A server that does not know the method has nothing of the kind, whatever it has declared.
bool says_has_none(const mcp::Message& message) {
  return message.kind() == mcp::MessageKind::error && message.to_error().rpc == mcp::rpc::kMethodNotFound;
}

// A control plane that could not ask the server answers with an empty list that says so.
bool says_unavailable(const mcp::Message& message) {
  const json::Node* meta = message.in_result("_meta");
  if (!meta || meta->type != json::Type::object) return false;
  const std::string_view raw = message.outline().raw(*meta);
  auto outline = json::Outline::read(raw, 1, mcp::server_limits(raw.size()));
  return outline && outline->find("io.mcptoken/unavailable");
}

}  // namespace

void Catalogue::warn_of_unseen(const ServerSpec& server, const RawList* before, const RawList& now) {
  if (now.suspicious.empty() || (before && before->suspicious == now.suspicious)) return;
  const auto& [key, what] = *now.suspicious.begin();
  site_.gateway.options().log.warn(server.name + ": " + std::string(row_of(now.kind).method) + ": " + json::quoted(key) + " has " + what +
                                   (now.suspicious.size() > 1 ? ", and so have " + std::to_string(now.suspicious.size() - 1) : ""));
}

Catalogue::Catalogue(Site& site) : site_(site), again_(site.loop) {}

const Error* Catalogue::away(const UpstreamKey& upstream) const {
  const auto it = away_.find(one_of(upstream));
  return it != away_.end() && site_.loop.now_ms() < it->second.until_ms ? &it->second.error : nullptr;
}

// Whether it has been asked for any of its lists for as long as anybody waits.
bool Catalogue::hangs(const UpstreamKey& upstream, const ServerSpec& server) const {
  const int64_t since_ms = site_.loop.now_ms() - server.discovery_ms + kSlackMs;
  UpstreamKey first;
  first.server_id = upstream.server_id;
  for (auto it = entries_.lower_bound(Place{first, Kind::tools, {}}); it != entries_.end(); ++it) {
    const auto& [place, entry] = *it;
    if (place.upstream.server_id != upstream.server_id) break;
    if (one_of(place.upstream) == one_of(upstream) && entry->fetching.running() && entry->began_ms <= since_ms) return true;
  }
  return false;
}

void Catalogue::note_failure(Entry& entry, const Place& place, const std::shared_ptr<const ServerSpec>& server, const Error& error) {
  const int64_t now_ms = site_.loop.now_ms();
  entry.missed = true;
  entry.error = error;
  entry.retry_at_ms = now_ms;
  if (error.status == Status::cancelled) return;
  const int64_t pause_ms = std::min(kNegativeMs << std::min(entry.failures++, 8), kLongestNegativeMs);
  entry.retry_at_ms = now_ms + (server->relayed ? kRelayedNegativeMs : pause_ms);
  if (server->relayed || entry.forgotten) return;
  const bool is_away = error.status == Status::timeout || error.status == Status::unavailable || error.status == Status::network;
  if (away_.size() >= kMaxEntries) away_.clear();
  if (is_away) away_.insert_or_assign(one_of(place.upstream), Away{error, entry.retry_at_ms});
  // What one caller had alone is of no use when he has gone.
  if (&site_.gateway.home_of(server->id) != &site_ || is_alone(place.upstream.share)) return;
  entry.server = server;
  if (!again_.running()) again_.start(kAgainTickMs, [this] { ask_again(); }, kAgainTickMs);
}

void Catalogue::ask_again() {
  const int64_t now_ms = site_.loop.now_ms();
  bool any = false;
  for (auto& [place, entry] : entries_) {
    if (!entry->missed || !entry->server || entry->failures == 0 || entry->forgotten || now_ms - entry->asked_ms >= kInterestMs) continue;
    any = true;
    if (entry->fetching.running() || now_ms < entry->retry_at_ms) continue;
    entry->began_ms = now_ms;
    entry->fetching.begin(group_, [this, entry = entry, place = place] { return refresh(entry, entry->server, place, nullptr); });
  }
  if (!any) again_.stop();
}

std::shared_ptr<Catalogue::Entry> Catalogue::entry_of(const Place& place) {
  auto it = entries_.find(place);
  if (it != entries_.end()) return it->second;
  if (entries_.size() >= kMaxEntries) {
    std::erase_if(entries_, [](const auto& other) { return !other.second->fetching.running(); });
  }
  auto entry = entries_.emplace(place, std::make_shared<Entry>()).first->second;
  site_.meter.lists.set(static_cast<int64_t>(entries_.size()));
  return entry;
}

// A private list in the place of all stays there as the sign that each token needs its own; nobody is given it.
std::shared_ptr<Catalogue::Entry> Catalogue::own_entry(Place& place, const std::string& token) {
  auto entry = entry_of(place);
  if (!place.token.empty() || !entry->list || !entry->list->is_private) return entry;
  place.token = token;
  return entry_of(place);
}

RawListPtr Catalogue::known(const UpstreamKey& upstream, Kind kind) const {
  const auto it = entries_.find(Place{upstream, kind, {}});
  if (it == entries_.end() || !it->second->list || it->second->list->is_private) return nullptr;
  return it->second->list;
}

loop::Task<Result<RawListPtr>> Catalogue::list(Kind kind, std::shared_ptr<const ServerSpec> server, CallerShare caller,
                                               loop::Scope& scope) {
  Place place = {list_key_for(*server, caller), kind, ""};
  BearerPtr bearer = caller.bearer;
  auto entry = own_entry(place, caller.who->token_sha);
  int64_t now = site_.loop.now_ms();
  entry->asked_ms = now;
  bool fresh = entry->list && !entry->stale && now < entry->list->fresh_until_ms;
  auto& meter = site_.meter;
  if (fresh) {
    meter.count(Lookup::fresh);
    co_return entry->list;
  }
  bool may_ask = now >= entry->retry_at_ms;
  if (!may_ask && !entry->fetching.running()) {
    meter.count(entry->list ? Lookup::stale : Lookup::failed);
    if (entry->list) co_return entry->list;
    co_return fail(*entry->error);
  }
  Function<loop::Task<Result<void>>()> start = [this, entry, server, place, bearer] {
    return refresh(entry, server, place, bearer);
  };
  if (!entry->fetching.running()) entry->began_ms = now;
  const Error* gone = entry->failures > 0 ? &*entry->error : entry->list ? nullptr : away(place.upstream);
  if (gone) {  // nobody waits for it again: what there is, and the next one is announced
    const RawListPtr kept = entry->list;
    Error error = *gone;
    entry->missed = true;
    entry->fetching.begin(group_, std::move(start));
    meter.count(kept ? Lookup::stale : Lookup::failed);
    if (kept) co_return kept;
    co_return fail(std::move(error));
  }
  if (entry->list && !entry->stale && now < entry->list->fresh_until_ms + entry->list->lifetime_ms) {
    // Stale by age alone, and not for long: good enough while a new one is fetched.
    entry->fetching.begin(group_, std::move(start));
    meter.count(Lookup::stale);
    co_return entry->list;
  }
  if (hangs(place.upstream, *server)) {  // others have waited in vain already
    entry->missed = true;
    entry->fetching.begin(group_, std::move(start));
    meter.count(entry->list ? Lookup::stale : Lookup::failed);
    if (entry->list) co_return entry->list;
    co_return fail(Status::timeout, server->name + ": the server has not answered in time");
  }
  auto task = entry->fetching.join(group_, std::move(start), scope);
  auto done = co_await task;
  if (entry->list && entry->list->is_private && place.token.empty()) {
    auto again = list(kind, std::move(server), std::move(caller), scope);
    auto own = co_await again;
    co_return own;
  }
  meter.count(!entry->list ? Lookup::failed : done ? Lookup::fetched : Lookup::stale);
  if (entry->list) co_return entry->list;
  entry->missed = true;
  if (!done) co_return fail(std::move(done).error());
  co_return fail(Status::unavailable, server->name + ": no list");
}

loop::Task<Result<void>> Catalogue::refresh(std::shared_ptr<Entry> entry, std::shared_ptr<const ServerSpec> server, Place place,
                                            BearerPtr bearer) {
  Site& home = site_.gateway.home_of(server->id);
  loop::Scope& scope = group_.scope();
  const auto begin = [&] {
    Function<loop::Task<Result<RawListPtr>>(loop::Scope&)> work;
    if (&home == &site_) {
      work = [this, server, place, bearer](loop::Scope& here) { return fetch(server, place, bearer, here); };
    } else {
      work = [&home, server, place, bearer](loop::Scope& there) -> loop::Task<Result<RawListPtr>> {
        return home.catalogue.from_home(server, place, bearer, there);
      };
    }
    return on_loop<RawListPtr>(site_.loop, home.loop, home.group, std::move(work), scope);
  };
  const bool is_heard_here = &home == &site_ && is_heard(*server);
  const auto hear_until = [&](int64_t until_ms) { site_.watches.keep(server, place.upstream, until_ms); };
  // Before the list is fetched, so that no change comes between the two.
  if (is_heard_here && (!entry->list || entry->list->lifetime_ms >= kHeardMs)) hear_until(site_.loop.now_ms() + kPositiveMs);
  uint64_t before = 0;
  Result<RawListPtr> list = RawListPtr();
  // What was fetched while it changed may be from before: those who wait would be answered under an old definition.
  // Once more, since a server may say at each list that it has changed.
  for (int attempt = 0; attempt < kAttempts && list; ++attempt) {
    before = entry->invalidations;
    auto task = begin();
    auto fetched = co_await task;
    if (fetched || attempt == 0) list = std::move(fetched);
    if (entry->invalidations == before) break;
  }
  if (&home == &site_) (list ? site_.meter.fetched : site_.meter.fetch_failures).add();
  if (!list) {
    note_failure(*entry, place, server, list.error());
    co_return fail(std::move(list).error());
  }
  if (&home == &site_) warn_of_unseen(*server, entry->list.get(), **list);
  const bool is_other = std::exchange(entry->restarted, false) && entry->list && !same_entries(*entry->list, **list);
  entry->list = *std::move(list);
  if (is_heard_here && entry->list->lifetime_ms >= kHeardMs) hear_until(entry->list->fresh_until_ms);
  if (&home == &site_ && place.kind == Kind::tools) {
    auto labels = std::make_shared<std::vector<std::string>>();
    for (const auto& item : entry->list->items) labels->push_back(tool_label(server->name, item.key));
    site_.gateway.tell_all([labels](Site& site) {
      for (const auto& label : *labels) site.meter.tools.number_of(label);
    });
  }
  entry->stale = entry->invalidations != before;  // what was fetched may be from before the change
  entry->error.reset();
  entry->server.reset();
  away_.erase(one_of(place.upstream));
  entry->failures = 0;
  entry->retry_at_ms = 0;
  if (const bool missed = std::exchange(entry->missed, false); missed || is_other) {
    if (&home != &site_) site_.gateway.announce(server->id, place.kind);
    else if (is_other) site_.gateway.list_changed(server->id, place.kind);
    else site_.gateway.answers_again(server->id, place.kind);
  }
  co_return Result<void>();
}

// On the home loop, for another one: through this loop's cache, so that one discovery serves all.
loop::Task<Result<RawListPtr>> Catalogue::from_home(std::shared_ptr<const ServerSpec> server, Place place, BearerPtr bearer,
                                                    loop::Scope& scope) {
  auto entry = entry_of(place);
  int64_t now = site_.loop.now_ms();
  if (entry->list && !entry->stale && now < entry->list->fresh_until_ms) co_return entry->list;
  if (now < entry->retry_at_ms && !entry->fetching.running()) co_return fail(*entry->error);
  entry->asked_ms = now;
  const Error* gone = entry->failures > 0 ? &*entry->error : entry->list ? nullptr : away(place.upstream);
  std::optional<Error> error = gone ? std::optional(*gone) : std::nullopt;
  if (!entry->fetching.running()) entry->began_ms = now;
  Function<loop::Task<Result<void>>()> start = [this, entry, server, place, bearer] {
    return refresh(entry, server, place, bearer);
  };
  if (error) {  // as above: it is announced when it is there
    entry->missed = true;
    entry->fetching.begin(group_, std::move(start));
    co_return fail(*std::move(error));
  }
  auto task = entry->fetching.join(group_, std::move(start), scope);
  MCPT_CO_CHECK(co_await task);
  co_return entry->list;
}

loop::Task<Result<RawListPtr>> Catalogue::fetch(std::shared_ptr<const ServerSpec> server, Place place, BearerPtr bearer,
                                                loop::Scope& scope) {
  const KindRow& row = row_of(place.kind);
  auto list = std::make_shared<RawList>();
  list->kind = place.kind;
  Names keys;
  std::optional<std::string> cursor;
  std::optional<int64_t> ttl_ms;
  for (size_t page = 0; page < kMaxPages; ++page) {
    std::string text = mcp::request_head("0", row.method, cursor.has_value());
    if (cursor) text += "{\"cursor\":" + json::quoted(*cursor) + "}";
    text += "}";
    MCPT_CO_TRY(auto request, mcp::Message::parse(std::move(text), mcp::Origin::server));
    UpstreamCall call;
    call.server = server;
    call.key = place.upstream;
    call.bearer = bearer;
    call.request = std::make_shared<const mcp::Message>(std::move(request));
    call.method = row.method;
    call.capability = row.capability;
    loop::Scope page_scope(scope);
    loop::Deadline deadline(site_.loop, page_scope, server->first_byte_ms,
                            Error(Status::timeout, server->name + ": " + call.method + " was not answered in time"));
    auto task = site_.upstreams.call_here(call, nullptr, page_scope);
    auto answer = co_await task;
    if (!answer && answer.error().status == Status::not_supported) break;  // it has none of them
    if (!answer) co_return fail(std::move(answer).error());
    if (page == 0 && says_has_none(answer->message)) break;
    if (server->relayed && says_unavailable(answer->message)) {
      co_return fail(Status::unavailable, server->name + ": the server is not available");
    }
    const bool marks_matter = server->transport == Transport::http && answer->era == mcp::Era::modern;
    auto read = read_page(*answer, marks_matter, *list, keys, cursor, ttl_ms);
    if (!read) {
      site_.upstreams.happened(place.upstream, "its answer to " + std::string(row.method) + " is of no use: " + read.error().message);
      co_return fail(std::move(read).error().in(server->name));
    }
    if (!cursor) break;
  }
  if (cursor) list->hidden[kRest] = "it goes on after " + std::to_string(kMaxPages) + " pages";
  if (list->kind == Kind::tools && !server->relayed) {
    auto comparing = compare(server, list, scope);
    MCPT_CO_CHECK(co_await comparing);
  }
  list->lifetime_ms = ttl_ms.value_or(kPositiveMs);
  if (server->relayed) list->lifetime_ms = std::min(list->lifetime_ms, kRelayedMs);
  list->fresh_until_ms = site_.loop.now_ms() + list->lifetime_ms;
  co_return RawListPtr(std::move(list));
}

// What the tools are defined as is noted; of a pinned server those go that are defined otherwise than they were approved.
loop::Task<Result<void>> Catalogue::compare(std::shared_ptr<const ServerSpec> server, std::shared_ptr<RawList> list,
                                            loop::Scope& scope) {
  std::vector<ToolPrint> prints;
  for (auto& item : list->items) prints.push_back({item.key, item.print});
  auto task = site_.gateway.plane().changed_tools(site_.index, server, std::move(prints), scope);
  auto changed = co_await task;
  if (!changed && !server->pin) {
    site_.gateway.options().log.warn(server->name + ": tools were not compared: " + changed.error().message);
    co_return Result<void>();
  }
  if (!changed) co_return fail(std::move(changed).error().in(server->name));
  for (auto& name : *changed) {
    list->headers.erase(name);
    list->hidden[name] = "its definition has changed; approve it: mcpctl approve tool " + server->name + "/" + name;
  }
  std::erase_if(list->items, [&](const Item& item) { return list->hidden.contains(item.key); });
  co_return Result<void>();
}

RawListPtr Catalogue::at_hand(Kind kind, const ServerSpec& server, const CallerShare& caller) const {
  Place place = {list_key_for(server, caller), kind, ""};
  auto it = entries_.find(place);
  if (it == entries_.end() || !it->second->list) return nullptr;
  if (!it->second->list->is_private) return it->second->list;
  place.token = caller.who->token_sha;
  it = entries_.find(place);
  return it == entries_.end() ? nullptr : it->second->list;
}

void Catalogue::restarted(const std::shared_ptr<const ServerSpec>& server, const UpstreamKey& upstream) {
  for (auto& [place, entry] : entries_) {
    if (place.upstream != upstream || !entry->list) continue;
    entry->stale = entry->restarted = true;
    if (!entry->fetching.running()) entry->began_ms = site_.loop.now_ms();
    entry->fetching.begin(group_, [this, entry = entry, server, place = place] { return refresh(entry, server, place, nullptr); });
  }
}

void Catalogue::forgive(const std::string& server_id, Kind kind) {
  std::erase_if(away_, [&](const auto& one) { return one.first.server_id == server_id; });
  for (auto& [place, entry] : entries_) {
    if (place.upstream.server_id == server_id && place.kind == kind) entry->failures = 0, entry->retry_at_ms = 0, entry->missed = false;
  }
}

void Catalogue::forget_stale(const Servers& present) {
  std::erase_if(entries_, [&](const auto& one) {
    const auto at = present.find(one.first.upstream.server_id);
    one.second->forgotten |= at == present.end() || one.first.upstream.version < at->second->version;
    return one.second->forgotten && !one.second->fetching.running();
  });
  away_.clear();  // what was changed may be what kept it away
}

void Catalogue::invalidate(const std::string& server_id, Kind kind) {
  for (auto& [place, entry] : entries_) {
    if (place.upstream.server_id == server_id && place.kind == kind) entry->stale = true, ++entry->invalidations, entry->retry_at_ms = 0;
  }
}

}  // namespace mcptoken::gateway
