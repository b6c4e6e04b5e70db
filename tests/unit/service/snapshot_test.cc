#include "gateway/plugins/model.h"
#include "service/snapshot.h"

#include <doctest/doctest.h>

#include "base/bytes.h"
#include "unit/control/world.h"

using namespace mcptoken;
using namespace mcptoken::service;
using control::testing::World;

namespace {

crypto::Digest digest(uint8_t shard, uint8_t rest) {
  crypto::Digest out{};
  out[0] = shard;
  out[31] = rest;
  return out;
}

}  // namespace

TEST_CASE("snapshot: a session that is used lives on") {
  auto first = std::make_shared<Snapshot>();
  auto sessions = std::make_shared<std::unordered_map<crypto::Digest, SessionEntry, DigestHash>>();
  (*sessions)[digest(1, 1)].last_used_ms = 100;
  first->sessions = sessions;
  SnapshotPtr before = first;
  SnapshotPtr after = with_session_used(before, digest(1, 1), 200);
  CHECK(after->sessions->at(digest(1, 1)).last_used_ms == 200);
  CHECK(before->sessions->at(digest(1, 1)).last_used_ms == 100);
  CHECK(with_session_used(after, digest(1, 1), 150) == after);  // never moves back
  CHECK(with_session_used(after, digest(2, 2), 300) == after);
}

namespace {

// A control plane whose every change is followed by the snapshot that the service would publish.
class Follower {
 public:
  Follower() { load(); }

  void load() {
    world.read([&](store::Tx& tx) -> Result<void> {
      MCPT_TRY(now, load_snapshot(tx, *world.control));
      return {};
    });
  }
  template <class F>
  void change(F work) {
    world.write([&](store::Tx& tx) -> Result<void> {
      MCPT_CHECK(work(tx));
      MCPT_TRY(now, advance_snapshot(now, tx, *world.control));
      return {};
    });
    agrees_with_load();
  }
  std::string insert(const std::string& kind, const std::string& name, const std::string& doc,
                     std::vector<store::Ref> refs = {}, const std::string& project = "") {
    std::string id;
    change([&](store::Tx& tx) -> Result<void> {
      store::NewObject object;
      object.kind = kind;
      object.name = name;
      object.doc = doc;
      object.refs = std::move(refs);
      object.project_id = project;
      MCPT_TRY(auto made, tx.insert(std::move(object)));
      id = made.id;
      return {};
    });
    return id;
  }
  static store::NewToken new_token(const std::string& name, const std::string& project, const std::string& owner,
                                   uint8_t number) {
    store::NewToken token;
    token.name = name;
    token.project_id = project;
    token.owner_id = owner;
    token.shown = "mcpctl_pat_abcd";
    token.sha = digest(number, number);
    token.rbac_mode = "empty";
    return token;
  }
  crypto::Digest add_token(const std::string& name, const std::string& project, const std::string& owner,
                           uint8_t number) {
    change([&](store::Tx& tx) -> Result<void> {
      MCPT_CHECK(tx.insert_token(new_token(name, project, owner, number)));
      return {};
    });
    tokens.push_back(digest(number, number));
    return tokens.back();
  }
  static std::string token_id(store::Tx& tx, const crypto::Digest& sha) {
    auto record = tx.find_token(sha);
    REQUIRE(record);
    return record->id;
  }
  const gateway::ProjectView& project(const std::string& id) { return *now->projects->at(id); }

  // Following changes one by one comes to the same as reading everything.
  void agrees_with_load() {
    auto followed = now;
    load();
    CHECK(followed->revision <= now->revision);  // changes that matter to nobody are not followed
    REQUIRE(followed->users->size() == now->users->size());
    for (auto& [id, user] : *now->users) {
      CHECK(followed->users->at(id).email == user.email);
      CHECK(followed->users->at(id).disabled == user.disabled);
    }
    REQUIRE(followed->projects->size() == now->projects->size());
    for (auto& [id, view] : *now->projects) {
      auto& other = *followed->projects->at(id);
      CHECK(other.name == view->name);
      CHECK(other.separator == view->separator);
      CHECK(other.policy == followed->policy);
      REQUIRE(other.attachments.size() == view->attachments.size());
      for (size_t i = 0; i < view->attachments.size(); ++i) {
        CHECK(other.attachments[i].prefix == view->attachments[i].prefix);
        CHECK(other.attachments[i].server->version == view->attachments[i].server->version);
        CHECK(other.attachments[i].server->command == view->attachments[i].server->command);
        CHECK(other.attachments[i].server->url == view->attachments[i].server->url);
      }
    }
    CHECK(followed->sessions->size() == now->sessions->size());
    for (auto& sha : tokens) {
      const auto a = followed->tokens.find(sha), b = now->tokens.find(sha);
      REQUIRE(a.has_value() == b.has_value());
      if (!a) continue;
      CHECK(a->revoked_ms() == b->revoked_ms());
      CHECK(a->superseded() == b->superseded());
      CHECK(a->expires_ms() == b->expires_ms());
      const auto one = principal_of(*followed, *a), other = principal_of(*now, *b);
      CHECK(one->token_id == other->token_id);
      CHECK(one->token_name == other->token_name);
      CHECK(one->project_id == other->project_id);
      CHECK(one->project == other->project);
      CHECK(one->user_id == other->user_id);
      CHECK(one->user_email == other->user_email);
    }
    now = followed;
  }

  World world;
  SnapshotPtr now;
  std::vector<crypto::Digest> tokens;
};

}  // namespace

TEST_CASE_FIXTURE(Follower, "snapshot: servers and projects as the gateway sees them") {
  const std::string ids[] = {
      insert("server", "files", R"({"command":["run","-x"],"timeouts":{"callMs":1234,"firstByteMs":99},"share":"session","replicas":0})"),
      insert("server", "remote", R"({"externalUrl":"https://h/mcp","allowPrivate":true})"),
      insert("server", "node", R"({"packageName":"@scope/pkg@1.2","runtime":"node"})"),
      insert("server", "python", R"({"packageName":"pkg@1.2","runtime":"python"})"),
      insert("server", "image", R"({"dockerImage":"img:1","command":["arg"],"env":[{"name":"K","value":"v"}]})"),
  };
  std::string servers;
  std::vector<store::Ref> refs;
  for (auto& id : ids) {
    servers += (servers.empty() ? R"({"prefix":"","server":")" : R"(,{"server":")") + id + "\"}";
    refs.push_back({"servers", id, store::OnDelete::restrict_});
  }
  auto id = insert("project", "home", R"({"prompt":"be kind","separator":"/","servers":[)" + servers + "]}", refs);
  auto& view = project(id);
  CHECK(view.name == "home");
  CHECK(view.instructions == "be kind");
  CHECK(view.separator == "/");
  REQUIRE(view.attachments.size() == 5);
  auto server = [&](size_t i) -> const gateway::ServerSpec& { return *view.attachments[i].server; };
  CHECK(view.attachments[0].prefix.empty());
  CHECK(server(0).command == std::vector<std::string>{"run", "-x"});
  CHECK(server(0).call_ms == 1234);
  CHECK(server(0).first_byte_ms == 99);
  CHECK(server(0).connect_ms == limits::kConnectMs);
  CHECK(server(0).share == gateway::Share::session);
  CHECK(server(0).replicas == 0);
  CHECK(server(1).replicas == 1);
  CHECK(server(0).transport == gateway::Transport::stdio);
  CHECK(view.attachments[1].prefix == "remote");
  CHECK(server(1).transport == gateway::Transport::http);
  CHECK(server(1).allow_private);
  CHECK(server(1).command.empty());
  CHECK(server(2).command == std::vector<std::string>{"npx", "-y", "@scope/pkg@1.2"});
  CHECK(server(3).command == std::vector<std::string>{"uvx", "pkg==1.2"});
  CHECK(server(4).command == std::vector<std::string>{"docker", "run", "-i", "--rm", "-e", "K", "img:1", "arg"});
}

TEST_CASE_FIXTURE(Follower, "snapshot: a changed secret makes its servers new") {
  auto secret = insert("secret", "key", R"({"data":{}})");
  auto server = insert(
      "server", "s",
      R"({"command":["x"],"env":[{"name":"K","valueFrom":{"secretRef":{"name":")" + secret + R"(","key":"k"}}}]})",
      {{"env", secret, store::OnDelete::restrict_}});
  auto other = insert("server", "t", R"({"command":["y"]})");
  auto id = insert("project", "p", R"({"servers":[{"server":")" + server + R"("},{"server":")" + other + R"("}]})",
                   {{"servers", server, store::OnDelete::restrict_}, {"servers", other, store::OnDelete::restrict_}});
  auto before = now;
  auto version = project(id).attachments[0].server->version, untouched = project(id).attachments[1].server->version;
  change([&](store::Tx& tx) -> Result<void> {
    MCPT_CHECK(tx.update(secret, R"({"data":{"k":"z"}})", {}));
    return {};
  });
  CHECK(project(id).attachments[0].server->version > version);
  CHECK(project(id).attachments[1].server->version == untouched);
  CHECK(before->projects->at(id)->attachments[0].server->version == version);  // who holds the old one keeps it
}

TEST_CASE_FIXTURE(Follower, "snapshot: the life of a token") {
  auto user = insert("user", "u@example.org", R"({"email":"u@example.org"})");
  auto home = insert("project", "home", "{}");
  auto sha = add_token("t", home, user, 1);
  auto issued = now;
  REQUIRE(now->tokens.find(sha));
  const auto whole = principal_of(*now, *now->tokens.find(sha));
  auto& who = *whole;
  CHECK(who.kind == rbac::PrincipalKind::token);
  CHECK(who.project == "home");
  CHECK(who.project_id == home);
  CHECK(who.user_email == "u@example.org");
  CHECK(who.token_name == "t");
  CHECK(who.token_sha == to_hex(sha));
  CHECK(now->tokens.find(sha)->expires_ms() == INT64_MAX);

  change([&](store::Tx& tx) -> Result<void> {
    MCPT_CHECK(tx.revoke_token(token_id(tx, sha), "test"));
    return {};
  });
  CHECK(now->tokens.find(sha)->revoked());
  CHECK_FALSE(issued->tokens.find(sha)->revoked());

  auto second = add_token("t2", home, user, 2);
  change([&](store::Tx& tx) -> Result<void> {
    MCPT_CHECK(tx.supersede_token(token_id(tx, second), new_token("t2", home, user, 3), tx.now_ms() + 1000));
    return {};
  });
  tokens.push_back(digest(3, 3));
  CHECK(now->tokens.find(second)->superseded());
  CHECK(now->tokens.find(second)->expires_ms() == world.clock.now + 1000);
  CHECK(now->tokens.find(digest(3, 3)));

  change([&](store::Tx& tx) { return tx.remove(home); });
  for (auto& gone : tokens)
    CHECK_FALSE(now->tokens.find(gone));
  CHECK(now->projects->empty());
}

TEST_CASE_FIXTURE(Follower, "snapshot: users come, are disabled, and go") {
  auto user = insert("user", "u@example.org", R"({"email":"u@example.org"})");
  CHECK_FALSE(now->users->at(user).disabled);
  change([&](store::Tx& tx) -> Result<void> {
    MCPT_CHECK(tx.insert_session(user, digest(9, 9), "test"));
    return {};
  });
  REQUIRE(now->sessions->contains(digest(9, 9)));
  CHECK(now->sessions->at(digest(9, 9)).user_id == user);
  change([&](store::Tx& tx) -> Result<void> {
    MCPT_CHECK(tx.update(user, R"({"email":"u@example.org","disabled":true})", {}));
    return {};
  });
  CHECK(now->users->at(user).disabled);
  change([&](store::Tx& tx) { return tx.remove(user, std::nullopt, true); });
  CHECK(now->users->empty());
  CHECK(now->sessions->empty());
}

TEST_CASE_FIXTURE(Follower, "snapshot: what does not matter to loops changes nothing but the history") {
  auto home = insert("project", "home", "{}");
  auto before = now;
  insert("promptrequest", "hello", R"({"content":"x"})", {}, home);
  CHECK(now->policy == before->policy);
  CHECK(now->projects == before->projects);
  REQUIRE(now->history->entries.size() == before->history->entries.size() + 1);
  CHECK(now->history->entries.back()->project == "home");
  before = now;
  change([&](store::Tx& tx) { return tx.set_setting("k", "v"); });
  CHECK(now == before);
}

TEST_CASE_FIXTURE(Follower, "snapshot: projects follow their proxy models, prompts and texts") {
  auto home = insert("project", "home", R"({"proxyModel":"content-pipeline"})");
  auto other = insert("project", "other", R"({"proxyModel":"none"})");
  auto view = [&](const std::string& id) { return now->projects->at(id); };
  REQUIRE(view(home)->model);
  CHECK(view(home)->model->content->stages.size() == 2);
  CHECK_FALSE(view(home)->model->gate);
  CHECK_FALSE(view(other)->model);
  const auto built_in = view(home)->model;
  insert("group", "g", "{}");
  CHECK(view(home)->model == built_in);  // nothing is compiled again that did not change
  insert("proxymodel", "content-pipeline", R"({"gate":true,"stages":[{"type":"truncate","config":{"maxBytes":9}}]})");
  CHECK(view(home)->model->gate);
  CHECK(view(home)->model->content->least_bytes == 9);
  CHECK_FALSE(view(home)->has_prompts);
  auto prompt = insert("prompt", "hello", R"({"content":"# A\n\nIt is so.","priority":7})", {}, home);
  REQUIRE(view(home)->has_prompts);
  CHECK(view(home)->prompts->at(0)->priority == 7);
  CHECK(view(home)->prompts->at(0)->chapters == std::vector<std::string>{"A"});
  CHECK_FALSE(view(other)->has_prompts);
  change([&](store::Tx& tx) { return tx.remove(prompt); });
  CHECK_FALSE(view(home)->has_prompts);
  auto texts = insert("project", "mcpctl-system", R"({"proxyModel":"none"})");
  const auto before = view(home)->system_text("gate-instructions");
  CHECK_FALSE(before.empty());
  insert("prompt", "gate-instructions", R"({"content":"ours"})", {}, texts);
  CHECK(view(home)->system_text("gate-instructions") == "ours");
  change([&](store::Tx& tx) { return tx.remove(texts); });
  CHECK(view(home)->system_text("gate-instructions") == before);
}

TEST_CASE_FIXTURE(Follower, "snapshot: rights follow bindings") {
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::user;
  who.user_id = insert("user", "u@example.org", R"({"email":"u@example.org"})");
  auto home = insert("project", "home", "{}");
  CHECK_FALSE(project(home).policy->may_use_server(who, "s"));
  auto rights = insert("rbac", "r",
                       R"({"name":"r","subjects":[{"kind":"User","name":")" + who.user_id +
                           R"("}],"roleBindings":[{"role":"view","resource":"servers"}]})",
                       {{"subjects", who.user_id, store::OnDelete::unlink}});
  CHECK(project(home).policy->may_use_server(who, "s"));
  CHECK(now->policy == project(home).policy);
  change([&](store::Tx& tx) { return tx.remove(rights); });
  CHECK_FALSE(project(home).policy->may_use_server(who, "s"));
}
