// RB-13: tokens live at random, and a model that only remembers says what each answer must be. Requests go through
// lib/control; whether a bearer is let in is judged on the snapshot that the service would have published.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "service/auth.h"
#include "service/snapshot.h"
#include "unit/control/world.h"

using namespace mcptoken;
using namespace mcptoken::service;
using control::testing::Reply;
using control::testing::World;

namespace {

constexpr int64_t kHour = 3600'000;
constexpr size_t kForgotten = 400;  // tokens that have gone are asked about for a while

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// What a token is to its holder: one word of introspection's, or "" while it is good.
struct Token {
  std::string raw, id, name, project, owner;
  int64_t made = 0, expires = INT64_MAX;
  bool revoked = false, superseded = false, gone = false;

  bool expired(int64_t now) const { return now >= expires; }
  bool usable(int64_t now) const { return !gone && !revoked && !expired(now); }
  bool holds_its_name() const { return !gone && !revoked && !superseded; }
  std::string state(int64_t now) const {
    return revoked ? "revoked" : expired(now) ? "expired" : superseded ? "superseded" : "active";
  }
};

class Life {
 public:
  explicit Life(uint64_t seed) : random_(seed) { settle(); }

  void step() {
    // Looking is cheap and common, as it is in life; the rest happens often enough.
    static const std::pair<int, void (Life::*)()> kSteps[] = {
        {7800, &Life::judge},        {300, &Life::introspect}, {300, &Life::list},       {400, &Life::mint},
        {250, &Life::rotate},        {300, &Life::revoke},     {400, &Life::wait},       {60, &Life::create_project},
        {40, &Life::delete_project}, {60, &Life::create_user}, {40, &Life::delete_user}, {40, &Life::switch_user},
        {8, &Life::restart},         {2, &Life::move}};
    int at = static_cast<int>(random_() % 10'000);
    for (const auto& [weight, what] : kSteps) {
      if ((at -= weight) >= 0) continue;
      done_[what == &Life::judge]++;
      return (this->*what)();
    }
  }
  size_t changes() const { return done_[0]; }
  std::map<std::string, size_t> verdicts;

 private:
  void settle() {
    root_ = world_->admin();
    reload();
    world_->before_commit = [this](store::Tx& tx) -> Result<void> {
      MCPT_TRY(now_, advance_snapshot(now_, tx, *world_->control));
      return {};
    };
  }
  int64_t clock() const { return world_->clock.now; }
  size_t any(size_t count) { return random_() % count; }
  bool chance(int percent) { return static_cast<int>(random_() % 100) < percent; }
  static std::string email(size_t i) { return "u" + std::to_string(i) + "@example.org"; }
  // Mostly a late one: with those more can happen.
  Token* some_token() {
    const size_t among = chance(70) ? std::min<size_t>(tokens_.size(), 40) : tokens_.size();
    return among == 0 ? nullptr : &tokens_[tokens_.size() - 1 - any(among)];
  }
  const rbac::Principal* some_caller() {
    std::vector<const rbac::Principal*> all = {&root_};
    for (const auto& [mail, user] : users_)
      if (!disabled_.contains(mail)) all.push_back(&user);
    return all[any(all.size())];
  }
  void reload() {
    world_->read([&](store::Tx& tx) -> Result<void> {
      MCPT_TRY(now_, load_snapshot(tx, *world_->control));
      return {};
    });
  }
  void expect(int status, const rbac::Principal& who, const std::string& method, const std::string& target,
              const std::string& body = {}) {
    const Reply reply = world_->call(who, method, target, body);
    REQUIRE_MESSAGE(reply.status == status, method << " " << target << " " << body << " -> " << reply.body);
    last_ = reply;
  }

  std::string expected(const Token& token) const {
    if (token.gone) return "unknown";
    if (token.revoked) return "revoked";
    if (token.expired(clock())) return token.superseded ? "superseded" : "expired";
    return disabled_.contains(token.owner) ? "owner_gone" : "";
  }
  Result<std::optional<Identity>> present(const Token& token) const {
    Head head;
    head.headers.add("authorization", "Bearer " + token.raw);
    return authenticate(*now_, world_->control->keys(), head, clock());
  }
  void judge() {
    const Token* token = some_token();
    if (!token) return;
    const auto identity = present(*token);
    const std::string reason = identity ? "" : *json::parse(identity.error().data)->as_string();
    const std::string wanted = expected(*token);
    REQUIRE_MESSAGE(reason == wanted, token->project << "/" << token->name << " " << token->id);
    verdicts[wanted]++;
    if (identity) REQUIRE((*identity)->who->token_id == token->id);
  }
  void introspect() {
    const Token* token = some_token();
    if (!token || !expected(*token).empty()) return;
    const auto identity = present(*token);
    REQUIRE(identity);
    expect(200, *(*identity)->who, "GET", "/api/v1/mcptokens/introspect");
    REQUIRE(last_.text("projectName") == token->project);
    REQUIRE(last_.text("tokenName") == token->name);
    REQUIRE(last_.text("owner") == token->owner);
  }
  void list() {
    const bool all = chance(50);
    const std::string project =
        projects_.empty() || chance(30) ? "" : *std::next(projects_.begin(), any(projects_.size()));
    std::multiset<std::string> wanted, found;
    for (const auto& token : tokens_) {
      const bool ended = token.revoked || (token.superseded && token.expired(clock()));
      if (token.gone || (ended && !all) || (!project.empty() && token.project != project)) continue;
      wanted.insert(token.id + " " + token.name + " " + token.owner + " " + token.state(clock()));
    }
    const std::string query =
        std::string(all ? "all=true" : "all=false") + (project.empty() ? "" : "&project=" + project);
    expect(200, root_, "GET", "/api/v1/mcptokens?" + query);
    for (const auto& item : last_.json.find("items")->items())
      found.insert(item.text("id") + " " + item.text("name") + " " + item.text("owner") + " " + item.text("status"));
    REQUIRE(found == wanted);
  }

  void remember(const std::string& project, const std::string& name, const std::string& owner, int64_t expires) {
    Token token;
    token.raw = last_.text("token"), token.id = last_.text("id");
    token.name = name, token.project = project, token.owner = owner;
    token.made = clock(), token.expires = expires;
    tokens_.push_back(std::move(token));
  }
  void mint() {
    if (projects_.empty()) return;
    const auto* who = some_caller();
    const std::string project = *std::next(projects_.begin(), any(projects_.size()));
    const std::string name = "t" + std::to_string(any(6));
    const int64_t hours = chance(25) ? 0 : 1 + static_cast<int64_t>(any(12));
    const bool force = chance(30);
    std::string body = R"({"project":")" + project + R"(","name":")" + name + R"(","ttl":")" +
                       (hours ? std::to_string(hours) + "h" : "never") + R"(","force":)" + (force ? "true" : "false") +
                       (chance(40) ? R"(,"bindings":["role:view,resource:servers"])" : "") + "}";
    const auto old = std::find_if(tokens_.begin(), tokens_.end(), [&](const Token& token) {
      return token.project == project && token.name == name && token.holds_its_name();
    });
    const bool taken = old != tokens_.end() && !force && !old->expired(clock());
    expect(taken ? 409 : 201, *who, "POST", "/api/v1/mcptokens", body);
    if (taken) return;
    if (old != tokens_.end()) old->revoked = true;
    remember(project, name, who->user_email, hours ? clock() + hours * kHour : INT64_MAX);
  }
  void rotate() {
    Token* old = some_token();
    if (!old) return;
    const auto* who = some_caller();
    const bool grace = chance(60);
    const std::string target = "/api/v1/mcptokens/" + old->id + "/rotate";
    if (old->gone) return expect(404, *who, "POST", target);
    const bool active = old->state(clock()) == "active";
    expect(active ? 201 : 409, *who, "POST", target, grace ? R"({"grace":"2h"})" : "{}");
    if (!active) return;
    const int64_t expires = old->expires == INT64_MAX ? INT64_MAX : clock() + (old->expires - old->made);
    old->superseded = true;
    old->expires = std::min(old->expires, clock() + (grace ? 2 * kHour : 0));
    remember(old->project, old->name, who->user_email, expires);
  }
  void revoke() {
    Token* token = some_token();
    if (!token) return;
    const bool purge = chance(20);
    expect(token->gone ? 404 : 200, root_, "DELETE", "/api/v1/mcptokens/" + token->id + (purge ? "?purge=true" : ""));
    token->revoked = true;
    token->gone |= purge;
    forget();
  }
  // Of those that have gone only the latest are kept, so that most questions are about tokens that can change.
  void forget() {
    auto spare =
        static_cast<int64_t>(std::count_if(tokens_.begin(), tokens_.end(), [](const Token& t) { return t.gone; })) -
        static_cast<int64_t>(kForgotten);
    std::erase_if(tokens_, [&](const Token& token) { return token.gone && spare-- > 0; });
  }

  // Often whole hours, so that somebody asks in the very millisecond in which a token ends.
  void wait() {
    world_->clock.now += chance(50) ? static_cast<int64_t>(any(3)) * kHour
                                    : static_cast<int64_t>(random_() % static_cast<uint64_t>(2 * kHour));
  }
  void create_project() {
    const std::string name = "p" + std::to_string(any(5));
    const bool is_new = projects_.insert(name).second;
    expect(is_new ? 201 : 409, root_, "POST", "/api/v1/projects", R"({"name":")" + name + R"(","proxyModel":"none"})");
  }
  void delete_project() {
    const std::string name = "p" + std::to_string(any(5));
    expect(projects_.erase(name) ? 200 : 404, root_, "DELETE", "/api/v1/projects/" + name);
    for (auto& token : tokens_)
      token.gone |= token.project == name;
    forget();
  }
  void create_user() {
    const std::string mail = email(any(4));
    const bool known = users_.contains(mail);
    expect(known ? 409 : 201, root_, "POST", "/api/v1/users", R"({"email":")" + mail + R"("})");
    if (known) return;
    rbac::Principal user = root_;
    user.user_email = mail, user.user_id = last_.text("id");
    users_[mail] = user;
    expect(201, root_, "POST", "/api/v1/rbac",
           R"({"name":"of-)" + mail.substr(0, 2) + R"(","subjects":[{"kind":"User","name":")" + mail +
               R"("}],"roleBindings":[{"role":"edit","resource":"*"}]})");
  }
  void delete_user() {
    const std::string mail = email(any(4));
    const bool cascade = chance(50), known = users_.contains(mail);
    const bool in_use = std::any_of(tokens_.begin(), tokens_.end(),
                                    [&](const Token& token) { return token.owner == mail && token.usable(clock()); });
    const bool gone = known && (cascade || !in_use);
    expect(!known ? 404
           : gone ? 200
                  : 409,
           root_, "DELETE", "/api/v1/users/" + mail + (cascade ? "?cascade=true" : ""));
    if (!gone) return;
    expect(200, root_, "DELETE", "/api/v1/rbac/of-" + mail.substr(0, 2));
    users_.erase(mail), disabled_.erase(mail);
    for (auto& token : tokens_)
      token.gone |= token.owner == mail;
    forget();
  }
  void switch_user() {
    const std::string mail = email(any(4));
    if (!users_.contains(mail)) return;
    const bool off = !disabled_.contains(mail);
    expect(200, root_, "PATCH", "/api/v1/users/" + mail, off ? R"({"disabled":true})" : R"({"disabled":false})");
    off ? (void)disabled_.insert(mail) : (void)disabled_.erase(mail);
  }
  void restart() {
    world_->restart();
    reload();
  }

  // A backup is restored elsewhere, and life goes on there.
  void move() {
    expect(200, root_, "GET", "/api/v1/backup");
    const std::string backup = last_.body;
    auto elsewhere = std::make_unique<World>();
    elsewhere->clock.now = clock();
    world_ = std::move(elsewhere);
    settle();
    expect(200, root_, "POST", "/api/v1/restore", R"({"conflict":"skip","backup":)" + backup + "}");
    expect(200, root_, "GET", "/api/v1/users");
    for (const auto& item : last_.json.find("items")->items())
      if (const auto user = users_.find(item.text("email")); user != users_.end())
        user->second.user_id = item.text("id");
  }

  std::unique_ptr<World> world_ = std::make_unique<World>();
  std::mt19937_64 random_;
  SnapshotPtr now_;
  rbac::Principal root_;
  std::map<std::string, rbac::Principal> users_;
  std::set<std::string> disabled_, projects_;
  std::vector<Token> tokens_;
  Reply last_;
  size_t done_[2] = {0, 0};
};

}  // namespace

TEST_CASE("RB-13 the lives of tokens against a model") {
  const uint64_t seed = number_from("MCPTOKEN_SEED", std::random_device()());
  const uint64_t steps = number_from("MCPTOKEN_STEPS", 100'000);
  MESSAGE("MCPTOKEN_SEED=", seed);
  CAPTURE(seed);
  Life life(seed);
  uint64_t step = 0;
  CAPTURE(step);
  for (; step < steps; ++step)
    life.step();
  // A run in which nothing happened would prove nothing.
  for (const auto* verdict : {"", "unknown", "revoked", "expired", "superseded", "owner_gone"})
    CHECK_MESSAGE(life.verdicts[verdict] > steps / 1000, "verdict \"", verdict, "\"");
  CHECK(life.changes() > steps / 10);
}
