// A gateway with a control plane that is a table, real loops and real server processes, and clients that are function
// calls.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <future>
#include <list>
#include <map>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "fake_responder.h"
#include "gateway/endpoint.h"
#include "json/value.h"
#include "support/temp_dir.h"

namespace mcptoken::gateway {

class FakePlane final : public ControlPlane {
 public:
  loop::Task<Result<std::vector<Credential>>> credentials(loop::Loop&, std::shared_ptr<const ServerSpec>, BearerPtr,
                                                          loop::Scope&) override {
    co_return std::vector<Credential>();
  }
  loop::Task<Result<std::vector<std::string>>> changed_tools(size_t, std::shared_ptr<const ServerSpec> server,
                                                             std::vector<ToolPrint> tools, loop::Scope&) override {
    std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (auto& tool : tools) {
      auto known = approved.try_emplace(server->name + "/" + tool.name, tool.print).first;
      if (server->pin && known->second != tool.print) out.push_back(tool.name);
    }
    co_return out;
  }
  std::optional<Error> refusal(size_t, const rbac::Principal&, const Error&) override { return std::nullopt; }
  loop::Task<Result<PromptsPtr>> prompts(size_t, const Caller& caller, loop::Scope&) override {
    co_return caller.project->prompts ? caller.project->prompts : std::make_shared<const Prompts>();
  }
  loop::Task<Result<GateState>> gate_state(size_t, const Caller& caller, loop::Scope&) override {
    std::lock_guard lock(mutex_);
    ++gate_questions;
    co_return gates[caller.who->token_sha];
  }
  loop::Task<Result<void>> set_gate_state(size_t, const Caller& caller, GateState state, loop::Scope&) override {
    std::lock_guard lock(mutex_);
    gates[caller.who->token_sha] = std::move(state);
    co_return Result<void>();
  }
  loop::Task<Result<void>> propose(size_t, const Caller&, Proposal proposal, loop::Scope&) override {
    if (proposal.name == "refused") co_return fail(Error(Status::denied, "you may not").with_hint("ask somebody"));
    std::lock_guard lock(mutex_);
    proposals.push_back(std::move(proposal));
    co_return Result<void>();
  }
  loop::Task<Result<crypto::Secret>> llm_key(size_t, std::string, loop::Scope&) override {
    co_return crypto::Secret(model_key);
  }
  void note_link(const std::string& prompt_id, const std::string& failure) override {
    std::lock_guard lock(mutex_);
    link_failures[prompt_id] = failure;
  }
  bool reserve_record(size_t) override {
    reserved += recording ? 1 : 0;
    return recording;
  }
  void release_record(size_t) override { --reserved; }
  void record(size_t, CallRecord&& record, Place place) override {
    if (place == Place::reserved) --reserved;
    std::lock_guard lock(mutex_);
    records_.push_back(std::move(record));
  }
  std::vector<CallRecord> records() const {
    std::lock_guard lock(mutex_);
    return records_;
  }
  std::atomic<bool> recording{true};
  std::atomic<int> reserved{0};
  std::atomic<int> gate_questions{0};
  std::map<std::string, GateState> gates;  // by token
  std::map<std::string, crypto::Digest> approved;  // definitions of tools
  std::vector<Proposal> proposals;
  std::string model_key = "sk-test";
  std::map<std::string, std::string> link_failures;

 private:
  mutable std::mutex mutex_;
  std::vector<CallRecord> records_;
};

// The machine's clocks, and what a test lets pass besides.
class AheadClock final : public Clock {
 public:
  int64_t wall_ms() const override { return system_clock().wall_ms() + ahead_ms; }
  int64_t mono_ms() const override { return system_clock().mono_ms() + ahead_ms; }
  std::atomic<int64_t> ahead_ms{0};
};

// One request of a client and what came of it. Lives on its site's loop once begun.
struct Visit {
  HttpRequest request;
  FakeResponder responder;
  Link link;
  std::optional<Caller> caller;
  bool done = false;

  std::vector<std::string> messages() const { return responder.messages(); }
  std::string last() const { return messages().empty() ? std::string() : messages().back(); }
  json::Value answer() const {
    auto value = json::parse(last());
    REQUIRE_MESSAGE(value, last());
    return *value;
  }
};

// The first loop runs on the test's thread, another one on a thread of its own.
class World {
 public:
  explicit World(size_t loops = 1, Options options = {}) {
    REQUIRE(crypto::init());
    options.client_info = R"({"name":"gateway","version":"1"})";
    options.version = "1";
    options.data_dir = dir.path();
    auto policy = http::AddressPolicy::parse("127.0.0.0/8");
    REQUIRE(policy);
    options.addresses = std::make_shared<const http::AddressPolicy>(*policy);
    gateway = std::make_unique<Gateway>(std::move(options), plane);
    for (size_t i = 0; i < loops; ++i) {
      loops_.push_back(std::move(loop::Loop::create(clock)).value());
      gateway->attach(*loops_.back());
      groups_.push_back(std::make_unique<loop::Group>());
    }
    for (size_t i = 1; i < loops; ++i)
      threads_.emplace_back([this, i] { loops_[i]->run(); });
    project->id = "p1";
    project->name = "home";
    allow({"role:run,resource:tools"});
    auto principal = std::make_shared<rbac::Principal>();
    principal->kind = rbac::PrincipalKind::token;
    principal->user_id = "u1";
    principal->token_sha = std::string(64, 'a');
    principal->project_id = "p1";
    principal->project = "home";
    who = principal;
  }
  // Also when a check has failed while calls run, whose frames know variables of the test that are gone already: then those
  // frames go first.
  ~World() {
    const bool failed = std::uncaught_exceptions() > 0;
    for (size_t i = loops_.size(); i-- > 0;) {
      if (failed) on(i, [this, i] { groups_[i] = std::make_unique<loop::Group>(); });
      bool stopped = false;
      on(i, [this, i, &stopped] { groups_[i]->spawn(stop(gateway->site(i), scope_, stopped)); });
      if (turns_until([&] { return read(i, [&] { return stopped; }); }, 60'000)) continue;
      std::fputs("the gateway does not stop\n", stderr);
      std::_Exit(1);
    }
    for (size_t i = 1; i < loops_.size(); ++i)
      loops_[i]->stop();
    for (auto& thread : threads_)
      thread.join();
    for (auto& group : groups_)
      group.reset();
    visits_.clear();
    gateway.reset();
  }

  void allow(const std::vector<std::string>& bindings) {
    rbac::Definition definition;
    definition.id = definition.name = "d";
    for (char token : {'a', 'b'}) definition.subjects.push_back({rbac::SubjectKind::mcp_token, std::string(64, token)});
    for (auto& text : bindings) {
      auto binding = rbac::parse_binding(text);
      REQUIRE_MESSAGE(binding, text);
      definition.bindings.push_back(*binding);
    }
    project->policy = std::make_shared<const rbac::Policy>(std::vector{definition}, std::vector<rbac::Group>{},
                                                           rbac::Ceiling::mint, rbac::ToolGrant::run);
  }
  std::string attach(const std::string& name, std::vector<std::string> command, int64_t call_ms = 0) {
    auto spec = std::make_shared<ServerSpec>();
    spec->id = "id-" + name;
    spec->name = name;
    spec->command = std::move(command);
    if (call_ms > 0) spec->call_ms = call_ms;
    project->attachments.push_back({spec, name});
    return spec->id;
  }
  void attach_script(const std::string& name, const std::string& script) { attach(name, {"sh", "-c", script}); }
  // The example server; its path comes from the build.
  void attach_example(const std::string& name, std::vector<std::string> arguments = {}) {
    const char* path = std::getenv("MCPTOKEN_EXAMPLE_SERVER");
    REQUIRE_MESSAGE(path, "MCPTOKEN_EXAMPLE_SERVER is not set");
    arguments.insert(arguments.begin(), {path, "--stdio"});
    attach(name, std::move(arguments));
  }

  using Headers = std::vector<std::pair<std::string, std::string>>;
  Visit& begin(const std::string& method, const std::string& body, Headers headers = {}, size_t site = 0) {
    Visit& visit = visits_.emplace_back();
    visit.request.method = method;
    visit.request.body = body;
    for (auto& [name, value] : headers)
      visit.request.headers.add(name, value);
    auto add = [&](const char* name, const char* value) {
      if (!visit.request.header(name)) visit.request.headers.add(name, value);
    };
    add("content-type", "application/json");
    add("accept", "application/json, text/event-stream");
    visit.caller.emplace(who, project, bearer_, "req" + std::to_string(visits_.size()), "127.0.0.1");
    on(site, [this, site, &visit] { groups_[site]->spawn(run(gateway->site(site), visit)); });
    return visit;
  }
  void finish(Visit& visit, size_t site = 0) {
    turn_until([&] { return read(site, [&] { return visit.done; }); });
  }
  Visit& send(const std::string& body, Headers headers = {}, size_t site = 0) {
    Visit& visit = begin("POST", body, std::move(headers), site);
    finish(visit, site);
    return visit;
  }
  // --- the two eras
  static std::string request(const std::string& id, const std::string& method, const std::string& params = "{}") {
    return R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":")" + method + R"(","params":)" + params + "}";
  }
  static std::string call(const std::string& id, const std::string& tool, const std::string& arguments = "{}",
                          const std::string& meta = "") {
    return request(
        id, "tools/call",
        R"({"name":")" + tool + R"(","arguments":)" + arguments + (meta.empty() ? "" : R"(,"_meta":)" + meta) + "}");
  }
  std::string session(const std::string& capabilities = "{}", size_t site = 0) {
    Visit& visit = send(request("0", "initialize",
                                R"({"protocolVersion":"2025-11-25","capabilities":)" + capabilities +
                                    R"(,"clientInfo":{"name":"c","version":"2"}})"),
                        {}, site);
    CHECK(visit.responder.status == 200);
    auto id = visit.responder.header("mcp-session-id");
    REQUIRE_FALSE(id.empty());
    return id;
  }
  static std::string modern(const std::string& id, const std::string& method, const std::string& members = "") {
    return request(
        id, method,
        "{" + members + (members.empty() ? "" : ",") +
            R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}})");
  }
  static Headers modern_headers(const std::string& method, const std::string& name = "") {
    Headers headers = {{"mcp-protocol-version", "2026-07-28"}, {"mcp-method", method}};
    if (!name.empty()) headers.emplace_back("mcp-name", name);
    return headers;
  }

  // From here on clients have the token of this letter: 'a', as at first, or 'b', which may do the same.
  void be(char token) {
    auto principal = std::make_shared<rbac::Principal>(*who);
    principal->token_sha = std::string(64, token);
    who = principal;
  }

  // Runs on the site's loop, and waits for it. What fails there fails here.
  template <class F>
  void on(size_t site, F work) {
    if (site == 0) return work();
    std::promise<void> done;
    loops_[site]->post([&] {
      try {
        work();
        done.set_value();
      } catch (...) {
        done.set_exception(std::current_exception());
      }
    });
    done.get_future().get();
  }
  template <class F>
  std::invoke_result_t<F> read(size_t site, F what) {
    std::invoke_result_t<F> out{};
    on(site, [&] { out = what(); });
    return out;
  }
  template <class Done>
  void turn_until(Done done, int64_t limit_ms = 60'000) {
    REQUIRE(turns_until(std::move(done), limit_ms));
  }
  // False: it does not happen.
  template <class Done>
  bool turns_until(Done done, int64_t limit_ms) {
    loop::Loop& loop = *loops_[0];
    loop::Timer poll(loop), watchdog(loop);
    bool late = false;
    poll.start(
        1, [] {}, 1);
    watchdog.start(limit_ms, [&] { late = true; });
    while (!done() && !late) {
      loop.defer([&loop] { loop.stop(); });
      loop.run();
    }
    return !late;
  }
  loop::Loop& loop(size_t site = 0) { return *loops_[site]; }

  testing::TempDir dir;
  AheadClock clock;
  FakePlane plane;
  std::unique_ptr<Gateway> gateway;
  std::shared_ptr<ProjectView> project = std::make_shared<ProjectView>();
  std::shared_ptr<const rbac::Principal> who;

 private:
  static loop::Task<Result<void>> run(Site& site, Visit& visit) {
    auto task = serve(site, *visit.caller, visit.request, visit.responder, visit.link);
    auto result = co_await task;
    CHECK_MESSAGE((result || visit.link.scope.cancelled()), result.error().message);
    if (visit.link.standing) {
      loop::Completion<void> never;
      auto ended = co_await never.wait(visit.link.scope);
      visit.link.standing->end(ended.error());
      visit.link.standing.reset();
    }
    visit.done = true;
    co_return Result<void>();
  }
  static loop::Task<Result<void>> stop(Site& site, loop::Scope& scope, bool& stopped) {
    auto task = site.gateway.stop(site, scope);
    auto result = co_await task;
    CHECK(result);
    stopped = true;
    co_return Result<void>();
  }

  crypto::Secret bearer_{"mcpctl_pat_test"};
  loop::Scope scope_;
  std::vector<std::unique_ptr<loop::Loop>> loops_;
  std::list<Visit> visits_;
  std::vector<std::unique_ptr<loop::Group>> groups_;
  std::vector<std::thread> threads_;
};

}  // namespace mcptoken::gateway
