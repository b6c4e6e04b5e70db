#include "gateway/session_id.h"

#include <doctest/doctest.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "mcp/revision.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

constexpr int64_t kNow = 1'800'000'000'000;

struct Fixture {
  Fixture() {
    REQUIRE(crypto::init());
    session.capabilities = mcp::kElicitationUrl | mcp::kRoots;
    session.revision = "2025-06-18";
    session.client_name = "client";
    session.client_version = "1.2.3";
    session.issued_ms = kNow;
    session.owner = 3;
  }
  std::string seal() {
    auto id = seal_session(session, bearer, "sha", "project");
    REQUIRE(id);
    return *id;
  }
  bool refused(std::string_view id, std::string_view sha = "sha", std::string_view project = "project",
               int64_t now = kNow) {
    auto opened = open_session(id, bearer, sha, project, now);
    if (opened) return false;
    CHECK(opened.error().http == 404);  // nothing else makes a client start afresh
    CHECK(opened.error().status == Status::not_found);
    return true;
  }
  crypto::Secret bearer{"mcpctl_pat_aaaa"};
  SessionId session;
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "session id: what was sealed comes back") {
  auto id = seal();
  auto opened = open_session(id, bearer, "sha", "project", kNow + 5);
  REQUIRE(opened);
  CHECK(opened->capabilities == session.capabilities);
  CHECK(opened->revision == "2025-06-18");
  CHECK(opened->client_name == "client");
  CHECK(opened->client_version == "1.2.3");
  CHECK(opened->issued_ms == kNow);
  CHECK(opened->owner == 3);
  CHECK(opened->nonce == session.nonce);
  CHECK(opened->nonce.size() == 16);
  for (char c : id)
    CHECK((c > 0x20 && c < 0x7f));  // visible ASCII (2025-11-25, session management)
  std::string first = session.nonce;
  CHECK(seal() != id);
  CHECK(session.nonce != first);
}

TEST_CASE_FIXTURE(Fixture, "session id: every revision, every owner, never longer than it may be") {
  for (auto revision : mcp::legacy_revisions()) {
    for (int owner : {0, 1, 255}) {
      for (size_t length : {0u, 31u, 32u, 33u, 10'000u}) {
        session.revision = revision;
        session.owner = static_cast<uint8_t>(owner);
        session.capabilities = 0xffffffff;
        session.client_name = std::string(length, 'x');
        session.client_version = std::string(length, 'v');
        auto id = seal();
        CHECK(id.size() <= kMaxSessionIdBytes);
        auto opened = open_session(id, bearer, "sha", "project", kNow);
        REQUIRE(opened);
        CHECK(opened->revision == revision);
        CHECK(opened->owner == owner);
        CHECK(opened->capabilities == 0xffffffff);
        CHECK(opened->client_name == std::string(std::min<size_t>(length, 32), 'x'));
        CHECK(opened->client_version == std::string(std::min<size_t>(length, 16), 'v'));
      }
    }
  }
}

TEST_CASE_FIXTURE(Fixture, "session id: a long name is cut between characters") {
  struct Row {
    std::string name, kept;
  };
  const std::string a30(30, 'a'), a31(31, 'a'), a29(29, 'a');
  const Row rows[] = {
      {a31 + "\xc3\xa4", a31},
      {a30 + "\xc3\xa4", a30 + "\xc3\xa4"},
      {a30 + "\xc3\xa4x", a30 + "\xc3\xa4"},
      {a30 + "\xe2\x82\xac", a30},
      {a29 + "\xe2\x82\xac" + "x", a29 + "\xe2\x82\xac"},
      {a29 + "\xf0\x9f\x98\x80", a29},
      {a31 + "b" + "\xc3\xa4", a31 + "b"},
      {std::string("name\0version", 12), "name"},  // no border may be forged
  };
  for (auto& row : rows) {
    session.client_name = row.name;
    auto opened = open_session(seal(), bearer, "sha", "project", kNow);
    REQUIRE(opened);
    CHECK(opened->client_name == row.kept);
    CHECK(opened->client_version == "1.2.3");
  }
}

TEST_CASE_FIXTURE(Fixture, "session id: only this token, for this project, with this bearer") {
  auto id = seal();
  CHECK_FALSE(refused(id));
  CHECK(refused(id, "other"));
  CHECK(refused(id, "sha", "other"));
  CHECK(refused(id, "sha\nproject", ""));
  CHECK(refused(id, "", "sha\nproject"));
  bearer = crypto::Secret("mcpctl_pat_aaab");
  CHECK(refused(id));
}

TEST_CASE_FIXTURE(Fixture, "session id: no byte of it can be changed") {
  auto id = seal();
  for (size_t i = 0; i < id.size(); ++i) {
    for (char other : {'A', 'B', '-', '=', '\0', ' '}) {
      if (id[i] == other) continue;
      std::string changed = id;
      changed[i] = other;
      CHECK_MESSAGE(refused(changed), i);
    }
    CHECK(refused(id.substr(0, i)));
  }
  CHECK(refused(id + "A"));
  CHECK(refused(id + "="));
  CHECK(refused(" " + id));
  CHECK(refused(std::string(161, 'A')));
  CHECK(refused(std::string(1'000'000, 'A')));
}

TEST_CASE_FIXTURE(Fixture, "session id: it ends after 24 hours") {
  auto id = seal();
  CHECK_FALSE(refused(id, "sha", "project", kNow + limits::kSessionMaxMs - 1));
  CHECK(refused(id, "sha", "project", kNow + limits::kSessionMaxMs));
  CHECK_FALSE(refused(id, "sha", "project", kNow - 1000));  // another process's clock may be behind
}

TEST_CASE_FIXTURE(Fixture, "session id: a sealed text of another kind is not a session") {
  auto key = crypto::derive_key(bearer.reveal(), "mcp-session");
  auto sealed = [&](const std::string& plain) { return to_base64url(*crypto::seal(key, plain, "sha\nproject")); };
  std::string plain = std::string("\x01", 1) + std::string(4, '\0') + std::string(1, '\0') +
                      std::string("\0\x6b\x49\xd2\0", 5) + std::string(9, '\0');
  CHECK_FALSE(refused(sealed(plain)));
  CHECK(refused(sealed("")));
  CHECK(refused(sealed(plain.substr(1))));
  plain[0] = 2;
  CHECK(refused(sealed(plain)));  // another version of the format
  plain[0] = 1;
  plain[5] = 99;
  CHECK(refused(sealed(plain)));  // a revision that we do not know
}

TEST_CASE_FIXTURE(Fixture, "session id: what is remembered is given to its bearer, for its project, while it lasts") {
  SessionIds ids;
  const auto id = seal();
  for (int round = 0; round < 2; ++round) {
    auto opened = ids.open(id, bearer, "sha", "project", kNow + 5);
    REQUIRE(opened);
    CHECK((*opened)->nonce == session.nonce);
    CHECK((*opened)->capabilities == session.capabilities);
  }
  const crypto::Secret other("mcpctl_pat_bbbb");
  CHECK_FALSE(ids.open(id, other, "another sha", "project", kNow + 5));
  CHECK_FALSE(ids.open(id, bearer, "sha", "another project", kNow + 5));
  CHECK_FALSE(ids.open(id.substr(1), bearer, "sha", "project", kNow + 5));
  CHECK_FALSE(ids.open(id + id, bearer, "sha", "project", kNow + 5));
  const auto late = ids.open(id, bearer, "sha", "project", kNow + limits::kSessionMaxMs);
  REQUIRE_FALSE(late);
  CHECK(late.error().http == 404);
  for (int i = 0; i < 3'000; ++i)
    REQUIRE(ids.open(seal(), bearer, "sha", "project", kNow));
  CHECK(ids.open(id, bearer, "sha", "project", kNow + 5));
}
