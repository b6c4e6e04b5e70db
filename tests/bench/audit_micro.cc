// What one event costs the store's thread, batch by batch as it writes them: rows, sums, links and the commit.
//
//   bench-audit FOLDER EVENTS      under callgrind: --toggle-collect=audit_run
#include <cstdio>
#include <cstdlib>
#include <string>

#include "audit/chain.h"
#include "audit/ring.h"

using namespace mcptoken;

namespace {

[[noreturn]] void die(const Error& error) {
  std::fprintf(stderr, "bench-audit: %s\n", error.message.c_str());
  std::exit(1);
}

// As a call of an agent's session leaves it.
audit::Event event_of_call(int number) {
  audit::Event event;
  event.time_ms = 1'800'000'000'000 + number;
  event.project = "bench";
  event.session = "0011223344556677";
  event.user = "somebody@example.com";
  event.token_name = "bench";
  event.token_sha = crypto::Digest{1};
  event.client_name = "bench-load";
  event.client_address = "127.0.0.1";
  event.server = "up";
  event.subject = "up__echo";
  event.duration_ms = 1;
  event.request_id = "0123456789abcdef-" + std::to_string(number);
  event.argument_digest = crypto::Digest{2};
  return event;
}

}  // namespace

extern "C" [[gnu::noinline]] int audit_run(db::Connection& connection, audit::Recorder& recorder) {
  static const crypto::Key key{3};
  for (;;) {
    auto transaction = db::Transaction::begin(connection, db::Transaction::Mode::write, db::Sync::normal);
    if (!transaction) die(transaction.error());
    auto more = recorder.write(*transaction);
    if (!more) die(more.error());
    if (auto sealed = audit::seal(*transaction, key, recorder.written()); !sealed) die(sealed.error());
    if (auto done = transaction->commit(); !done) die(done.error());
    recorder.finished(true);
    if (!*more) return 0;
  }
}

int main(int argc, char** argv) {
  if (argc != 3) return 64;
  const int events = static_cast<int>(std::strtol(argv[2], nullptr, 10));
  if (auto ready = crypto::init(); !ready) die(ready.error());
  auto connection = db::Connection::open(db::OpenOptions(std::string(argv[1]) + "/audit.db"));
  if (!connection) die(connection.error());
  const db::Schema schemas[] = {audit::schema()};
  if (auto made = db::migrate(**connection, schemas); !made) die(made.error());
  audit::Recorder recorder(system_clock(), [] {});
  audit::Ring& ring = recorder.add_ring();
  for (int number = 0; number < events;) {  // a ring holds no more at once
    for (int i = 0; i < 2'000 && number < events; ++i)
      ring.push(event_of_call(number++));
    audit_run(**connection, recorder);
  }
  std::printf("{\"events\": %d}\n", events);
  return 0;
}
