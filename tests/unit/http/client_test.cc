#include "http/client.h"

#include <doctest/doctest.h>

#include "harness.h"
#include "http/sse.h"
#include "server.h"

using namespace mcptoken;
using namespace mcptoken::http;

namespace {

void echo_bodies(Peer& peer, int) {
  for (;;) {
    const std::string request = peer.request();
    if (request.empty()) return;
    peer.send(answer(request.substr(request.find("\r\n\r\n") + 4)));
  }
}

Call to(const Server& server) {
  Call call;
  call.url = server.url();
  return call;
}

}  // namespace

TEST_CASE("calls with one credential share a kept connection, others do not") {
  std::string seen;
  std::mutex mutex;
  Server server([&](Peer& peer, int) {
    for (;;) {
      const std::string request = peer.request();
      if (request.empty()) return;
      {
        const std::lock_guard lock(mutex);
        seen = request;
      }
      peer.send(answer("ok", "Content-Type: text/plain\r\n"));
    }
  });
  Harness harness;
  Call call = to(server);
  call.headers = {{"Authorization", "Bearer t"}};
  for (int i = 0; i < 20; ++i) {
    const auto reply = harness.call(call);
    REQUIRE(reply);
    CHECK(reply->body == "ok");
    CHECK(reply->type == "text/plain");
  }
  CHECK(server.connections() == 1);
  CHECK(harness.client->idle_connections() == 1);
  {
    const std::lock_guard lock(mutex);
    CHECK(seen == "POST / HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                      "\r\nAuthorization: Bearer t\r\nAccept-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}");
  }
  call.key = "b";
  CHECK(harness.call(call));
  CHECK(server.connections() == 2);
  call.options.allow_private = true;
  CHECK(harness.call(call));
  CHECK(server.connections() == 3);
  CHECK(harness.client->idle_connections() == 3);
  harness.client->close_idle();
  CHECK(harness.client->idle_connections() == 0);
  CHECK(harness.call(call));
  CHECK(server.connections() == 4);
}

TEST_CASE("every framing arrives whole, byte by byte") {
  const std::string answers[] = {
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x\r\n world\r\n0\r\nT: x\r\n\r\n",
      answer("hello world"),
      "HTTP/1.1 100 Continue\r\n\r\n" + answer("hello world"),
      "HTTP/1.1 200 OK\r\n\r\nhello world",
  };
  for (const std::string& text : answers) {
    Server server([&](Peer& peer, int) {
      if (peer.request().empty()) return;
      for (char c : text) {
        peer.send(std::string_view(&c, 1));
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      }
    });
    Harness harness;
    const auto reply = harness.call(to(server));
    REQUIRE(reply);
    CHECK(reply->body == "hello world");
  }
}

TEST_CASE("a chunked answer split at every place gives the same body") {
  const std::string text =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n";
  std::atomic<size_t> cut{0};
  std::atomic<bool> first_sent{false}, go_on{false};
  Server server([&](Peer& peer, int) {
    while (!peer.request().empty()) {
      peer.send(std::string_view(text).substr(0, cut));
      first_sent = true;
      while (!go_on)
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      peer.send(std::string_view(text).substr(cut));
    }
  });
  Harness harness;
  const Call call = to(server);
  for (size_t at = 1; at < text.size(); ++at) {
    cut = at;
    first_sent = go_on = false;
    std::optional<Result<Reply>> out;
    loop::Scope scope;
    loop::Group group;
    group.spawn(Harness::keep(*harness.client, call, scope, out));
    harness.turn_until([&] { return first_sent.load(); });
    for (int i = 0; i < 3; ++i)
      harness.loop->run_once();  // the first part is read on its own
    go_on = true;
    harness.turn_until([&] { return out.has_value(); });
    REQUIRE(*out);
    CHECK((*out)->body == "abc0123456789");
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("a kept connection that the server closes is forgotten at once") {
  std::atomic<bool> close_now{false};
  Server server([&](Peer& peer, int number) {
    if (number > 0) return echo_bodies(peer, number);
    peer.request();
    peer.send(answer("one"));
    while (!close_now)
      std::this_thread::sleep_for(std::chrono::microseconds(100));
  });
  Harness harness;
  const Call call = to(server);
  REQUIRE(harness.call(call));
  CHECK(harness.client->idle_connections() == 1);
  close_now = true;
  harness.turn_until([&] { return harness.client->idle_connections() == 0; });
  CHECK(harness.call(call));
  CHECK(server.connections() == 2);
}

TEST_CASE("bytes nobody asked for end a kept connection") {
  Server server([&](Peer& peer, int number) {
    peer.request();
    peer.send(answer("one"));
    if (number == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      peer.send(answer("poison"));
    }
    peer.closed_within(5000);
  });
  Harness harness;
  REQUIRE(harness.call(to(server)));
  harness.turn_until([&] { return harness.client->idle_connections() == 0; });
  const auto again = harness.call(to(server));
  REQUIRE(again);
  CHECK(again->body == "one");
}

TEST_CASE("an answer followed by more bytes is delivered, its connection is not kept") {
  Server server([&](Peer& peer, int) {
    peer.request();
    peer.send(answer("one") + "HTTP/1.1 200 OK\r\n");
    peer.closed_within(5000);
  });
  Harness harness;
  const auto reply = harness.call(to(server));
  REQUIRE(reply);
  CHECK(reply->body == "one");
  CHECK(harness.client->idle_connections() == 0);
}

TEST_CASE("a request is repeated only when it may be, only on a dead kept connection, only once") {
  // Each connection answers one request, reads a second one and dies without a byte.
  std::atomic<int> requests{0};
  Server server([&](Peer& peer, int) {
    peer.request();
    ++requests;
    peer.send(answer("ok"));
    if (!peer.request().empty()) ++requests;
    peer.reset();
  });
  Harness harness;
  Call call = to(server);
  REQUIRE(harness.call(call));
  const auto lost = harness.call(call);
  REQUIRE_FALSE(lost);
  CHECK(lost.error().status == Status::network);
  CHECK(requests == 2);
  REQUIRE(harness.call(call));
  call.options.repeatable = true;
  CHECK(harness.call(call));
  CHECK(requests == 5);
  CHECK(server.connections() == 3);

  // A fresh connection that dies is not tried again.
  Server dead([&](Peer& peer, int) { peer.request(); });
  call.url = dead.url();
  const auto failed = harness.call(call);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().status == Status::network);
  CHECK(dead.connections() == 1);
}

TEST_CASE("answers that break the rules or the caps end the call and the connection") {
  struct Case {
    std::string text;
    Status status;
    const char* code;
  };
  const Case cases[] = {
      {"garbage\r\n\r\n", Status::protocol, ""},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", Status::protocol, ""},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(2000, 'x') + "\r\n\r\n", Status::protocol, "upstream_too_large"},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(2000, 'x'), Status::protocol, "upstream_too_large"},
      {answer(std::string(3001, 'x')), Status::protocol, "upstream_too_large"},
      {"HTTP/1.1 200 OK\r\n\r\n" + std::string(3001, 'x'), Status::protocol, "upstream_too_large"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\nx", Status::protocol, "upstream_too_large"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx!", Status::protocol, ""},
      {answer(std::string(2001, 'x')), Status::protocol, "upstream_too_large"},  // the limit of read_all
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", Status::network, "upstream_closed"},
      {"HTTP/1.1 200 OK\r\n", Status::network, "upstream_closed"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.text.substr(0, 80));
    Server server([&](Peer& peer, int) {
      peer.request();
      peer.send(one.text);
      if (one.status == Status::protocol) peer.closed_within(5000);
    });
    Harness harness;
    Call call = to(server);
    call.options.header_limit = 1000;
    call.options.body_limit = 3000;
    call.limit = 2000;
    const auto reply = harness.call(call);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().status == one.status);
    CHECK(reply.error().code == one.code);
    CHECK(harness.client->idle_connections() == 0);
  }
}

TEST_CASE("an endless answer is cut at the cap") {
  std::atomic<size_t> sent{0};
  Server server([&](Peer& peer, int) {
    peer.request();
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
    while (sent < 100'000'000 && peer.send(chunk))
      sent += chunk.size();
  });
  Harness harness;
  Call call = to(server);
  call.options.body_limit = 1'000'000;
  call.limit = 100'000'000;
  const auto reply = harness.call(call);
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code == "upstream_too_large");
  CHECK(sent < 50'000'000);
}

TEST_CASE("answers without a body keep the connection") {
  Server server([&](Peer& peer, int) {
    for (std::string request; !(request = peer.request()).empty();) {
      peer.send(request.starts_with("HEAD") ? "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
                                            : "HTTP/1.1 204 No Content\r\n\r\n");
    }
  });
  Harness harness;
  Call call = to(server);
  for (const char* method : {"POST", "HEAD", "DELETE", "HEAD"}) {
    call.method = method;
    call.body = "";
    const auto reply = harness.call(call);
    REQUIRE(reply);
    CHECK(reply->body.empty());
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("redirects are answers, never followed") {
  Server target(echo_bodies);
  Server server([&](Peer& peer, int) {
    peer.request();
    peer.send("HTTP/1.1 307 Temporary Redirect\r\nLocation: " + target.url() + "\r\nContent-Length: 0\r\n\r\n");
    peer.closed_within(1000);
  });
  Harness harness;
  const auto reply = harness.call(to(server));
  REQUIRE(reply);
  CHECK(reply->status == 307);
  CHECK(target.connections() == 0);
}

TEST_CASE("events arrive one by one as they are sent") {
  std::atomic<int> received{0};
  Server server([&](Peer& peer, int) {
    peer.request();
    peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 50; ++i) {
      const std::string event =
          "id: " + std::to_string(i) + "\r\ndata: " + std::string(static_cast<size_t>(i), 'x') + "\r\n\r\n";
      char size[16];
      snprintf(size, sizeof size, "%zx\r\n", event.size());
      peer.send(size + event + "\r\n");
      while (received <= i)
        std::this_thread::sleep_for(std::chrono::microseconds(100));  // the next one only after this one arrived
    }
    peer.send("0\r\n\r\n");
    peer.closed_within(5000);
  });
  Harness harness;
  const Call call = to(server);
  const auto listen = [](Client& client, const Call& one, loop::Scope& scope,
                         std::atomic<int>& count) -> loop::Task<Result<void>> {
    MCPT_CO_TRY(const Url url, parse_url(one.url));
    Request request;
    request.url = &url;
    auto sending = client.send(request, one.options, one.key, scope);
    MCPT_CO_TRY(auto exchange, co_await sending);
    SseReader reader;
    SseEvent event;
    for (;;) {
      auto reading = exchange->read(scope);
      MCPT_CO_TRY(std::string_view bytes, co_await reading);
      if (bytes.empty()) co_return Result<void>();
      for (;;) {
        MCPT_CO_TRY(const bool found, reader.next(bytes, event));
        if (!found) break;
        if (event.data.size() != static_cast<size_t>(count)) co_return fail(Status::internal, "wrong event");
        ++count;
      }
    }
  };
  loop::Scope scope;
  loop::Group group;
  std::optional<Result<void>> out;
  group.spawn(listen(*harness.client, call, scope, received), [&](Result<void> result) { out = std::move(result); });
  harness.turn_until([&] { return out.has_value(); });
  CHECK(*out);
  CHECK(received == 50);
  CHECK(harness.client->idle_connections() == 1);
}

TEST_CASE("cancelling closes the socket at once, wherever the call is") {
  enum { kBeforeHead, kInBody, kDropped };
  for (const int where : {kBeforeHead, kInBody, kDropped}) {
    CAPTURE(where);
    std::atomic<bool> got_request{false};
    std::atomic<int> closed{-1};
    Server server([&](Peer& peer, int) {
      peer.request();
      if (where != kBeforeHead) peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
      got_request = true;
      closed = peer.closed_within(5000);
    });
    Harness harness;
    const Call call = to(server);
    std::optional<Result<Reply>> out;
    loop::Scope scope;
    auto group = std::make_unique<loop::Group>();
    group->spawn(Harness::keep(*harness.client, call, scope, out));
    harness.turn_until([&] { return got_request.load(); });
    for (int i = 0; i < 5; ++i)
      harness.loop->run_once();
    CHECK_FALSE(out);
    if (where == kDropped) {
      group.reset();
    } else {
      scope.cancel(Error(Status::timeout, "too long"));
      REQUIRE(out);
      REQUIRE_FALSE(*out);
      CHECK(out->error().status == Status::timeout);
    }
    while (closed < 0)
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    CHECK(closed == 1);
    CHECK(harness.client->idle_connections() == 0);
  }
}

TEST_CASE("a cancelled scope sends nothing") {
  Server server(echo_bodies);
  Harness harness;
  loop::Scope scope;
  scope.cancel();
  const auto reply = harness.call(to(server), scope);
  REQUIRE_FALSE(reply);
  CHECK(reply.error().status == Status::cancelled);
  CHECK(server.connections() == 0);
}

TEST_CASE("silence and drips end at their deadlines") {
  Server server([&](Peer& peer, int number) {
    peer.request();
    if (number == 0) {
      peer.closed_within(5000);
    } else {
      while (peer.send("H"))
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
  Harness harness;
  Call call = to(server);
  call.options.first_byte_ms = 30;
  call.options.repeatable = true;
  for (int i = 0; i < 2; ++i) {
    const int64_t start = harness.loop->now_ms();
    const auto reply = harness.call(call);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().status == Status::timeout);
    CHECK(harness.loop->now_ms() - start >= 29);
    CHECK(harness.loop->now_ms() - start < 3000);
  }
  CHECK(server.connections() == 2);
}

TEST_CASE("many exchanges at the same time stay apart") {
  Server server(echo_bodies);
  Harness harness;
  constexpr size_t kCalls = 100;
  std::vector<Call> calls(kCalls, to(server));
  std::vector<std::optional<Result<Reply>>> outs(kCalls);
  loop::Scope scope;
  loop::Group group;
  for (int round = 0; round < 3; ++round) {
    for (size_t i = 0; i < kCalls; ++i) {
      calls[i].body = std::to_string(round) + std::string(i * 500, static_cast<char>('a' + i % 26)) + std::to_string(i);
      outs[i].reset();
      group.spawn(Harness::keep(*harness.client, calls[i], scope, outs[i]));
    }
    harness.turn_until([&] { return group.size() == 0; });
    for (size_t i = 0; i < kCalls; ++i) {
      REQUIRE(*outs[i]);
      CHECK((*outs[i])->body == calls[i].body);
    }
    CHECK(harness.client->idle_connections() == limits::kIdleConnections);
  }
}

TEST_CASE("large bodies go both ways, and the pieces add up") {
  Server server(echo_bodies);
  Harness harness;
  Call call = to(server);
  for (size_t i = 0; i < 3'000'000; ++i)
    call.body += static_cast<char>('a' + i * 7 % 26);
  call.limit = call.body.size();
  const auto reply = harness.call(call);
  REQUIRE(reply);
  CHECK(reply->body == call.body);
  call.pieces = true;
  const auto pieces = harness.call(call);
  REQUIRE(pieces);
  CHECK(pieces->body == call.body);
  CHECK(pieces->pieces.size() > 10);
  CHECK(server.connections() == 1);
  call.pieces = false;
  call.limit = call.body.size() - 1;
  CHECK_FALSE(harness.call(call));
}

TEST_CASE("an answer that comes before the request was read counts") {
  Server server([&](Peer& peer, int number) {
    if (number == 0) {  // refuses without reading
      peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
      peer.closed_within(5000);
    } else {  // starts to answer, reads on, ends the answer with what it read
      peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      const std::string request = peer.request();
      const size_t body = request.find("\r\n\r\n") + 4;
      const bool intact = request.find_first_not_of('x', body) == std::string::npos;
      peer.send("7\r\n" + std::to_string(request.size() - body) + "\r\n" + (intact ? "2\r\nok" : "3\r\nbad") +
                "\r\n0\r\n\r\n");
      peer.closed_within(5000);
    }
  });
  Harness harness;
  Call call = to(server);
  call.body.assign(8'000'000, 'x');
  const auto refused = harness.call(call);
  REQUIRE(refused);
  CHECK(refused->status == 413);
  CHECK(harness.client->idle_connections() == 0);
  const auto early = harness.call(call);
  REQUIRE(early);
  CHECK(early->body == "8000000ok");
}

TEST_CASE("kept connections end after their time, and before the server's") {
  Server server([&](Peer& peer, int number) {
    peer.request();
    peer.send(answer("ok", number == 0 ? "" : number == 1 ? "Keep-Alive: timeout=1\r\n" : "Connection: close\r\n"));
    peer.closed_within(5000);
  });
  Harness harness;
  ClientLimits limits;
  limits.idle_ms = 20;
  const auto policy = std::make_shared<const AddressPolicy>(*AddressPolicy::parse("127.0.0.1"));
  harness.use(nullptr);
  harness.use(std::make_unique<Client>(*harness.loop, policy, harness.log, limits));
  REQUIRE(harness.call(to(server)));
  CHECK(harness.client->idle_connections() == 1);
  harness.turn_until([&] { return harness.client->idle_connections() == 0; });
  REQUIRE(harness.call(to(server)));
  CHECK(harness.client->idle_connections() == 0);
  REQUIRE(harness.call(to(server)));
  CHECK(harness.client->idle_connections() == 0);
}

TEST_CASE("bad requests never reach a socket") {
  Server server(echo_bodies);
  Harness harness;
  Call call = to(server);
  call.headers = {{"X", "a\r\nY: b"}};
  const auto reply = harness.call(call);
  REQUIRE_FALSE(reply);
  CHECK(reply.error().status == Status::invalid);
  CHECK(server.connections() == 0);
}
