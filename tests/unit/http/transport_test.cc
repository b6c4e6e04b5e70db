// The client over a scripted transport: what a real socket does too rarely to be met in a test.
#include <doctest/doctest.h>

#include <deque>

#include "harness.h"

using namespace mcptoken;
using namespace mcptoken::http;

namespace {

struct Script {
  size_t bytes_per_write = SIZE_MAX;
  bool block_between = false;  // every other write or read is blocked
  size_t writes_before_failure = SIZE_MAX;
  std::deque<std::string> reads;  // then the end
  std::string written;
  std::vector<size_t> pieces;  // of each write
  int open = 0;
  int events = 0;
};

class ScriptedTransport final : public Transport {
 public:
  ScriptedTransport(loop::Loop& loop, Script& script) : script_(script), timer_(loop) { ++script_.open; }
  ~ScriptedTransport() override { --script_.open; }

  Io read(std::span<char> into) override {
    Io io;
    if (script_.block_between && (turn_ = !turn_)) return io;
    io.kind = Io::Kind::closed;
    if (script_.reads.empty()) return io;
    std::string& front = script_.reads.front();
    io.kind = Io::Kind::done;
    io.bytes = std::min(into.size(), front.size());
    front.copy(into.data(), io.bytes);
    front.erase(0, io.bytes);
    if (front.empty()) script_.reads.pop_front();
    return io;
  }
  Io write(std::span<const std::string_view> pieces) override {
    Io io;
    if (script_.block_between && (turn_ = !turn_)) return io;
    if (script_.writes_before_failure == 0) {
      io.kind = Io::Kind::failed;
      return io;
    }
    --script_.writes_before_failure;
    io.kind = Io::Kind::done;
    script_.pieces.push_back(pieces.size());
    for (std::string_view piece : pieces) {
      const std::string_view part = piece.substr(0, script_.bytes_per_write - io.bytes);
      script_.written += part;
      io.bytes += part.size();
    }
    return io;
  }
  void listen(Listener* listener) override { listener_ = listener; }
  void want(int events) override {
    timer_.stop();
    if (events != 0)
      timer_.start(1, [this, events] {
        ++script_.events;
        listener_->on_ready(events);
      });
  }

 private:
  Script& script_;
  loop::Timer timer_;
  Listener* listener_ = nullptr;
  bool turn_ = false;
};

class ScriptedDialer final : public Dialer {
 public:
  ScriptedDialer(loop::Loop& loop, Script& script) : loop_(loop), script_(script) {}
  Result<std::unique_ptr<Dial>> dial(const Endpoint&, Done done) override {
    return std::make_unique<Attempt>(*this, std::move(done));
  }

 private:
  struct Attempt final : Dial {
    Attempt(ScriptedDialer& dialer, Done done_in) : done(std::move(done_in)), timer(dialer.loop_) {
      timer.start(0, [this, &dialer] {
        auto call = std::move(done);
        call(std::make_unique<ScriptedTransport>(dialer.loop_, dialer.script_));
      });
    }
    Done done;
    loop::Timer timer;
  };
  loop::Loop& loop_;
  Script& script_;
};

Call simple() {
  Call call;
  call.url = "http://upstream.example/mcp";
  call.body = "0123456789";
  return call;
}

const std::string kExpected =
    "POST /mcp HTTP/1.1\r\nHost: upstream.example\r\nAccept-Encoding: identity\r\nContent-Length: 10\r\n\r\n0123456789";

}  // namespace

TEST_CASE("a request arrives whole however little the connection takes at a time") {
  for (size_t step : {size_t{1}, size_t{7}, size_t{85}, size_t{1000}}) {
    for (bool block : {false, true}) {
      CAPTURE(step);
      Script script;
      script.bytes_per_write = step;
      script.block_between = block;
      script.reads = {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na", "bc", "d"};
      Harness harness;
      harness.use(std::make_unique<Client>(*harness.loop, std::make_unique<ScriptedDialer>(*harness.loop, script)));
      const auto reply = harness.call(simple());
      REQUIRE(reply);
      CHECK(reply->body == "abcd");
      // An answer may overtake its request; what was not sent by then leaves with the connection.
      CHECK(kExpected.starts_with(script.written));
      if (!block) CHECK(script.written == kExpected);
      harness.use(nullptr);
      CHECK(script.open == 0);
    }
  }
}

TEST_CASE("a short body is copied behind its head, a long one is sent from where it lies") {
  for (const auto& [size, pieces] : {std::pair<size_t, size_t>{10, 1}, {3'000, 1}, {5'000, 2}}) {
    CAPTURE(size);
    Script script;
    script.reads = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
    Harness harness;
    harness.use(std::make_unique<Client>(*harness.loop, std::make_unique<ScriptedDialer>(*harness.loop, script)));
    Call call = simple();
    call.body = std::string(size, 'b');
    REQUIRE(harness.call(call));
    CHECK(script.pieces == std::vector<size_t>{pieces});
    CHECK(script.written.ends_with("\r\n\r\n" + call.body));
    harness.use(nullptr);
  }
}

TEST_CASE("what is left of a request when its answer starts is sent from a copy") {
  Script script;
  script.bytes_per_write = 10;
  script.block_between = true;
  script.reads = {"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n"};
  for (int i = 0; i < 400; ++i)
    script.reads.emplace_back("r");
  Harness harness;
  harness.use(std::make_unique<Client>(*harness.loop, std::make_unique<ScriptedDialer>(*harness.loop, script)));
  const auto send = [](Client& client, const Script& seen, loop::Scope& scope,
                       bool& early) -> loop::Task<Result<void>> {
    MCPT_CO_TRY(const Url url, parse_url("http://h/"));
    std::string body(1000, 'x');
    const std::string_view piece = body;
    Request request;
    request.method = "POST";
    request.url = &url;
    request.body = std::span(&piece, 1);
    const Options options;
    auto sending = client.send(request, options, "k", scope);
    MCPT_CO_TRY(auto exchange, co_await sending);
    early = seen.written.size() < 500;
    body.assign(body.size(), 'y');  // the caller's bytes are borrowed only until here
    auto reading = exchange->read_all(400, scope);
    MCPT_CO_TRY(const std::string reply, co_await reading);
    co_return Result<void>();
  };
  loop::Scope scope;
  bool early = false;
  std::optional<Result<void>> out;
  loop::Group group;
  group.spawn(send(*harness.client, script, scope, early), [&](Result<void> result) { out = std::move(result); });
  harness.turn_until([&] { return out.has_value(); });
  CHECK(*out);
  CHECK(early);
  CHECK(script.written.ends_with("\r\n\r\n" + std::string(1000, 'x')));
}

TEST_CASE("an error says whether the request can have run") {
  struct Case {
    size_t writes_before_failure;
    Status status;
  };
  for (const Case& one : {Case{0, Status::unavailable}, Case{1, Status::network}, Case{2, Status::network}}) {
    CAPTURE(one.writes_before_failure);
    Script script;
    script.bytes_per_write = 10;
    script.writes_before_failure = one.writes_before_failure;
    Harness harness;
    harness.use(std::make_unique<Client>(*harness.loop, std::make_unique<ScriptedDialer>(*harness.loop, script)));
    const auto reply = harness.call(simple());
    REQUIRE_FALSE(reply);
    CHECK(reply.error().status == one.status);
    CHECK(script.open == 0);
  }
}

TEST_CASE("an endless fast answer leaves the loop to others") {
  Script script;
  script.reads = {"HTTP/1.1 200 OK\r\n\r\n"};
  for (int i = 0; i < 200; ++i)
    script.reads.emplace_back(1000, 'x');
  Harness harness;
  harness.use(std::make_unique<Client>(*harness.loop, std::make_unique<ScriptedDialer>(*harness.loop, script)));
  const auto reply = harness.call(simple());
  REQUIRE(reply);
  CHECK(reply->body.size() == 200'000);
  CHECK(script.events >= 200 / 16);
}
