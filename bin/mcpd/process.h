// What the process asks of the kernel before it opens anything.
#pragma once

#include <cstddef>
#include <string>

#include "outcome.h"

namespace mcpd {

// Streams that whoever started the program has closed: /dev/null. Otherwise the database or a client's connection would
// get the number to which the log is written. Before anything is opened.
void fill_standard_streams();
// Private files, no core dumps, no tracing by others (unless `debuggable`), as many descriptors as allowed, no SIGPIPE,
// and the signals that end the server kept for EndEvents. Before any thread is started.
void prepare_process(bool debuggable);
size_t descriptor_limit();

// What the main thread waits for: signals, and the ends of the other threads.
class EndEvents {
 public:
  EndEvents();
  ~EndEvents();
  EndEvents(const EndEvents&) = delete;
  EndEvents& operator=(const EndEvents&) = delete;

  int finished_fd() const { return finished_fd_; }  // an eventfd: each thread adds 1 when it ends
  struct Happened {
    bool signalled = false;
    size_t finished = 0;
  };
  Happened wait();

 private:
  int signal_fd_;
  int finished_fd_;
};

// mkdir -p with private folders.
Outcome<bool> make_folder(const std::string& path);

}  // namespace mcpd
