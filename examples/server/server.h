// An MCP server of both eras, transport apart: the initialize handshake up to 2025-11-25 and the per-request metadata
// of 2026-07-28.
#pragma once

#include <condition_variable>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "json.h"

namespace example {

struct Options {
  bool legacy = true;
  bool modern = true;
  std::string log_file;
};

// Where the messages of one call go, ahead of its answer.
class Channel {
 public:
  virtual ~Channel() = default;
  virtual void send(const std::string& message) = 0;
  virtual bool closed() = 0;  // the peer has gone; a cancellation in the modern era only
};

struct Answer {
  int http_status;
  std::string body;        // empty: nothing to say (a notification, a cancelled call)
  std::string session_id;  // a new legacy session
};

using Headers = std::map<std::string, std::string>;  // names in lower case

std::string content(const std::string& text, bool is_error = false);  // of a tool's result
std::string random_id();

class Server {
 public:
  explicit Server(Options options);

  // One message. `headers`: null on stdio. Blocks as long as the call takes. Thread-safe.
  Answer handle(const Json& message, const Headers* headers, Channel& channel);
  bool end_session(const std::string& id);
  void close();  // the peer has gone: calls that wait are cancelled
  void log(std::string_view line);

 private:
  struct Call {
    const Json& message;
    std::string session;  // "": modern over HTTP
    bool modern;
    unsigned can_answer;  // what the client can be asked for: see ask.cc
    Channel& channel;
    bool cancelled = false;
  };
  struct Session {
    unsigned can_answer = 0;
  };
  using Tool = std::optional<std::string> (Server::*)(Call&, const Json& arguments);
  struct ToolRow {
    const char* name;
    const char* description;
    const char* schema;
    Tool run;
  };
  static const ToolRow kTools[];

  Answer modern(const Json& message, const Headers* headers, Channel& channel);
  Answer legacy(const Json& message, const Headers* headers, Channel& channel);
  Answer initialize(const Json& message, bool http);
  Answer call_tool(Call& call);
  static unsigned can_answer(const Json& capabilities);
  std::optional<Answer> refuse_to_ask(const Call& call);
  static Answer refusal(const Json& message, int code, const std::string& text, const std::string& data = "");
  Answer result(const Json& message, bool modern, const std::string& members, const char* type = "complete");
  std::string tool_list() const;
  void notified(const Json& message, const std::string& session);
  bool wait(Call& call, double seconds, const std::function<bool()>& done = nullptr);

  // Tools return the members of a result; nothing when the call was cancelled.
  std::optional<std::string> echo(Call&, const Json&);
  std::optional<std::string> add(Call&, const Json&);
  std::optional<std::string> slow(Call&, const Json&);
  std::optional<std::string> env(Call&, const Json&);
  std::optional<std::string> fail(Call&, const Json&);
  std::optional<std::string> crash(Call&, const Json&);
  std::optional<std::string> ask(Call&, const Json&);
  std::optional<std::string> big(Call&, const Json&);
  std::optional<std::string> links(Call&, const Json&);
  std::optional<std::string> change(Call&, const Json&);

  // Prompts, resources, completion and subscriptions (features.cc); nothing for other methods.
  std::optional<Answer> feature(const Json& message, bool modern);
  Answer listen(const Json& message, Channel& channel);

  const Options options_;
  std::mutex mutex_;  // all below
  std::condition_variable changed_;
  std::ofstream log_;
  std::map<std::string, Session> sessions_;
  std::set<Call*> calls_;
  std::map<std::string, std::string> asked_;  // id of a request of ours -> the peer's answer, "" until it comes
  std::set<std::string> states_;              // requestState values that are out
  std::set<std::pair<std::string, Channel*>> listeners_;  // id of the listen request, raw, and where it came
  std::set<std::string> subscribed_;           // URIs, of legacy sessions
  int counter_ = 0;
  bool closing_ = false;
};

}  // namespace example
