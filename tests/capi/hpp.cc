// The C++ header as a program uses it: the pure functions, the loop, a service from its first user to its end, the
// clients. Built as a module it also shows that the header leaves no symbol behind (see tests/abi/hpp_symbols.py).
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include <mcptoken/mcptoken.hpp>

namespace {

namespace mcp = mcptoken;
using std::chrono::milliseconds;

int failed = 0;

#define CHECK(...) \
  ((__VA_ARGS__) ? void() : (++failed, void(std::printf("%s:%d: %s\n", __FILE__, __LINE__, #__VA_ARGS__))))

// The status of what `call` throws; 0 when it throws nothing.
template <class Call>
mcptoken_status thrown(Call&& call) {
  try {
    call();
  } catch (const mcp::Error& error) {
    CHECK(error.what()[0] != 0);
    return error.status();
  }
  return 0;
}

void pure() {
  CHECK(mcp::version() == MCPTOKEN_VERSION);
  CHECK(mcp::abi_version() == MCPTOKEN_ABI_VERSION);
  const auto raw = mcp::token::generate();
  CHECK(raw.view().size() == 54);
  CHECK(mcp::token::classify(raw.view()) == mcp::token::Kind::pat);
  CHECK(mcp::token::sha(raw.view()).size() == 64);
  CHECK(mcp::token::equal(raw.view(), raw.view()) && !mcp::token::equal(raw.view(), "x"));
  const auto start = mcp::token::Time(milliseconds(5));
  CHECK(mcp::token::parse_ttl("1h", start) == mcp::token::Time(milliseconds(3600005)));
  CHECK(!mcp::token::parse_ttl("never"));
  CHECK(thrown([] { mcp::token::classify("nothing"); }) == MCPTOKEN_INVALID);
  CHECK(thrown([] { mcp::token::parse_ttl("soon"); }) == MCPTOKEN_INVALID);
  CHECK(mcp::rbac::parse_binding("action:logs") == R"({"role":"run","action":"logs"})");
  CHECK(mcp::rbac::print_binding(R"({"role":"view","resource":"servers"})") == "role:view,resource:servers");
  const mcp::rbac::Rights rights(
      R"([{"role":"view","resource":"servers","name":"ha"},{"role":"run","action":"logs"}])");
  CHECK(rights.can_access("view", "servers", "ha") && !rights.can_access("view", "servers", std::nullopt));
  CHECK(rights.can_run("logs") && !rights.can_run("backup"));
  CHECK(rights.can_use_tool("ha", "on") && !rights.can_use_tool("x", "on"));
  CHECK(rights.allowed_scope("view", "servers") == R"({"all":false,"names":["ha"]})");
  CHECK(thrown([] { mcp::rbac::Rights wrong("{}"); }) == MCPTOKEN_INVALID);
  CHECK(mcp::kind_table().find("\"kinds\"") != std::string::npos);
  try {
    mcp::rbac::parse_binding("role:king,resource:servers");
    CHECK(!"it throws");
  } catch (const std::runtime_error& error) {
    const auto copy = dynamic_cast<const mcp::Error&>(error);
    CHECK(std::string_view(copy.what()).find("king") != std::string_view::npos);
    CHECK(std::string_view(copy.name()) == "invalid" && copy.http_status() == 0 && copy.jsonrpc_code() == 0);
    CHECK(copy.code() && copy.hint() && *copy.request_id() == 0);
  }
}

void documents() {
  mcp::json::Document document(R"({"a":[1,2.50,true,null,"x\u0000y"]})");
  const auto list = document.root()["a"];
  CHECK(list.type() == MCPTOKEN_JSON_ARRAY && list.size() == 5 && document.root().key(0) == "a");
  CHECK(list.at(0).integer() == 1 && list.at(1).text() == "2.50" && list.at(1).integer(9) == 9 && list.at(2).boolean());
  CHECK(list.at(4).text() == std::string_view("x\0y", 3));
  CHECK(!list["b"] && !list.at(7) && list.at(7).type() == MCPTOKEN_JSON_ABSENT);
  CHECK(list.print() == R"([1,2.50,true,null,"x\u0000y"])");
  mcp::json::Writer writer;
  writer.begin_object()
      .key("s")
      .string("t")
      .key("l")
      .begin_array()
      .integer(-1)
      .boolean(true)
      .null()
      .raw("[2]")
      .end_array();
  CHECK(writer.key("v").value(list.at(1)).end_object().finish() == R"({"s":"t","l":[-1,true,null,[2]],"v":2.50})");
  CHECK(thrown([] { mcp::json::Document twice(R"({"a":1,"a":2})"); }) == MCPTOKEN_INVALID);
  CHECK(thrown([] { mcp::json::Writer().key("x").finish(); }) == MCPTOKEN_MISUSE);
}

void loops() {
  mcp::Loop loop;
  int pipe_ends[2], seen = 0, ticks = 0;
  CHECK(pipe2(pipe_ends, O_NONBLOCK) == 0 && loop.fd() >= 0);
  mcp::Watch watch(loop, pipe_ends[0], 0, [&](int32_t events) {
    char byte;
    seen = events;
    if (read(pipe_ends[0], &byte, 1) == 1) loop.stop();
  });
  loop.set_busy_poll(std::chrono::microseconds(50));
  watch.change(MCPTOKEN_READABLE);
  watch.expect();
  CHECK(write(pipe_ends[1], "x", 1) == 1);
  loop.run();
  CHECK(seen == MCPTOKEN_READABLE);
  mcp::Timer never(loop, [] { CHECK(!"a stopped timer went off"); });
  never.start(milliseconds(1));
  never.stop();
  mcp::Timer timer(loop, [&] {
    if (++ticks == 3) loop.stop();
  });
  timer.start(milliseconds(1), milliseconds(1));
  loop.run_once();
  CHECK(loop.timeout().has_value());
  loop.run();
  CHECK(ticks == 3);
  timer.stop();
  std::thread([&] { loop.post([&] { ticks = 0, loop.stop(); }); }).join();
  loop.run();
  CHECK(ticks == 0);
  close(pipe_ends[0]), close(pipe_ends[1]);
}

// What was posted and never ran is gone with its loop; owners can be moved, also onto themselves.
void ownership() {
  const auto kept = std::make_shared<int>(1);
  mcp::Loop one;
  one.post([kept] { CHECK(!"a post of a loop that has ended"); });
  mcp::Loop other;
  other.post([kept, &other] { other.stop(); });
  CHECK(kept.use_count() == 3);
  one = std::move(other);
  CHECK(kept.use_count() == 2);
  auto& same = one;
  one = std::move(same);
  one.post([&one] { one.stop(); });
  one.run_once();
  CHECK(kept.use_count() == 1);
  CHECK(thrown([&] { other.post([] {}); }) == MCPTOKEN_INVALID);
  mcp::rbac::Rights rights("[]"), taken(std::move(rights));
  auto& alias = taken;
  taken = std::move(alias);
  CHECK(!taken.can_run("logs") && thrown([&] { rights.can_run("logs"); }) == MCPTOKEN_INVALID);
}

// One request at a time, run to its end.
class Host final : public mcp::Sink {
 public:
  explicit Host(const std::string& data_dir)
      : service_(mcp::Config().set("data_dir", data_dir),
                 [this](int32_t level, const char*) { warnings += level > 1; }) {
    service_.on_access({});
    service_.on_access([this](const mcptoken_access& access) { accesses += access.status >= 200; });
    service_.attach(loop_);
  }
  ~Host() override {
    bool done = false;
    service_.drain(loop_, milliseconds(1000), [&] { done = true, loop_.stop(); });
    while (!done)
      loop_.run();
  }
  std::string ask(const std::string& method, const std::string& target, std::string_view body = {},
                  const std::string& bearer = "") {
    status_ = 0, ended_ = false, answer_.clear();
    mcp::Request request{method, target, "127.0.0.1", {{"Host", "localhost"}}, static_cast<int64_t>(body.size()),
                         false};
    if (!bearer.empty()) request.headers.emplace_back("Authorization", "Bearer " + bearer);
    if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
    mcp::Exchange exchange(service_, loop_, request, *this);
    exchange.body(body);
    exchange.end();
    while (!ended_)
      loop_.run();
    CHECK(exchange.answered());
    exchange.writable();
    exchange.peer_closed();
    return answer_;
  }
  int status() const { return status_; }
  mcp::Service& service() { return service_; }
  int warnings = 0, accesses = 0;

 private:
  void head(int status, const Headers& headers, int64_t length) override {
    status_ = status;
    CHECK(!headers.empty() && length >= 0);
  }
  size_t write(std::string_view data) override { return answer_ += data, 0; }
  void end(bool ok) override { CHECK(ok), ended_ = true, loop_.stop(); }

  mcp::Loop loop_;
  mcp::Service service_;
  int status_ = 0;
  bool ended_ = false;
  std::string answer_;
};

// What they do in a service is tests/capi/stage.c; here each function of the wrapper is instantiated, and owners own.
void stages() {
  auto counted = std::make_shared<int>(0);
  {
    mcp::Config config;
    config.stage("mine", "1", [counted](mcp::StageCall call) {
      ++*counted;
      if (call.abandoned() || call.get("config").empty() || call.original().empty()) return call.fail("nothing to do");
      if (!call.cache_get("key")) call.cache_put("key", "value");
      call.add_section("a", "A", call.content());
      call.answer(call.ask_model("title?", 10));
    });
    CHECK(counted.use_count() == 2);
    CHECK(thrown([&] { config.stage("mine", "1", [](mcp::StageCall) {}); }) == MCPTOKEN_EXISTS);
    CHECK(thrown([&] { config.stage("exec", "1", [](mcp::StageCall) {}); }) == MCPTOKEN_EXISTS);
    CHECK(thrown([&] { config.stage("Not a name", "1", [](mcp::StageCall) {}); }) == MCPTOKEN_INVALID);
  }
  CHECK(counted.use_count() == 1 && *counted == 0);
}

void services(const std::string& data_dir) {
  CHECK(thrown([] { mcp::Config().set("colour", "red"); }) == MCPTOKEN_NOT_SUPPORTED);
  CHECK(thrown([] { mcp::Service nowhere((mcp::Config())); }) == MCPTOKEN_INVALID);
  auto config = mcp::Config();
  config.set("data_dir", data_dir);
  stages();
  {
    Host host(data_dir);
    CHECK(host.service().needs_bootstrap());
    CHECK(host.ask("GET", "/readyz") == R"({"status":"ok"})" && host.status() == 200);
    const std::string counted = R"(http_server_request_duration_seconds_count{http_request_method="GET",http_route="/readyz")";
    CHECK(host.service().metrics().find(counted) != std::string::npos);
    CHECK(thrown([&] { config.reset_password("ada@example.com", "correct horse"); }) == MCPTOKEN_BUSY);
    std::string code;
    std::ifstream(data_dir + "/bootstrap-code") >> code;
    const auto body = R"({"email":"ada@example.com","password":"correct horse","code":")" + code + "\"}";
    host.ask("POST", "/api/v1/auth/bootstrap", body);
    CHECK(host.status() == 201 && !host.service().needs_bootstrap());
    const auto login =
        host.ask("POST", "/api/v1/auth/login", R"({"email":"ada@example.com","password":"correct horse"})");
    const std::string session(mcp::json::Document(login).root()["token"].text());
    CHECK(mcp::token::classify(session) == mcp::token::Kind::session);
    host.ask("GET", "/api/v1/projects", {}, session);
    CHECK(host.status() == 200 && host.warnings == 0 && host.accesses == 4);
  }
  config.reset_password("ada@example.com", "battery staple");
  CHECK(config.verify_audit().find("\"intact\":true") != std::string::npos);
  CHECK(thrown([&] { config.verify_audit("7"); }) == MCPTOKEN_INVALID);
}

void clients() {
  const std::string nobody = "http://127.0.0.1:1";
  mcp::Client client(nobody, "bearer", milliseconds(2000));
  client.introduce("hpp", "1");
  CHECK(thrown([&] { client.introduce("h p p", "1"); }) == MCPTOKEN_INVALID);
  CHECK(thrown([&] { client.call("GET", "/"); }) == MCPTOKEN_UNAVAILABLE && client.http_status() == 0);
  CHECK(thrown([&] { mcp::Identity unknown(client); }) == MCPTOKEN_UNAVAILABLE);
  mcp::Session session(nobody + "/mcp", {}, milliseconds(2000), mcp::Session::Era::modern);
  session.introduce("hpp host", "1");
  CHECK(thrown([&] { session.introduce("", "1"); }) == MCPTOKEN_INVALID);
  session.on_notification([](std::string_view) {});
  session.on_notification({});
  session.on_input(R"({"roots":{}})", [](std::string_view, std::string_view) { return R"({"roots":[]})"; });
  session.on_input({}, {});
  CHECK(thrown([&] { session.on_input("{}", [](std::string_view, std::string_view) { return ""; }); }) == MCPTOKEN_INVALID);
  CHECK(thrown([&] { session.connect(); }) == MCPTOKEN_UNAVAILABLE);
  CHECK(thrown([&] { session.info(); }) == MCPTOKEN_MISUSE);
  CHECK(thrown([&] { session.list_tools(); }) == MCPTOKEN_MISUSE);
  CHECK(thrown([&] { session.call_tool("x", "{}"); }) == MCPTOKEN_MISUSE);
  CHECK(thrown([&] { session.request("x"); }) == MCPTOKEN_MISUSE);
  CHECK(thrown([&] { session.notify("x"); }) == MCPTOKEN_MISUSE);
  CHECK(thrown([&] { session.close(); }) == MCPTOKEN_MISUSE);
  CHECK(mcp::Session::base_url("http://h:1/projects/p/mcp") == "http://h:1");
  CHECK(thrown([&] { mcp::Session::health(nobody, milliseconds(2000)); }) == MCPTOKEN_UNAVAILABLE);
  mcp::Stream stream(nobody + "/x", "bearer");
  CHECK(thrown([&] { stream.next(milliseconds(10)); }) == MCPTOKEN_MISUSE);
  stream.send("GET", {{"Accept", "text/event-stream"}});
  CHECK(thrown([&] { stream.next(milliseconds(2000)); }) == MCPTOKEN_UNAVAILABLE);
  CHECK(thrown([&] { stream.send_message("{}"); }) == MCPTOKEN_INVALID);
  CHECK(stream.status() == 0 && stream.header("x").empty() && stream.event_type().empty() && stream.event_id().empty());
}

}  // namespace

int main() {
  const char* folder = std::getenv("TMPDIR");
  std::string data_dir = std::string(folder ? folder : "/tmp") + "/capi-hpp-XXXXXX";
  CHECK(mkdtemp(data_dir.data()) != nullptr);
  try {
    pure();
    documents();
    loops();
    ownership();
    services(data_dir);
    clients();
  } catch (const mcp::Error& error) {
    std::printf("%s: %s\n", error.name(), error.what());
    ++failed;
  }
  std::filesystem::remove_all(data_dir);
  std::printf(failed ? "%d failed\n" : "ok\n", failed);
  return failed ? 1 : 0;
}
