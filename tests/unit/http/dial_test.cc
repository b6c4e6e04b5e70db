// Connecting, through libcurl: which addresses are reached, names that resolve slowly or to several places,
// certificates.
#include <dlfcn.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "harness.h"
#include "server.h"

using namespace mcptoken;
using namespace mcptoken::http;

namespace {

std::atomic<int> rebind_lookups{0};
std::atomic<int> slow_lookups{0};

}  // namespace

// The resolver of this program: libcurl calls this one. Names that end in .test resolve to what the tests need.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** out) {
  using Resolve = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Resolve>(dlsym(RTLD_NEXT, "getaddrinfo"));
  const std::string_view name = node ? node : "";
  if (!name.ends_with(".test")) return real(node, service, hints, out);
  addrinfo numeric = hints ? *hints : addrinfo{};
  numeric.ai_flags = AI_NUMERICHOST;
  numeric.ai_family = AF_UNSPEC;
  if (name == "local.test") return real("127.0.0.1", service, &numeric, out);
  if (name == "rebind.test") {
    ++rebind_lookups;
    return real(rebind_lookups == 1 ? "127.0.0.2" : "127.0.0.1", service, &numeric, out);
  }
  if (name == "mixed.test") {  // a refused address first, then one that is allowed
    addrinfo* second = nullptr;
    const int rc = real("127.0.0.1", service, &numeric, &second);
    if (rc != 0) return rc;
    if (const int first = real("10.0.0.1", service, &numeric, out); first != 0) return first;
    (*out)->ai_next = second;
    return 0;
  }
  if (name == "slow.test") {
    ++slow_lookups;
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    return EAI_AGAIN;
  }
  return EAI_NONAME;
}

namespace {

void answer_ok(Peer& peer, int) {
  while (!peer.request().empty())
    peer.send(answer("ok"));
}

Call at(const std::string& host, int port) {
  Call call;
  call.url = "http://" + host + ":" + std::to_string(port) + "/";
  return call;
}

}  // namespace

TEST_CASE("no spelling of an address gets around the policy") {
  // Each one goes through the URL, libcurl's parser, the resolver and the function that opens sockets.
  const char* spellings[] = {
      "127.0.0.1",
      "127.1",
      "127.0.1",
      "127.255.255.254",
      "0x7f000001",
      "0x7F.0.0.1",
      "0x7f.1",
      "0x7f.0x0.0x0.0x1",
      "2130706433",
      "017700000001",
      "0177.0.0.1",
      "0177.1",
      "0177.0.0.0x1",
      "00000177.0.0.1",
      "0",
      "0.0.0.0",
      "0x0",
      "00",
      "0.0",
      "0.1.2.3",
      "10.0.0.1",
      "10.1",
      "0xa000001",
      "167772161",
      "012.0.0.1",
      "172.16.0.1",
      "172.31.255.255",
      "0xac.0x10.0.1",
      "192.168.0.1",
      "192.168.1",
      "0xc0a80001",
      "3232235521",
      "0300.0250.0.1",
      "169.254.169.254",
      "169.254.43518",
      "0xa9fea9fe",
      "2852039166",
      "0251.0376.0251.0376",
      "100.64.0.1",
      "100.100.100.200",
      "192.0.0.192",
      "198.18.0.1",
      "224.0.0.1",
      "239.255.255.255",
      "240.0.0.1",
      "255.255.255.255",
      "4294967295",
      "0xffffffff",
      "localhost",
      "LocalHost",
      "[::1]",
      "[::]",
      "[0:0:0:0:0:0:0:1]",
      "[0000::0001]",
      "[::127.0.0.1]",
      "[::7f00:1]",
      "[::ffff:127.0.0.1]",
      "[::ffff:7f00:1]",
      "[0:0:0:0:0:ffff:127.0.0.1]",
      "[::FFFF:10.0.0.1]",
      "[::ffff:169.254.169.254]",
      "[::ffff:a9fe:a9fe]",
      "[::ffff:0:127.0.0.1]",
      "[64:ff9b::127.0.0.1]",
      "[64:ff9b::7f00:1]",
      "[64:ff9b::a9fe:a9fe]",
      "[64:ff9b:1::7f00:1]",
      "[2002:7f00:1::]",
      "[2002:a9fe:a9fe::1]",
      "[2002:c0a8:1::1]",
      "[2001::1]",
      "[fc00::1]",
      "[fd00:ec2::254]",
      "[fe80::1]",
      "[febf::1]",
      "[fec0::1]",
      "[ff02::1]",
      "[2001:db8::1]",
      "[100::1]",
  };
  CHECK(std::size(spellings) >= 60);
  Server server(answer_ok);
  for (const std::string host : spellings) {
    CAPTURE(host);
    Harness harness("");
    const auto reply = harness.call(at(host, server.port()));
    REQUIRE_FALSE(reply);
    CHECK(reply.error().status == Status::unavailable);
    CHECK(reply.error().message == "cannot connect to the server");
    CHECK(harness.logged("which the address policy refuses"));
  }
  CHECK(server.connections() == 0);

  // Spellings that the URL reader does not let through to anybody.
  Harness harness("");
  for (const char* host : {"%31%32%37.0.0.1", "127%2e0.0.1", "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1",
                           "127\xe3\x80\x82"
                           "0.0.1",
                           "[fe80::1%25lo]", "user@127.0.0.1", "8.8.8.8@127.0.0.1", "127.0.0.1#@8.8.8.8"}) {
    CAPTURE(host);
    const auto reply = harness.call(at(host, server.port()));
    REQUIRE_FALSE(reply);
    CHECK(reply.error().status == Status::invalid);
  }
}

TEST_CASE("the same spellings connect where the list or the server allows it") {
  Server server(answer_ok);
  for (const char* host :
       {"127.0.0.1", "127.1", "0x7f000001", "2130706433", "017700000001", "[::ffff:127.0.0.1]", "local.test"}) {
    CAPTURE(host);
    Harness listed("127.0.0.1");
    const auto reply = listed.call(at(host, server.port()));
    if (std::string_view(host).starts_with('[')) continue;  // allowed, but the machine may have no IPv6
    REQUIRE(reply);
    CHECK(reply->body == "ok");
  }
  Harness open("");
  Call call = at("127.0.0.1", server.port());
  CHECK_FALSE(open.call(call));
  call.options.allow_private = true;
  CHECK(open.call(call));
  call.options.allow_private = false;
  CHECK_FALSE(open.call(call));  // not over the connection that is kept
}

TEST_CASE("a refused address and a closed port look the same") {
  int closed_port = 0;
  {
    Server gone(answer_ok);
    closed_port = gone.port();
  }
  Harness harness("127.0.0.1");
  const auto closed = harness.call(at("127.0.0.1", closed_port));
  const auto refused = harness.call(at("127.0.0.2", closed_port));
  const auto unknown = harness.call(at("unknown.test", closed_port));
  REQUIRE_FALSE(closed);
  for (const auto* other : {&refused, &unknown}) {
    REQUIRE_FALSE(*other);
    CHECK(closed.error().status == other->error().status);
    CHECK(closed.error().message == other->error().message);
    CHECK(closed.error().code == other->error().code);
    CHECK(closed.error().hint == other->error().hint);
  }
}

TEST_CASE("names are judged by what they resolve to at that moment, address by address") {
  Server server(answer_ok);
  Harness harness("127.0.0.2");
  rebind_lookups = 0;
  CHECK_FALSE(harness.call(at("rebind.test", server.port())));  // 127.0.0.2: allowed, nobody listens there
  CHECK_FALSE(harness.logged("policy refuses"));
  CHECK_FALSE(harness.call(at("rebind.test", server.port())));  // 127.0.0.1: refused
  CHECK(harness.logged("policy refuses"));
  CHECK(rebind_lookups == 2);
  CHECK(server.connections() == 0);

  Harness mixed("127.0.0.1");
  CHECK(mixed.call(at("mixed.test", server.port())));
  CHECK(mixed.logged("is at 10.0.0.1"));
}

TEST_CASE("a slow name blocks neither the loop nor the end of the attempt") {
  Harness harness;
  Call call = at("slow.test", 80);
  call.options.connect_ms = 40;
  int64_t best = 1'000'000;
  for (int i = 0; i < 5 && best >= 1200; ++i) {
    slow_lookups = 0;
    int ticks = 0;
    loop::Timer timer(*harness.loop);
    timer.start(
        1, [&] { ++ticks; }, 1);
    const int64_t start = harness.loop->now_ms();
    const auto reply = harness.call(call);
    best = std::min(best, harness.loop->now_ms() - start);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().status == Status::unavailable);
    CHECK(slow_lookups == 1);
    CHECK(best >= 39);
    CHECK(ticks >= 2);
  }
  CHECK(best < 1200);
}

TEST_CASE("the environment's proxy is not used") {
  Server proxy([](Peer& peer, int) { peer.request(); });
  Server server(answer_ok);
  const std::string url = proxy.url();
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"})
    setenv(name, url.c_str(), 1);
  Harness harness;
  CHECK(harness.call(at("127.0.0.1", server.port())));
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"})
    unsetenv(name);
  CHECK(proxy.connections() == 0);
}

// --- TLS

namespace {

struct Pipes {  // the child's ends of its standard input and output; -1: /dev/null
  int in = -1;
  int out = -1;
};

int run_openssl(std::vector<std::string> arguments, bool wait, pid_t* started = nullptr, const Pipes& pipes = {}) {
  arguments.insert(arguments.begin(), "openssl");
  std::vector<char*> argv;
  for (auto& one : arguments)
    argv.push_back(one.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (pipes.in >= 0)
    posix_spawn_file_actions_adddup2(&actions, pipes.in, 0);
  else
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (pipes.out >= 0)
    posix_spawn_file_actions_adddup2(&actions, pipes.out, 1);
  else
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  const int rc = posix_spawn(&pid, "/usr/bin/openssl", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (rc != 0) return -1;
  if (started) *started = pid;
  int status = 0;
  if (wait) waitpid(pid, &status, 0);
  return status;
}

// `openssl s_server` with a certificate of its own. With -HTTP it serves files as whole answers; without, what it
// decrypts comes out of `output` and what is written to `input` goes to the client.
class TlsServer {
 public:
  explicit TlsServer(const std::vector<std::string>& extra) {
    char name[] = "/tmp/http-test-XXXXXX";
    REQUIRE(mkdtemp(name));
    directory_ = name;
    certificate_ = directory_ + "/certificate.pem";
    const std::string key = directory_ + "/key.pem";
    run_openssl(
        {"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out",
         certificate_, "-days", "2", "-subj", "/CN=local.test", "-addext", "subjectAltName=DNS:local.test"},
        true);
    std::ofstream(directory_ + "/ok") << "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    std::ofstream(directory_ + "/large") << "HTTP/1.1 200 OK\r\n\r\n" << std::string(2'000'000, 'x');
    port_ = free_port();
    std::vector<std::string> arguments = {
        "s_server", "-accept", "127.0.0.1:" + std::to_string(port_), "-key", key, "-cert", certificate_, "-quiet"};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    int in[2], out[2];
    REQUIRE(pipe2(in, O_CLOEXEC) == 0);
    REQUIRE(pipe2(out, O_CLOEXEC) == 0);
    input = in[1];
    output = out[0];
    const int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(chdir(directory_.c_str()) == 0);
    run_openssl(arguments, false, &pid_, {in[0], out[1]});
    REQUIRE(fchdir(here) == 0);
    close(here);
    close(in[0]);
    close(out[1]);
    for (int i = 0; i < 5000 && !listens(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ~TlsServer() {
    kill_now();
    close(input);
    close(output);
    std::filesystem::remove_all(directory_);
  }
  void kill_now() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  Call call(const std::string& host, const std::string& file = "/ok") const {
    Call out;
    out.url = "https://" + host + ":" + std::to_string(port_) + file;
    out.method = "GET";
    out.body = "";
    out.limit = 10'000'000;
    return out;
  }
  Call trusted(const std::string& file = "/ok") const {
    Call out = call("local.test", file);
    out.options.ca_file = certificate_;
    return out;
  }
  const std::string& certificate() const { return certificate_; }

  int input = -1;
  int output = -1;

 private:
  static int free_port() {
    const Server probe([](Peer&, int) {});
    return probe.port();
  }
  bool listens() const {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool ok = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    return ok;
  }
  std::string directory_;
  std::string certificate_;
  int port_ = 0;
  pid_t pid_ = 0;
};

bool have_openssl() { return access("/usr/bin/openssl", X_OK) == 0; }

}  // namespace

TEST_CASE("certificates are checked: authority and name" * doctest::skip(!have_openssl())) {
  TlsServer server({"-HTTP"});
  Harness harness;
  const auto untrusted = harness.call(server.call("local.test"));
  REQUIRE_FALSE(untrusted);
  CHECK(untrusted.error().status == Status::unavailable);
  CHECK(untrusted.error().code == "upstream_certificate");
  CHECK(untrusted.error().message.find("it is signed by itself") != std::string::npos);

  const auto trusted = harness.call(server.trusted());
  REQUIRE(trusted);
  CHECK(trusted->body == "hello");

  Call wrong_name = server.call("127.0.0.1");
  wrong_name.options.ca_file = server.certificate();
  const auto misnamed = harness.call(wrong_name);
  REQUIRE_FALSE(misnamed);
  CHECK(misnamed.error().code == "upstream_certificate");
  CHECK(misnamed.error().message.find("it is another host's") != std::string::npos);

  Call bad_file = server.call("local.test");
  bad_file.options.ca_file = "/nonexistent";
  const auto no_file = harness.call(bad_file);
  REQUIRE_FALSE(no_file);
  CHECK(no_file.error().code == "upstream_ca_file");

  Call large = server.trusted("/large");
  large.pieces = true;
  const auto reply = harness.call(large);
  REQUIRE(reply);
  CHECK(reply->body == std::string(2'000'000, 'x'));
}

TEST_CASE("TLS before 1.2 is refused" * doctest::skip(!have_openssl())) {
  TlsServer server({"-HTTP", "-tls1_1", "-cipher", "ALL@SECLEVEL=0"});
  Harness harness;
  const auto reply = harness.call(server.trusted());
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code == "upstream_tls");
}

TEST_CASE("TLS connections are kept, and a server that dies under one hurts only the call" *
          doctest::skip(!have_openssl())) {
  TlsServer server({});
  Harness harness;
  Call call = server.trusted();
  call.method = "POST";
  call.body.assign(100'000, 'b');
  std::string received;
  const std::string reply = answer(std::string(50'000, 'r'));
  for (int i = 0; i < 3; ++i) {
    std::optional<Result<Reply>> out;
    loop::Scope scope;
    loop::Group group;
    group.spawn(Harness::keep(*harness.client, call, scope, out));
    received.clear();
    const size_t expected = 100'000 + 4;
    harness.turn_until([&] {
      pollfd p{server.output, POLLIN, 0};
      char buffer[65536];
      if (poll(&p, 1, 0) == 1)
        received.append(buffer, static_cast<size_t>(std::max<ssize_t>(0, read(server.output, buffer, sizeof buffer))));
      const size_t end = received.find("\r\n\r\n");
      return end != std::string::npos && received.size() - end == expected;
    });
    CHECK(received.ends_with("bbb"));
    std::thread writer(
        [&] { CHECK(write(server.input, reply.data(), reply.size()) == static_cast<ssize_t>(reply.size())); });
    harness.turn_until([&] { return out.has_value(); });
    writer.join();
    REQUIRE(*out);
    CHECK((*out)->body.size() == 50'000);
    CHECK(harness.client->idle_connections() == 1);
    for (int turn = 0; turn < 5; ++turn)
      harness.loop->run_once();  // looks for bytes that came too early: there are none
    CHECK(harness.client->idle_connections() == 1);
  }
  server.kill_now();
  const auto lost = harness.call(call);  // no SIGPIPE: this process would be gone
  CHECK_FALSE(lost);
  harness.turn_until([&] { return harness.client->idle_connections() == 0; });
}

TEST_CASE("a plain server behind an https URL is an error, not a hang") {
  Server server([](Peer& peer, int) {
    peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
    peer.closed_within(5000);
  });
  Harness harness;
  Call call;
  call.url = "https://127.0.0.1:" + std::to_string(server.port()) + "/";
  const auto reply = harness.call(call);
  REQUIRE_FALSE(reply);
  CHECK(reply.error().status == Status::unavailable);
  CHECK(reply.error().code == "upstream_tls");
}
