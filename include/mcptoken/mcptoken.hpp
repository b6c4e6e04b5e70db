// The C interface for C++17 and later: owners that release themselves, exceptions instead of statuses. Header only,
// without symbols of its own: everything is inline and hidden, so libraries that use different versions of it may meet
// in a program.
//
// - What fails throws mcptoken::Error. Since it is hidden, catch it in the shared object that called.
// - Callbacks are std::function and must not throw: an exception in one ends the program.
// - The C headers are the reference for meaning, threads and order of release; names are theirs.
#ifndef MCPTOKEN_HPP
#define MCPTOKEN_HPP

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mcptoken.h"

#if defined(__GNUC__)
#define MCPTOKEN_HIDDEN __attribute__((visibility("hidden")))
#else
#define MCPTOKEN_HIDDEN
#endif

namespace mcptoken MCPTOKEN_HIDDEN {

using std::chrono::milliseconds;

class Error : public std::runtime_error {
 public:
  // Takes the error object, which may be null.
  Error(mcptoken_status status, mcptoken_error* error)
      : std::runtime_error(error ? mcptoken_error_message(error) : mcptoken_status_name(status)),
        status_(error ? mcptoken_error_status(error) : status),
        detail_(error, [](mcptoken_error* one) { mcptoken_error_free(one); }) {}

  mcptoken_status status() const noexcept { return status_; }
  const char* name() const noexcept { return mcptoken_status_name(status_); }
  const char* code() const noexcept { return mcptoken_error_code(detail_.get()); }
  const char* hint() const noexcept { return mcptoken_error_hint(detail_.get()); }
  const char* request_id() const noexcept { return mcptoken_error_request_id(detail_.get()); }
  int http_status() const noexcept { return mcptoken_error_http_status(detail_.get()); }
  long long jsonrpc_code() const noexcept { return mcptoken_error_jsonrpc_code(detail_.get()); }
  // The JSON-RPC error's `data`, JSON; "" when there was none.
  std::string_view data() const noexcept {
    size_t size = 0;
    const char* data = mcptoken_error_data(detail_.get(), &size);
    return {data, size};
  }

 private:
  mcptoken_status status_;
  std::shared_ptr<mcptoken_error> detail_;
};

namespace detail {

template <class T, void (*Free)(T*)>
struct Deleter {
  void operator()(T* object) const noexcept { Free(object); }
};
template <class T, void (*Free)(T*)>
using Owner = std::unique_ptr<T, Deleter<T, Free>>;

// call(status = f(…, &error)): throws when it failed.
template <class Call>
void check(Call&& call) {
  mcptoken_error* error = nullptr;
  const mcptoken_status status = call(&error);
  if (status < 0) throw Error(status, error);
}

// What a function returns through its out-parameter, owned.
template <class T, void (*Free)(T*), class Call>
Owner<T, Free> make(Call&& call) {
  T* out = nullptr;
  check([&](mcptoken_error** error) { return call(&out, error); });
  return Owner<T, Free>(out);
}

template <class Call>
std::string text(Call&& call) {
  const auto bytes = make<mcptoken_bytes, mcptoken_bytes_free>(std::forward<Call>(call));
  return std::string(mcptoken_bytes_data(bytes.get()), mcptoken_bytes_size(bytes.get()));
}

inline int64_t count(milliseconds time) { return static_cast<int64_t>(time.count()); }

}  // namespace detail

inline std::string_view version() { return mcptoken_version(); }
inline int abi_version() { return mcptoken_abi_version(); }

// Bytes that wipe themselves: what holds a secret stays in one of these.
class Bytes {
 public:
  explicit Bytes(mcptoken_bytes* taken) : bytes_(taken) {}
  std::string_view view() const noexcept {
    return {mcptoken_bytes_data(bytes_.get()), mcptoken_bytes_size(bytes_.get())};
  }

 private:
  detail::Owner<mcptoken_bytes, mcptoken_bytes_free> bytes_;
};

namespace token {

enum class Kind : int32_t { pat = MCPTOKEN_TOKEN_PAT, session = MCPTOKEN_TOKEN_SESSION };

inline Bytes generate() {
  return Bytes(detail::make<mcptoken_bytes, mcptoken_bytes_free>(mcptoken_token_generate).release());
}
inline Kind classify(std::string_view raw) {
  int32_t kind = 0;
  detail::check([&](mcptoken_error** error) { return mcptoken_token_classify(raw.data(), raw.size(), &kind, error); });
  return static_cast<Kind>(kind);
}
inline std::string sha(std::string_view raw) {
  return detail::text([&](auto out, auto error) { return mcptoken_token_sha(raw.data(), raw.size(), out, error); });
}
inline bool equal(std::string_view a, std::string_view b) {
  return mcptoken_token_equal(a.data(), a.size(), b.data(), b.size()) == 1;
}
using Time = std::chrono::time_point<std::chrono::system_clock, milliseconds>;
// nullopt: never.
inline std::optional<Time> parse_ttl(
    const std::string& text, Time now = std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now())) {
  int64_t expires = 0;
  detail::check([&](mcptoken_error** error) {
    return mcptoken_token_parse_ttl(text.c_str(), detail::count(now.time_since_epoch()), &expires, error);
  });
  if (expires == INT64_MAX) return std::nullopt;
  return Time(milliseconds(expires));
}

}  // namespace token

namespace rbac {

inline std::string parse_binding(const std::string& text) {
  return detail::text([&](auto out, auto error) { return mcptoken_rbac_parse_binding(text.c_str(), out, error); });
}
inline std::string print_binding(std::string_view json) {
  return detail::text(
      [&](auto out, auto error) { return mcptoken_rbac_print_binding(json.data(), json.size(), out, error); });
}

enum class ToolGrant : int32_t { view = MCPTOKEN_TOOL_GRANT_VIEW, run = MCPTOKEN_TOOL_GRANT_RUN };

// `bindings`: a JSON array, like "permissions" of an introspection.
class Rights {
 public:
  explicit Rights(std::string_view bindings, ToolGrant grant = ToolGrant::view)
      : rights_(detail::make<mcptoken_rights, mcptoken_rights_free>([&](auto out, auto error) {
          return mcptoken_rights_new(bindings.data(), bindings.size(), static_cast<int32_t>(grant), out, error);
        })) {}
  explicit Rights(const mcptoken_rights* borrowed) : borrowed_(borrowed) {}
  // nullopt: on all of them.
  bool can_access(const std::string& action, const std::string& resource,
                  const std::optional<std::string>& name) const {
    return judge([&](auto allowed, auto error) {
      return mcptoken_rights_can_access(get(), action.c_str(), resource.c_str(), name ? name->c_str() : nullptr,
                                        allowed, error);
    });
  }
  bool can_run(const std::string& operation) const {
    return judge(
        [&](auto allowed, auto error) { return mcptoken_rights_can_run(get(), operation.c_str(), allowed, error); });
  }
  bool can_use_tool(const std::string& server, const std::string& tool) const {
    return judge([&](auto allowed, auto error) {
      return mcptoken_rights_can_use_tool(get(), server.c_str(), tool.c_str(), allowed, error);
    });
  }
  std::string allowed_scope(const std::string& action, const std::string& resource) const {
    return detail::text([&](auto out, auto error) {
      return mcptoken_rights_allowed_scope(get(), action.c_str(), resource.c_str(), out, error);
    });
  }

 private:
  template <class Call>
  static bool judge(Call&& call) {
    int32_t allowed = 0;
    detail::check([&](mcptoken_error** error) { return call(&allowed, error); });
    return allowed == 1;
  }
  const mcptoken_rights* get() const { return borrowed_ ? borrowed_ : rights_.get(); }
  detail::Owner<mcptoken_rights, mcptoken_rights_free> rights_;
  const mcptoken_rights* borrowed_ = nullptr;
};

}  // namespace rbac

namespace json {

// Borrowed from its document. What is not there is a Value, too: of type MCPTOKEN_JSON_ABSENT.
class Value {
 public:
  explicit Value(const mcptoken_json_value* value = nullptr) : value_(value) {}
  const mcptoken_json_value* get() const noexcept { return value_; }
  explicit operator bool() const noexcept { return value_ != nullptr; }
  int32_t type() const noexcept { return mcptoken_json_type(value_); }
  size_t size() const noexcept { return mcptoken_json_size(value_); }
  Value at(size_t index) const noexcept { return Value(mcptoken_json_at(value_, index)); }
  std::string_view key(size_t index) const noexcept { return mcptoken_json_key(value_, index); }
  Value operator[](const char* name) const noexcept { return Value(mcptoken_json_get(value_, name)); }
  std::string_view text() const noexcept {
    size_t size = 0;
    const char* data = mcptoken_json_text(value_, &size);
    return {data, size};
  }
  bool boolean(bool fallback = false) const noexcept { return mcptoken_json_boolean(value_, fallback ? 1 : 0) == 1; }
  int64_t integer(int64_t fallback = 0) const noexcept { return mcptoken_json_integer(value_, fallback); }
  std::string print(int indent = 0) const {
    return detail::text([&](auto out, auto error) { return mcptoken_json_print(value_, indent, out, error); });
  }

 private:
  const mcptoken_json_value* value_;
};

class Document {
 public:
  explicit Document(std::string_view text)
      : json_(detail::make<mcptoken_json, mcptoken_json_free>(
            [&](auto out, auto error) { return mcptoken_json_parse(text.data(), text.size(), out, error); })) {}
  Value root() const noexcept { return Value(mcptoken_json_root(json_.get())); }

 private:
  detail::Owner<mcptoken_json, mcptoken_json_free> json_;
};

class Writer {
 public:
  Writer() : writer_(detail::make<mcptoken_json_writer, mcptoken_json_writer_free>(mcptoken_json_writer_new)) {}
  Writer& begin_object() { return mcptoken_json_writer_begin_object(writer_.get()), *this; }
  Writer& end_object() { return mcptoken_json_writer_end_object(writer_.get()), *this; }
  Writer& begin_array() { return mcptoken_json_writer_begin_array(writer_.get()), *this; }
  Writer& end_array() { return mcptoken_json_writer_end_array(writer_.get()), *this; }
  Writer& key(const char* name) { return mcptoken_json_writer_key(writer_.get(), name), *this; }
  Writer& string(std::string_view text) {
    return mcptoken_json_writer_string(writer_.get(), text.data(), text.size()), *this;
  }
  Writer& integer(int64_t value) { return mcptoken_json_writer_integer(writer_.get(), value), *this; }
  Writer& boolean(bool value) { return mcptoken_json_writer_boolean(writer_.get(), value ? 1 : 0), *this; }
  Writer& null() { return mcptoken_json_writer_null(writer_.get()), *this; }
  Writer& raw(std::string_view json) {
    return mcptoken_json_writer_raw(writer_.get(), json.data(), json.size()), *this;
  }
  Writer& value(Value value) { return mcptoken_json_writer_value(writer_.get(), value.get()), *this; }
  std::string finish() {
    return detail::text([&](auto out, auto error) { return mcptoken_json_writer_finish(writer_.get(), out, error); });
  }

 private:
  detail::Owner<mcptoken_json_writer, mcptoken_json_writer_free> writer_;
};

}  // namespace json

// The library built with -Dcore_only=true ends here: leave the rest out with MCPTOKEN_CORE_ONLY.
#ifndef MCPTOKEN_CORE_ONLY

inline std::string kind_table() { return detail::text(mcptoken_kind_table); }

namespace detail {

// What was posted to a loop and has not run: it ends with the loop.
class Posts {
 public:
  struct Post {
    Posts* of;
    std::function<void()> callback;
    std::list<Post>::iterator self;
  };
  Post* add(std::function<void()> callback) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto self = posts_.insert(posts_.end(), Post{this, std::move(callback), {}});
    self->self = self;
    return &*self;
  }
  static std::function<void()> take(Post* post) {
    const std::lock_guard<std::mutex> lock(post->of->mutex_);
    std::function<void()> callback = std::move(post->callback);
    post->of->posts_.erase(post->self);
    return callback;
  }

 private:
  std::mutex mutex_;
  std::list<Post> posts_;
};

}  // namespace detail

class Loop {
 public:
  Loop() : loop_(detail::make<mcptoken_loop, mcptoken_loop_free>(mcptoken_loop_new)) {}
  Loop(Loop&&) = default;
  Loop& operator=(Loop&& other) noexcept {
    loop_ = std::move(other.loop_);  // before what it may still have
    posts_ = std::move(other.posts_);
    return *this;
  }
  mcptoken_loop* get() const noexcept { return loop_.get(); }
  int fd() const noexcept { return mcptoken_loop_fd(get()); }
  // nullopt: no limit.
  std::optional<milliseconds> timeout() const noexcept {
    const int64_t ms = mcptoken_loop_timeout(get());
    return ms < 0 ? std::nullopt : std::optional(milliseconds(ms));
  }
  void run_once() { mcptoken_loop_run_once(get()); }
  void run() { mcptoken_loop_run(get()); }
  void set_busy_poll(std::chrono::microseconds bound) { mcptoken_loop_set_busy_poll(get(), bound.count()); }
  void stop() { mcptoken_loop_stop(get()); }
  // Any thread. A callback that has not run when the loop ends never does.
  void post(std::function<void()> callback) {
    const auto run = [](void* user_data) noexcept {
      const auto taken = detail::Posts::take(static_cast<detail::Posts::Post*>(user_data));
      taken();
    };
    if (!posts_) throw Error(MCPTOKEN_INVALID, nullptr);  // moved away
    auto* const kept = posts_->add(std::move(callback));
    const mcptoken_status status = mcptoken_loop_post(get(), run, kept);
    if (status >= 0) return;
    detail::Posts::take(kept);
    throw Error(status, nullptr);
  }

 private:
  std::unique_ptr<detail::Posts> posts_ = std::make_unique<detail::Posts>();  // outlives the loop
  detail::Owner<mcptoken_loop, mcptoken_loop_free> loop_;
};

class Watch {
 public:
  using Callback = std::function<void(int32_t events)>;
  Watch(Loop& loop, int fd, int32_t events, Callback callback)
      : callback_(std::make_unique<Callback>(std::move(callback))),
        watch_(detail::make<mcptoken_watch, mcptoken_watch_free>([&](auto out, auto error) {
          const auto run = [](void* user_data, int32_t seen) noexcept { (*static_cast<Callback*>(user_data))(seen); };
          return mcptoken_watch_new(loop.get(), fd, events, run, callback_.get(), out, error);
        })) {}
  void change(int32_t events) { mcptoken_watch_change(watch_.get(), events); }
  void expect() { mcptoken_watch_expect(watch_.get()); }

 private:
  std::unique_ptr<Callback> callback_;  // outlives the watch
  detail::Owner<mcptoken_watch, mcptoken_watch_free> watch_;
};

class Timer {
 public:
  using Callback = std::function<void()>;
  Timer(Loop& loop, Callback callback)
      : callback_(std::make_unique<Callback>(std::move(callback))),
        timer_(detail::make<mcptoken_timer, mcptoken_timer_free>([&](auto out, auto error) {
          const auto run = [](void* user_data) noexcept { (*static_cast<Callback*>(user_data))(); };
          return mcptoken_timer_new(loop.get(), run, callback_.get(), out, error);
        })) {}
  void start(milliseconds delay, milliseconds repeat = milliseconds(0)) {
    mcptoken_timer_start(timer_.get(), detail::count(delay), detail::count(repeat));
  }
  void stop() { mcptoken_timer_stop(timer_.get()); }

 private:
  std::unique_ptr<Callback> callback_;  // outlives the timer
  detail::Owner<mcptoken_timer, mcptoken_timer_free> timer_;
};

class Client {
 public:
  explicit Client(const std::string& base_url, std::string_view bearer = {},
                  milliseconds timeout = std::chrono::seconds(30))
      : client_(detail::make<mcptoken_client, mcptoken_client_free>([&](auto out, auto error) {
          return mcptoken_client_new(base_url.c_str(), bearer.data(), bearer.size(), detail::count(timeout), out,
                                     error);
        })) {}
  // How the host calls itself from now on, as User-Agent.
  void introduce(const std::string& name, const std::string& version) {
    detail::check([&](mcptoken_error** error) {
      return mcptoken_client_introduce(client_.get(), name.c_str(), version.c_str(), error);
    });
  }
  std::string call(const std::string& method, const std::string& path, std::string_view body = {}) {
    return detail::text([&](auto out, auto error) {
      return mcptoken_client_call(client_.get(), method.c_str(), path.c_str(), body.data(), body.size(), out, error);
    });
  }
  int http_status() const noexcept { return mcptoken_client_http_status(client_.get()); }
  mcptoken_client* get() const noexcept { return client_.get(); }

 private:
  detail::Owner<mcptoken_client, mcptoken_client_free> client_;
};

// Who a token is; throws with MCPTOKEN_UNAUTHENTICATED when it is refused.
class Identity {
 public:
  explicit Identity(Client& client)
      : identity_(detail::make<mcptoken_identity, mcptoken_identity_free>(
            [&](auto out, auto error) { return mcptoken_auth_verify(client.get(), out, error); })) {}
  std::string_view token_name() const noexcept { return mcptoken_identity_token_name(identity_.get()); }
  std::string_view token_sha() const noexcept { return mcptoken_identity_token_sha(identity_.get()); }
  std::string_view project() const noexcept { return mcptoken_identity_project(identity_.get()); }
  std::string_view owner() const noexcept { return mcptoken_identity_owner(identity_.get()); }
  // nullopt: never.
  std::optional<token::Time> expires() const noexcept {
    const int64_t ms = mcptoken_identity_expires_ms(identity_.get());
    return ms == INT64_MAX ? std::nullopt : std::optional(token::Time(milliseconds(ms)));
  }
  // Lives as long as the identity.
  rbac::Rights rights() const { return rbac::Rights(mcptoken_identity_rights(identity_.get())); }

 private:
  detail::Owner<mcptoken_identity, mcptoken_identity_free> identity_;
};

// A request under way on a Session, which it may outlive.
class Call {
 public:
  explicit Call(mcptoken_call* taken) : call_(taken) {}
  // Gets on with what has come, without waiting: the result, or nothing yet. Throws what the request failed with.
  std::optional<std::string> poll() {
    mcptoken_status status = MCPTOKEN_OK;
    const auto bytes = detail::make<mcptoken_bytes, mcptoken_bytes_free>([&](auto out, auto error) {
      return status = mcptoken_call_poll(call_.get(), out, error);
    });
    if (status == MCPTOKEN_PENDING) return std::nullopt;
    return std::string(mcptoken_bytes_data(bytes.get()), mcptoken_bytes_size(bytes.get()));
  }
  void cancel() noexcept { mcptoken_call_cancel(call_.get()); }

 private:
  detail::Owner<mcptoken_call, mcptoken_call_free> call_;
};

class Session {
 public:
  enum class Era : int32_t {
    automatic = MCPTOKEN_ERA_AUTO,
    legacy = MCPTOKEN_ERA_LEGACY,
    modern = MCPTOKEN_ERA_MODERN
  };
  using Notification = std::function<void(std::string_view json)>;
  using Input = std::function<std::string(std::string_view method, std::string_view params)>;

  explicit Session(const std::string& url, std::string_view bearer = {},
                   milliseconds timeout = std::chrono::seconds(30), Era era = Era::automatic)
      : session_(detail::make<mcptoken_session, mcptoken_session_free>([&](auto out, auto error) {
          return mcptoken_session_new(url.c_str(), bearer.data(), bearer.size(), detail::count(timeout),
                                      static_cast<int32_t>(era), out, error);
        })) {}
  // How the host calls itself towards the server. Before connect().
  void introduce(const std::string& name, const std::string& version) {
    detail::check([&](mcptoken_error** error) {
      return mcptoken_session_introduce(session_.get(), name.c_str(), version.c_str(), error);
    });
  }
  // An empty one stops. It may replace itself, and end the session.
  void on_notification(Notification callback) {
    if (!heard_) heard_ = std::make_unique<std::shared_ptr<Notification>>();
    *heard_ = callback ? std::make_shared<Notification>(std::move(callback)) : nullptr;
    const auto run = [](void* user_data, const char* json, size_t size) noexcept {
      const auto running = *static_cast<std::shared_ptr<Notification>*>(user_data);
      (*running)(std::string_view(json, size));
    };
    mcptoken_session_on_notification(session_.get(), *heard_ ? +run : nullptr, heard_.get());
  }
  // Answers questions of the server: `method` and `params` in, the result out; with "" an elicitation is cancelled, and anything
  // else refused. `capabilities` is a JSON object. An empty callback declares nothing. Before connect(). What it throws ends the
  // program.
  void on_input(std::string_view capabilities, Input callback) {
    auto kept = std::make_unique<std::shared_ptr<Asked>>();
    if (callback) *kept = std::make_shared<Asked>(Asked{session_.get(), std::move(callback)});
    const auto run = [](void* user_data, const char* method, const char* params, size_t size) noexcept {
      const auto asked = *static_cast<std::shared_ptr<Asked>*>(user_data);
      const std::string answer = asked->callback(method, std::string_view(params, size));
      if (!answer.empty()) mcptoken_session_answer(asked->session, answer.data(), answer.size(), nullptr);
    };
    detail::check([&](mcptoken_error** error) {
      return mcptoken_session_on_input(session_.get(), capabilities.data(), capabilities.size(), *kept ? +run : nullptr,
                                       kept.get(), error);
    });
    asked_ = std::move(kept);
  }
  void connect() {
    detail::check([&](mcptoken_error** error) { return mcptoken_session_connect(session_.get(), error); });
  }
  // The WWW-Authenticate fields of the last answer that was a refusal; "" when it had none.
  std::string challenge() const { return mcptoken_session_challenge(session_.get()); }
  std::string info() {
    return detail::text([&](auto out, auto error) { return mcptoken_session_info(session_.get(), out, error); });
  }
  std::string list_tools() {
    return detail::text([&](auto out, auto error) { return mcptoken_session_list_tools(session_.get(), out, error); });
  }
  std::string call_tool(const std::string& name, std::string_view arguments = {}) {
    return detail::text([&](auto out, auto error) {
      return mcptoken_session_call_tool(session_.get(), name.c_str(), arguments.data(), arguments.size(), out, error);
    });
  }
  std::string request(const std::string& method, std::string_view params = {}) {
    return detail::text([&](auto out, auto error) {
      return mcptoken_session_request(session_.get(), method.c_str(), params.data(), params.size(), out, error);
    });
  }
  // A request that is polled, beside others.
  Call begin(const std::string& method, std::string_view params = {}) {
    return Call(detail::make<mcptoken_call, mcptoken_call_free>([&](auto out, auto error) {
                  return mcptoken_session_begin(session_.get(), method.c_str(), params.data(), params.size(), out, error);
                }).release());
  }
  // Gets on with what has come, without waiting; whether there is more to wait for.
  bool poll() {
    mcptoken_status status = MCPTOKEN_OK;
    detail::check([&](mcptoken_error** error) { return status = mcptoken_session_poll(session_.get(), error); });
    return status == MCPTOKEN_PENDING;
  }
  // What to wait for with calls under way: until it is readable, for so long at most; less than 0: no limit. Then poll them.
  int fd() const noexcept { return mcptoken_session_fd(session_.get()); }
  milliseconds timeout() const noexcept { return milliseconds(mcptoken_session_timeout(session_.get())); }
  void notify(const std::string& method, std::string_view params = {}) {
    detail::check([&](mcptoken_error** error) {
      return mcptoken_session_notify(session_.get(), method.c_str(), params.data(), params.size(), error);
    });
  }
  void close() {
    detail::check([&](mcptoken_error** error) { return mcptoken_session_close(session_.get(), error); });
  }
  static std::string base_url(const std::string& url) {
    return detail::text([&](auto out, auto error) { return mcptoken_session_base_url(url.c_str(), out, error); });
  }
  static void health(const std::string& base, milliseconds timeout = std::chrono::seconds(5)) {
    detail::check(
        [&](mcptoken_error** error) { return mcptoken_session_health(base.c_str(), detail::count(timeout), error); });
  }

 private:
  struct Asked {
    mcptoken_session* session;
    Input callback;
  };
  // Both outlive the session; while one of them runs it is kept by that.
  std::unique_ptr<std::shared_ptr<Notification>> heard_;
  std::unique_ptr<std::shared_ptr<Asked>> asked_;
  detail::Owner<mcptoken_session, mcptoken_session_free> session_;
};

// A request whose answer is taken as it comes.
class Stream {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  enum class What : int32_t {
    nothing = MCPTOKEN_STREAM_NOTHING,
    head = MCPTOKEN_STREAM_HEAD,
    data = MCPTOKEN_STREAM_DATA,
    event = MCPTOKEN_STREAM_EVENT,
    end = MCPTOKEN_STREAM_END
  };
  struct Step {
    What what = What::nothing;
    std::string data;  // of data and event
  };

  explicit Stream(const std::string& url, std::string_view bearer = {})
      : stream_(detail::make<mcptoken_stream, mcptoken_stream_free>([&](auto out, auto error) {
          return mcptoken_stream_new(url.c_str(), bearer.data(), bearer.size(), out, error);
        })) {}
  void send(const std::string& method, const Headers& headers = {}, std::string_view body = {}) {
    const auto rows = rows_of(headers);
    detail::check([&](mcptoken_error** error) {
      return mcptoken_stream_send(stream_.get(), method.c_str(), rows.data(), rows.size(), body.data(), body.size(),
                                  error);
    });
  }
  // One MCP message, with the headers that follow from it.
  void send_message(std::string_view message, const Headers& session_headers = {}) {
    const auto rows = rows_of(session_headers);
    detail::check([&](mcptoken_error** error) {
      return mcptoken_stream_send_message(stream_.get(), message.data(), message.size(), rows.data(), rows.size(),
                                          error);
    });
  }
  Step next(milliseconds timeout) {
    int32_t what = 0;
    const auto bytes = detail::make<mcptoken_bytes, mcptoken_bytes_free>([&](auto out, auto error) {
      return mcptoken_stream_next(stream_.get(), detail::count(timeout), &what, out, error);
    });
    return {static_cast<What>(what), std::string(mcptoken_bytes_data(bytes.get()), mcptoken_bytes_size(bytes.get()))};
  }
  int status() const noexcept { return mcptoken_stream_status(stream_.get()); }
  std::string header(const std::string& name) const { return mcptoken_stream_header(stream_.get(), name.c_str()); }
  std::string event_type() const { return mcptoken_stream_event_type(stream_.get()); }
  std::string event_id() const { return mcptoken_stream_event_id(stream_.get()); }

 private:
  static std::vector<mcptoken_header> rows_of(const Headers& headers) {
    std::vector<mcptoken_header> rows;
    for (const auto& [name, value] : headers)
      rows.push_back({name.c_str(), value.c_str()});
    return rows;
  }
  detail::Owner<mcptoken_stream, mcptoken_stream_free> stream_;
};

// One text that a stage of the program's own is to work on, and the way to answer; see stage.h. Destroyed without an
// answer, the stage has failed.
class StageCall {
 public:
  explicit StageCall(mcptoken_stage_call* call) noexcept : call_(call) {}
  std::string_view content() const noexcept { return view(mcptoken_stage_call_content); }
  std::string_view original() const noexcept { return view(mcptoken_stage_call_original); }
  std::string get(const std::string& key) const {
    const char* text = mcptoken_stage_call_get(call_.get(), key.c_str());
    return text ? text : "";
  }
  bool abandoned() const noexcept { return mcptoken_stage_call_abandoned(call_.get()) == 1; }
  std::string ask_model(std::string_view prompt, std::int64_t max_tokens) {
    return detail::text([&](auto out, auto error) {
      return mcptoken_stage_call_ask_model(call_.get(), prompt.data(), prompt.size(), max_tokens, out, error);
    });
  }
  // Empty: nothing is kept under this key.
  std::optional<std::string> cache_get(std::string_view key) {
    try {
      return detail::text([&](auto out, auto error) {
        return mcptoken_stage_call_cache_get(call_.get(), key.data(), key.size(), out, error);
      });
    } catch (const Error& failure) {
      if (failure.status() != MCPTOKEN_NOT_FOUND) throw;
      return std::nullopt;
    }
  }
  void cache_put(std::string_view key, std::string_view value) {
    detail::check([&](mcptoken_error** error) {
      return mcptoken_stage_call_cache_put(call_.get(), key.data(), key.size(), value.data(), value.size(), error);
    });
  }
  void add_section(const std::string& id, const std::string& title, std::string_view content) {
    detail::check([&](mcptoken_error** error) {
      return mcptoken_stage_call_add_section(call_.get(), id.c_str(), title.c_str(), content.data(), content.size(),
                                             error);
    });
  }
  void answer(std::string_view content) {
    detail::check([&](mcptoken_error** error) {
      return mcptoken_stage_call_answer(call_.get(), content.data(), content.size(), error);
    });
  }
  void fail(const std::string& why) {
    detail::check([&](mcptoken_error** error) { return mcptoken_stage_call_fail(call_.get(), why.c_str(), error); });
  }

 private:
  template <class Getter>
  std::string_view view(Getter getter) const noexcept {
    size_t size = 0;
    const char* const text = getter(call_.get(), &size);
    return {text ? text : "", size};
  }
  detail::Owner<mcptoken_stage_call, mcptoken_stage_call_free> call_;
};

class Config {
 public:
  Config() : config_(detail::make<mcptoken_config, mcptoken_config_free>(mcptoken_config_new)) {}
  const mcptoken_config* get() const noexcept { return config_.get(); }
  Config& set(const std::string& key, const std::string& value) {
    detail::check(
        [&](mcptoken_error** error) { return mcptoken_config_set(config_.get(), key.c_str(), value.c_str(), error); });
    return *this;
  }
  // `run` is called on the stage's own thread.
  using Stage = std::function<void(StageCall call)>;
  Config& stage(const std::string& type, const std::string& version, Stage run) {
    auto kept = std::make_unique<Stage>(std::move(run));
    const auto call = [](void* user_data, mcptoken_stage_call* one) noexcept {
      try {
        (*static_cast<Stage*>(user_data))(StageCall(one));
      } catch (...) {  // the call is released by now, and with it the stage has failed
      }
    };
    const auto destroy = [](void* user_data) noexcept { delete static_cast<Stage*>(user_data); };
    detail::check([&](mcptoken_error** error) {
      return mcptoken_stage_register(config_.get(), type.c_str(), version.c_str(), call, kept.get(), destroy, error);
    });
    (void)kept.release();
    return *this;
  }
  // These two while no service has the data directory open.
  void reset_password(const std::string& email, std::string_view password) const {
    detail::check([&](mcptoken_error** error) {
      return mcptoken_admin_reset_password(get(), email.c_str(), password.data(), password.size(), error);
    });
  }
  std::string verify_audit(const std::string& expected_head = "") const {
    return detail::text([&](auto out, auto error) {
      return mcptoken_admin_verify_audit(get(), expected_head.empty() ? nullptr : expected_head.c_str(), out, error);
    });
  }

 private:
  detail::Owner<mcptoken_config, mcptoken_config_free> config_;
};

// Destroy it after all loops have drained and before them: declare it after the loops.
class Service {
 public:
  using Log = std::function<void(int32_t level, const char* line)>;  // any thread
  explicit Service(const Config& config, Log log = {})
      : log_(log ? std::make_unique<Log>(std::move(log)) : nullptr),
        service_(detail::make<mcptoken_service, mcptoken_service_free>([&](auto out, auto error) {
          const auto run = [](void* user_data, int32_t level, const char* line) noexcept {
            (*static_cast<Log*>(user_data))(level, line);
          };
          return mcptoken_service_new(config.get(), log_ ? +run : nullptr, log_.get(), out, error);
        })) {}
  Service(Service&&) = default;
  Service& operator=(Service&& other) noexcept {
    service_ = std::move(other.service_);  // before what its threads may still call
    access_ = std::move(other.access_);
    log_ = std::move(other.log_);
    return *this;
  }
  mcptoken_service* get() const noexcept { return service_.get(); }
  void attach(Loop& loop) {
    detail::check([&](mcptoken_error** error) { return mcptoken_service_attach(get(), loop.get(), error); });
  }
  void drain(Loop& loop, milliseconds grace, std::function<void()> done) {
    auto kept = std::make_unique<std::function<void()>>(std::move(done));
    const auto run = [](void* user_data) noexcept {
      const std::unique_ptr<std::function<void()>> taken(static_cast<std::function<void()>*>(user_data));
      (*taken)();
    };
    mcptoken_service_drain(get(), loop.get(), detail::count(grace), run, kept.release());
  }
  bool needs_bootstrap() const noexcept { return mcptoken_service_needs_bootstrap(get()) == 1; }
  std::string metrics() const {
    return detail::text([&](auto out, auto error) { return mcptoken_service_metrics(get(), out, error); });
  }
  // On the loops, before the first exchange.
  void on_access(std::function<void(const mcptoken_access&)> callback) {
    auto kept = callback ? std::make_unique<Access>(std::move(callback)) : nullptr;
    const auto run = [](void* user_data, const mcptoken_access* access) noexcept { (*static_cast<Access*>(user_data))(*access); };
    detail::check([&](mcptoken_error** error) {
      return mcptoken_service_on_access(get(), kept ? +run : nullptr, kept.get(), error);
    });
    access_ = std::move(kept);
  }

 private:
  using Access = std::function<void(const mcptoken_access&)>;
  std::unique_ptr<Log> log_;  // outlives the service, as does the next
  std::unique_ptr<Access> access_;
  detail::Owner<mcptoken_service, mcptoken_service_free> service_;
};

// How the service answers; see mcptoken_sink. Outlives its exchange.
class Sink {
 public:
  using Headers = std::vector<std::pair<std::string_view, std::string_view>>;
  virtual ~Sink() = default;
  virtual void head(int status, const Headers& headers, int64_t length) = 0;
  virtual size_t write(std::string_view data) = 0;  // bytes that wait to be sent
  virtual void end(bool ok) = 0;
};

struct Request {
  std::string method, target, peer_address;
  std::vector<std::pair<std::string, std::string>> headers;
  int64_t content_length = 0;  // -1: unknown
  bool tls = false;
};

class Exchange {
 public:
  Exchange(Service& service, Loop& loop, const Request& request, Sink& sink) {
    std::vector<mcptoken_header> rows;
    for (const auto& [name, value] : request.headers)
      rows.push_back({name.c_str(), value.c_str()});
    const mcptoken_head head = {sizeof head,
                                request.tls ? MCPTOKEN_HEAD_TLS : 0u,
                                request.method.c_str(),
                                request.target.c_str(),
                                request.peer_address.empty() ? nullptr : request.peer_address.c_str(),
                                rows.data(),
                                rows.size(),
                                request.content_length};
    const mcptoken_sink native = {sizeof native, 0, &sink, on_head, on_write, on_end};
    exchange_ = detail::make<mcptoken_exchange, mcptoken_exchange_free>([&](auto out, auto error) {
      return mcptoken_exchange_new(service.get(), loop.get(), &head, &native, out, error);
    });
  }
  bool answered() const noexcept { return mcptoken_exchange_answered(exchange_.get()) == 1; }
  void body(std::string_view data) { mcptoken_exchange_body(exchange_.get(), data.data(), data.size()); }
  void end() { mcptoken_exchange_end(exchange_.get()); }
  void writable() { mcptoken_exchange_writable(exchange_.get()); }
  void peer_closed() { mcptoken_exchange_peer_closed(exchange_.get()); }

 private:
  static void on_head(void* sink, int32_t status, const mcptoken_header* headers, size_t count,
                      int64_t length) noexcept {
    Sink::Headers rows;
    for (size_t i = 0; i < count; ++i)
      rows.emplace_back(headers[i].name, headers[i].value);
    static_cast<Sink*>(sink)->head(status, rows, length);
  }
  static size_t on_write(void* sink, const char* data, size_t size) noexcept {
    return static_cast<Sink*>(sink)->write(std::string_view(data, size));
  }
  static void on_end(void* sink, int32_t ok) noexcept { static_cast<Sink*>(sink)->end(ok == 1); }

  detail::Owner<mcptoken_exchange, mcptoken_exchange_free> exchange_;
};

#endif  // MCPTOKEN_CORE_ONLY

}  // namespace mcptoken

#undef MCPTOKEN_HIDDEN

#endif
