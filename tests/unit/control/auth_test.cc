#include <fstream>
#include <iterator>

#include "unit/control/world.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

namespace {

std::string slurp(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::optional<std::string> prepare(World& world) {
  std::optional<std::string> path;
  world.write([&](store::Tx& tx) -> Result<void> {
    MCPT_TRY(path, world.control->prepare_bootstrap(tx));
    return {};
  });
  return path;
}

std::string first_line(const std::string& path) {
  auto text = slurp(path);
  return text.substr(0, text.find('\n'));
}

std::string body_of(const std::string& code, const std::string& email = "root@example.org") {
  return R"({"email":")" + email + R"(","password":"correct horse","code":")" + code + "\"}";
}

// The principal of a session token, as the service finds it.
rbac::Principal session(World& world, const std::string& raw) {
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::user;
  world.read([&](store::Tx& tx) -> Result<void> {
    MCPT_TRY(const auto record, tx.find_session(token::hash(raw)));
    MCPT_TRY(const auto user, tx.get(record.user_id));
    who.user_id = user.id;
    who.user_email = user.name;
    who.session_id = record.id;
    return {};
  });
  return who;
}

bool session_lives(World& world, const std::string& raw) {
  bool lives = false;
  world.read([&](store::Tx& tx) -> Result<void> {
    lives = tx.find_session(token::hash(raw)).has_value();
    return {};
  });
  return lives;
}

const rbac::Principal kNobody;
constexpr auto kBootstrap = "/api/v1/auth/bootstrap";
constexpr auto kLogin = "/api/v1/auth/login";

}  // namespace

TEST_CASE("the first user is made once, with the code, and holds everything") {
  World world;
  const auto path = prepare(world);
  REQUIRE(path.has_value());
  CHECK(mcptoken::testing::mode_of(*path) == 0600);
  const auto code = first_line(*path);
  CHECK(code.size() == 32);
  CHECK(prepare(world) == path);
  CHECK(first_line(*path) == code);  // a pending code stays

  CHECK(world.expect(403, kNobody, "POST", kBootstrap, body_of(std::string(32, '0'))).text("error") ==
        "bad_bootstrap_code");
  CHECK(world.hashes == 0);  // a wrong code costs no work
  world.expect(400, kNobody, "POST", kBootstrap,
               R"({"email":"root@example.org","password":"short","code":")" + code + "\"}");
  world.expect(400, kNobody, "POST", kBootstrap,
               R"({"email":"root@example.org","password":"correct horse","code":"x","disabled":"x"})");
  const auto made = world.expect(201, kNobody, "POST", kBootstrap, body_of(code));
  CHECK(token::classify(made.text("token")) == token::Kind::session);
  CHECK(slurp(*path).empty());
  CHECK(world.expect(409, kNobody, "POST", kBootstrap, body_of(code, "two@example.org")).text("error") ==
        "already_bootstrapped");

  const auto root = session(world, made.text("token"));
  const auto me = world.expect(200, root, "GET", "/api/v1/auth/whoami");
  CHECK(me.text("email") == "root@example.org");
  for (auto query : {R"({"action":"edit","resource":"servers"})", R"({"action":"run","resource":"servers","name":"x"})",
                     R"({"action":"edit","resource":"*"})", R"({"operation":"backup"})", R"({"operation":"escalate"})",
                     R"({"operation":"set-own-password"})"})
    CHECK(world.expect(200, root, "POST", "/api/v1/authz/check", query).json.find("allowed")->as_bool() == true);
  CHECK(world.events(audit::Kind::login).size() == 1);
  CHECK(!prepare(world).has_value());
}

TEST_CASE("of two bootstraps at once one succeeds (CE-71)") {
  World world;
  const auto code = first_line(*prepare(world));
  int inner = 0;
  world.while_hashing = [&] {
    inner = world.call(kNobody, "POST", kBootstrap, body_of(code, "two@example.org")).status;
  };
  CHECK(world.call(kNobody, "POST", kBootstrap, body_of(code)).status == 409);
  CHECK(inner == 201);
  const auto two =
      world.expect(200, kNobody, "POST", kLogin, R"({"email":"two@example.org","password":"correct horse"})");
  CHECK(
      world.expect(200, session(world, two.text("token")), "GET", "/api/v1/users").json.find("items")->items().size() ==
      1);
}

TEST_CASE("login, logout, and what looks alike when it fails") {
  World world;
  const auto admin = world.admin();
  world.expect(201, admin, "POST", "/api/v1/users", R"({"email":"bob@example.org","password":"correct horse"})");
  world.expect(201, admin, "POST", "/api/v1/users", R"({"email":"nopass@example.org"})");
  world.expect(201, admin, "POST", "/api/v1/users",
               R"({"email":"off@example.org","password":"correct horse","disabled":true})");
  const auto good =
      world.expect(200, kNobody, "POST", kLogin, R"({"email":"bob@EXAMPLE.org","password":"correct horse"})");
  CHECK(good.header("Cache-Control") == "no-store");
  const auto bob = session(world, good.text("token"));
  CHECK(bob.user_email == "bob@example.org");

  const auto before = world.hashes;
  const char* bad[] = {R"({"email":"bob@example.org","password":"wrong horse"})",
                       R"({"email":"none@example.org","password":"correct horse"})",
                       R"({"email":"nopass@example.org","password":"correct horse"})",
                       R"({"email":"off@example.org","password":"correct horse"})"};
  std::string same;
  for (auto body : bad) {
    const auto reply = world.expect(401, kNobody, "POST", kLogin, body);
    CHECK(reply.header("WWW-Authenticate") == R"(Bearer realm="mcpctl")");
    if (same.empty()) same = reply.body;
    CHECK(reply.body == same);
  }
  CHECK(world.hashes == before + 4);  // unknown users cost the same work
  CHECK(world.events(audit::Kind::login_failed).size() == 4);
  for (const auto& event : world.events(audit::Kind::login_failed))
    CHECK(event.payload.find("horse") == std::string::npos);

  world.expect(200, bob, "POST", "/api/v1/auth/logout");
  CHECK(!session_lives(world, good.text("token")));
  world.expect(401, kNobody, "POST", "/api/v1/auth/logout");
}

TEST_CASE("what is no address is refused like an unknown one, at the same price, and kept nowhere") {
  World world;
  const auto unknown =
      world.expect(401, kNobody, "POST", kLogin, R"({"email":"none@example.org","password":"wrong horse"})");
  const std::string bad[] = {"hunter2", "a\\u202eb@example.org", "x\\u0000@example.org", "root@example.org ",
                             std::string(1 << 20, 'x') + "@example.org"};
  for (const auto& email : bad) {
    CAPTURE(email.substr(0, 30));
    const auto before = world.hashes;
    const auto reply =
        world.expect(401, kNobody, "POST", kLogin, R"({"email":")" + email + R"(","password":"wrong horse"})");
    CHECK(reply.body == unknown.body);
    CHECK(reply.headers == unknown.headers);
    CHECK(world.hashes == before + 1);
  }
  const auto events = world.events(audit::Kind::login_failed);
  REQUIRE(events.size() == 1 + std::size(bad));
  int nobody = 0;
  for (const auto& event : events)
    nobody += event.user.empty() && event.subject == "user";
  CHECK(nobody == std::size(bad));
  // They are counted as one account that nobody has.
  for (size_t i = std::size(bad); i < 10; i++)
    world.expect(401, kNobody, "POST", kLogin, R"({"email":"x)" + std::to_string(i) + R"(","password":"wrong horse"})");
  world.expect(429, kNobody, "POST", kLogin, R"({"email":"y","password":"wrong horse"})");
  world.expect(401, kNobody, "POST", kLogin, R"({"email":"other@example.org","password":"wrong horse"})");
}

TEST_CASE("a password that changes while it is verified does not let in") {
  World world;
  const auto admin = world.admin();
  world.expect(201, admin, "POST", "/api/v1/users", R"({"email":"bob@example.org","password":"correct horse"})");
  world.while_hashing = [&] {
    world.expect(200, admin, "PATCH", "/api/v1/users/bob@example.org", R"({"disabled":true})");
  };
  world.expect(401, kNobody, "POST", kLogin, R"({"email":"bob@example.org","password":"correct horse"})");
}

TEST_CASE("passwords are write-only, and setting one ends the user's sessions") {
  World world;
  const auto admin = world.admin();
  const auto made =
      world.expect(201, admin, "POST", "/api/v1/users", R"({"email":"bob@example.org","password":"correct horse"})");
  CHECK(made.body.find("horse") == std::string::npos);
  CHECK(made.json.find("password") == nullptr);
  const auto login = R"({"email":"bob@example.org","password":"correct horse"})";
  const auto one = world.expect(200, kNobody, "POST", kLogin, login).text("token");
  world.expect(200, admin, "PATCH", "/api/v1/users/bob@example.org", R"({"name":"Bob"})");
  CHECK(session_lives(world, one));
  world.expect(200, admin, "PATCH", "/api/v1/users/bob@example.org", R"({"password":"battery staple"})");
  CHECK(!session_lives(world, one));
  world.expect(401, kNobody, "POST", kLogin, login);
  const auto two =
      world.expect(200, kNobody, "POST", kLogin, R"({"email":"bob@example.org","password":"battery staple"})")
          .text("token");
  world.expect(200, admin, "PATCH", "/api/v1/users/bob@example.org", R"({"disabled":true})");
  CHECK(!session_lives(world, two));
  world.read([&](store::Tx& tx) -> Result<void> {
    MCPT_TRY(const auto user, tx.get("user", "", "bob@example.org"));
    CHECK(user.doc.find("password") == std::string::npos);
    return {};
  });
}

TEST_CASE("nobody without the right makes the server hash, and nobody takes over somebody stronger") {
  World world;
  const auto admin = world.admin();
  const auto clerk = world.user("clerk@example.org", {"role:edit,resource:users"});
  const auto plain = world.user("plain@example.org");
  world.user("weak@example.org", {});
  world.expect(403, plain, "POST", "/api/v1/users", R"({"email":"x@example.org","password":"correct horse"})");
  world.expect(403, plain, "PUT", "/api/v1/users/weak@example.org/password", R"({"password":"correct horse"})");
  CHECK(world.hashes == 0);
  world.expect(403, clerk, "PUT", "/api/v1/users/root@example.org/password", R"({"password":"correct horse"})");
  CHECK(world.hashes == 0);
  world.expect(403, clerk, "PATCH", "/api/v1/users/root@example.org", R"({"password":"correct horse"})");
  // Nor somebody who will be stronger again.
  const int hashes = world.hashes;
  world.expect(200, clerk, "PATCH", "/api/v1/users/root@example.org", R"({"disabled":true})");
  world.expect(403, clerk, "PUT", "/api/v1/users/root@example.org/password", R"({"password":"correct horse"})");
  CHECK(world.hashes == hashes);
  world.expect(403, clerk, "PATCH", "/api/v1/users/root@example.org", R"({"disabled":false,"password":"correct horse"})");
  world.expect(200, clerk, "PATCH", "/api/v1/users/root@example.org", R"({"disabled":false})");
  world.expect(200, clerk, "PUT", "/api/v1/users/weak@example.org/password", R"({"password":"correct horse"})");
  world.expect(200, kNobody, "POST", kLogin, R"({"email":"weak@example.org","password":"correct horse"})");
  world.expect(200, admin, "PUT", "/api/v1/users/clerk@example.org/password", R"({"password":"correct horse"})");
}

TEST_CASE("one's own password needs the operation and the old one") {
  World world;
  const auto admin = world.admin();
  world.expect(201, admin, "POST", "/api/v1/users", R"({"email":"bob@example.org","password":"correct horse"})");
  const auto own = session(
      world, world.expect(200, kNobody, "POST", kLogin, R"({"email":"bob@example.org","password":"correct horse"})")
                 .text("token"));
  const auto other =
      world.expect(200, kNobody, "POST", kLogin, R"({"email":"bob@example.org","password":"correct horse"})")
          .text("token");
  const auto path = "/api/v1/users/me/password";
  CHECK(world.expect(403, own, "POST", path, R"({"current":"correct horse","password":"battery staple"})")
            .header("WWW-Authenticate")
            .find("run:set-own-password") != std::string::npos);
  world.expect(201, admin, "POST", "/api/v1/rbac",
               R"({"name":"own","subjects":["User:bob@example.org"],"roleBindings":["action:set-own-password"]})");
  CHECK(world.expect(400, own, "POST", path, R"({"current":"wrong horse","password":"battery staple"})")
            .text("message") == "current: is not your password");
  world.expect(400, own, "POST", path, R"({"current":"correct horse","password":"short"})");
  world.expect(200, own, "POST", path, R"({"current":"correct horse","password":"battery staple"})");
  CHECK(!session_lives(world, other));
  world.expect(200, own, "GET", "/api/v1/auth/whoami");
  world.expect(200, kNobody, "POST", kLogin, R"({"email":"bob@example.org","password":"battery staple"})");
}

TEST_CASE("wrong passwords are counted per account, before anything is hashed, whether or not it exists") {
  World world;
  const auto admin = world.admin();
  world.expect(201, admin, "POST", "/api/v1/users", R"({"email":"bob@example.org","password":"correct horse"})");
  for (const std::string email : {"bob@example.org", "nobody@example.org"}) {
    CAPTURE(email);
    const auto wrong = R"({"email":")" + email + R"(","password":"wrong horse"})";
    for (int i = 0; i < 10; i++)
      world.expect(401, kNobody, "POST", kLogin, wrong);
    const auto hashes = world.hashes;
    const auto refused = world.expect(429, kNobody, "POST", kLogin, wrong);
    CHECK(refused.text("error") == "rate_limited");
    CHECK(refused.header("Retry-After") == "30");
    // The right one waits, too: otherwise the answer would tell that it was right.
    world.expect(429, kNobody, "POST", kLogin, R"({"email":")" + email + R"(","password":"correct horse"})");
    CHECK(world.hashes == hashes);
    world.clock.now += 29'999;
    CHECK(world.expect(429, kNobody, "POST", kLogin, wrong).header("Retry-After") == "1");
    world.clock.now += 1;
    world.expect(401, kNobody, "POST", kLogin, wrong);
    world.expect(429, kNobody, "POST", kLogin, wrong);
    world.clock.now += 400'000;
  }
  // A login forgives what was before it.
  const auto good = R"({"email":"bob@example.org","password":"correct horse"})";
  for (int i = 0; i < 25; i++)
    world.expect(i % 5 == 4 ? 200 : 401, kNobody, "POST", kLogin,
                 i % 5 == 4 ? good : R"({"email":"bob@example.org","password":"wrong horse"})");
}

TEST_CASE("many accounts from one address are counted, and an address is a network") {
  FakeClock clock;
  LoginGuard guard(clock);
  const auto attempts = [&](const std::string& address, const std::string& prefix) {
    int count = 0;
    while (count < 1000 && guard.begin(address, prefix + std::to_string(count)))
      count++;
    return count;
  };
  CHECK(attempts("192.0.2.1", "a") == 30);
  CHECK(attempts("192.0.2.1", "b") == 0);
  CHECK(attempts("192.0.2.2", "c") == 30);
  CHECK(attempts("2001:db8::1", "d") == 30);
  CHECK(attempts("2001:db8::ffff:1", "e") == 0);
  CHECK(attempts("2001:db8:0:1::1", "f") == 30);
  CHECK(attempts("::ffff:192.0.2.9", "g") == 30);
  CHECK(attempts("::ffff:192.0.2.8", "h") == 30);
  clock.now += 20'000;
  CHECK(attempts("192.0.2.1", "i") == 2);
  // One account from everywhere.
  int heard = 0;
  for (int i = 0; i < 100; i++)
    heard += guard.begin("198.51.100." + std::to_string(i), "bob@example.org").has_value();
  CHECK(heard == 10);
  // A success forgives the account and one failure of the address.
  guard.succeeded("192.0.2.1", "bob@example.org");
  CHECK(guard.begin("192.0.2.1", "bob@example.org").has_value());
  CHECK(!guard.begin("192.0.2.1", "carol@example.org").has_value());
}

TEST_CASE("who guesses elsewhere does not keep the owner out where he has logged in") {
  FakeClock clock;
  LoginGuard guard(clock);
  const auto heard = [&](const std::string& network, int from, int count) {
    int out = 0;
    for (int i = from; i < from + count; ++i) out += guard.begin(network + std::to_string(i), "bob@example.org").has_value();
    return out;
  };
  REQUIRE(guard.begin("2001:db8::1", "bob@example.org"));
  guard.succeeded("2001:db8::1", "bob@example.org");
  CHECK(heard("198.51.100.", 0, 50) == 10);
  CHECK(heard("2001:db8::", 1, 50) == 10);  // the owner's network has a count of its own, and no more
  CHECK(heard("198.51.100.", 50, 50) == 0);
  clock.now += 30'000;
  REQUIRE(guard.begin("2001:db8::1", "bob@example.org"));
  guard.succeeded("2001:db8::1", "bob@example.org");
  CHECK(heard("198.51.100.", 0, 50) == 1);  // a success there forgives nobody here
}

TEST_CASE("one's own old password is not guessed through a stolen session") {
  World world;
  const auto admin = world.admin();
  for (int i = 0; i < 10; i++)
    CHECK(world
              .expect(400, admin, "POST", "/api/v1/users/me/password",
                      R"({"current":"wrong horse","password":"battery staple"})")
              .status == 400);
  world.expect(429, admin, "POST", "/api/v1/users/me/password",
               R"({"current":"wrong horse","password":"battery staple"})");
}

TEST_CASE("a full queue of the hasher has looked at no password, and counts none") {
  World world;
  const auto admin = world.admin();
  world.expect(201, admin, "POST", "/api/v1/users", R"({"email":"bob@example.org","password":"correct horse"})");
  world.write([&](store::Tx& tx) -> Result<void> {
    MCPT_TRY(const auto phc, crypto::hash_password("correct horse"));
    return tx.set_password(admin.user_id, phc);
  });
  const auto own = [](const std::string& current, const std::string& next) {
    return R"({"current":")" + current + R"(","password":")" + next + "\"}";
  };
  for (const int takes : {0, 1}) {  // the second hash of a change is the new one
    for (int i = 0; i < 15; i++) {
      world.hasher_takes = takes;
      const auto full =
          world.expect(429, admin, "POST", "/api/v1/users/me/password", own("correct horse", "battery staple"));
      CHECK(full.header("Retry-After") == "1");
      CHECK(full.text("message") == "too many passwords are being checked");
    }
  }
  for (const std::string email : {"bob@example.org", "nobody@example.org", "no address"}) {
    CAPTURE(email);
    for (int i = 0; i < 40; i++) {  // more than an account or an address is heard for
      world.hasher_takes = 0;
      const auto full =
          world.expect(429, kNobody, "POST", kLogin, R"({"email":")" + email + R"(","password":"correct horse"})");
      CHECK(full.text("message") == "too many passwords are being checked");
    }
  }
  CHECK(world.events(audit::Kind::login_failed).empty());
  world.hasher_takes = INT_MAX;
  // A new password that is none is told before the old one is looked at.
  for (int i = 0; i < 15; i++)
    world.expect(400, admin, "POST", "/api/v1/users/me/password", own("wrong horse", "x"));
  world.expect(200, kNobody, "POST", kLogin, R"({"email":"bob@example.org","password":"correct horse"})");
  world.expect(200, admin, "POST", "/api/v1/users/me/password", own("correct horse", "battery staple"));
  for (int i = 0; i < 10; i++)
    world.expect(401, kNobody, "POST", kLogin, R"({"email":"bob@example.org","password":"wrong horse"})");
  world.expect(429, kNobody, "POST", kLogin, R"({"email":"bob@example.org","password":"wrong horse"})");
}
