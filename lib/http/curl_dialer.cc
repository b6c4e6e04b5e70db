#include "http/curl_dialer.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <string>
#include <vector>

#include "http/socket_transport.h"
#include "http/tls_transport.h"

namespace mcptoken::http {
namespace {

// A directory of authorities that OpenSSL can look up one by one. Preferred over the one large file, which would be
// parsed anew for every connection; empty when there is none.
std::string hashed_ca_directory(const char* path) {
  DIR* directory = path ? opendir(path) : nullptr;
  if (!directory) return {};
  bool found = false;
  while (const dirent* entry = readdir(directory)) {
    const std::string_view name = entry->d_name;
    found = found || (name.size() == 10 && name.ends_with(".0"));
  }
  closedir(directory);
  return found ? path : std::string();
}

struct Library {
  bool usable = false;
  std::string ca_directory;
};

const Library& library() {
  static const Library instance = [] {
    Library out;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return out;
    const curl_version_info_data* info = curl_version_info(CURLVERSION_NOW);
    // Since 7.88 TLS writes do not raise SIGPIPE, whose handling is none of a library's business.
    out.usable = info->version_num >= 0x075800 && (info->features & CURL_VERSION_ASYNCHDNS) != 0 &&
                 (info->features & CURL_VERSION_SSL) != 0;
    out.ca_directory = hashed_ca_directory(info->capath ? info->capath : "/etc/ssl/certs");
    return out;
  }();
  return instance;
}

Error cannot_connect(bool allow_private) {
  return Error(Status::unavailable, "cannot connect to the server")
      .with_code("upstream_connect")
      .with_hint(allow_private ? "check the URL, and whether a server listens there"
                               : "check the URL; private addresses need upstream-allow or allowPrivate");
}

// Why a certificate is refused. In our words: libcurl's name the host, and callers are not to learn where a server is.
Error not_trusted(long verdict) {
  struct Row {
    long verdict;  // of OpenSSL, X509_V_ERR_*; the name is looked at before libcurl asks for that
    const char* words;
  };
  constexpr Row kRows[] = {{1, "it is another host's"},        {9, "it is not valid yet"},       {10, "it has expired"},
                           {18, "it is signed by itself"},     {19, "who signed it is not known"}, {20, "who signed it is not known"},
                           {21, "who signed it is not known"}, {23, "it was revoked"}};
  std::string text = "the server's certificate is not trusted";
  for (const Row& row : kRows) {
    if (row.verdict == verdict) text.append(": ").append(row.words);
  }
  return Error(Status::unavailable, std::move(text)).with_code("upstream_certificate");
}

Error error_of(CURLcode code, long verdict, bool allow_private) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return Error(Status::unavailable, "connecting timed out").with_code("upstream_connect_timeout");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
      return not_trusted(verdict);
    case CURLE_SSL_CACERT_BADFILE:
      return Error(Status::unavailable, "the file of certificate authorities cannot be used")
          .with_code("upstream_ca_file");
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
      return Error(Status::unavailable, "TLS could not be set up with the server").with_code("upstream_tls");
    case CURLE_OUT_OF_MEMORY:
      return Error(Status::no_memory, "out of memory");
    default:
      return cannot_connect(allow_private);
  }
}

std::string address_text(const curl_sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = "?";
  const void* bytes = address.family == AF_INET
                          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(&address.addr)->sin_addr)
                          : static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(&address.addr)->sin6_addr);
  inet_ntop(address.family, bytes, text, sizeof text);
  return text;
}

// Invariant: libcurl calls back only while it is inside one of our calls to it; `done_` is called after those return.
class CurlDial final : public Dial {
 public:
  CurlDial(loop::Loop& loop, std::shared_ptr<const AddressPolicy> policy, const Log& log, const Endpoint& endpoint,
           Dialer::Done done)
      : loop_(loop),
        policy_(std::move(policy)),
        log_(log),
        url_(*endpoint.url),
        allow_private_(endpoint.allow_private),
        timer_(loop),
        done_(std::move(done)) {}
  ~CurlDial() override { forget(); }

  Result<void> start(const Endpoint& endpoint) {
    handles_.multi = curl_multi_init();
    handles_.easy = curl_easy_init();
    if (!handles_.multi || !handles_.easy) return fail(Status::no_memory, "out of memory");
    if (!set_options(endpoint)) return fail(Status::not_supported, "libcurl refuses an option");
    if (curl_multi_add_handle(handles_.multi, handles_.easy) != CURLM_OK) return fail(cannot_connect(allow_private_));
    return {};
  }

 private:
  struct Slot {
    curl_socket_t fd;
    std::unique_ptr<loop::Watch> watch;
  };

  bool set_options(const Endpoint& endpoint) {
    CURL* easy = handles_.easy;
    bool ok = true;
    const auto set = [&](CURLoption option, auto value) {
      ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK;
    };
    set(CURLOPT_URL, (url_.origin() + "/").c_str());
    set(CURLOPT_ERRORBUFFER, words_.data());
    set(CURLOPT_CONNECT_ONLY, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));  // keeps h2 out of ALPN
    set(CURLOPT_HTTP09_ALLOWED, 0L);
    set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_QUICK_EXIT, 1L);  // an abandoned attempt does not wait for its resolver thread
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(endpoint.connect_ms));
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_OPENSOCKETFUNCTION, &CurlDial::open_socket);
    set(CURLOPT_OPENSOCKETDATA, this);
    if (!endpoint.ca_file.empty()) {
      set(CURLOPT_CAINFO, std::string(endpoint.ca_file).c_str());
      set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
    } else if (const std::string& directory = library().ca_directory; !directory.empty()) {
      set(CURLOPT_CAINFO, static_cast<char*>(nullptr));
      set(CURLOPT_CAPATH, directory.c_str());
    }
    CURLM* multi = handles_.multi;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &CurlDial::on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &CurlDial::on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
    return ok;
  }

  static curl_socket_t open_socket(void* context, curlsocktype, curl_sockaddr* address) noexcept {
    auto& self = *static_cast<CurlDial*>(context);
    if (!self.policy_->judge(&address->addr, self.allow_private_)) {
      if (std::exchange(self.has_warned_, true)) return CURL_SOCKET_BAD;  // a name may have a thousand
      self.log_.warn("http: " + self.url_.origin() + " is at " + address_text(*address) +
                     ", which the address policy refuses");
      return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  }

  // Without memory the attempt fails: no exception may pass through libcurl.
  static int on_socket(CURL*, curl_socket_t fd, int what, void* context, void*) noexcept try {
    return static_cast<CurlDial*>(context)->watch_socket(fd, what) ? 0 : -1;
  } catch (const std::bad_alloc&) {
    return -1;
  }
  static int on_timer(CURLM*, long delay_ms, void* context) noexcept try {
    static_cast<CurlDial*>(context)->set_timer(delay_ms);
    return 0;
  } catch (const std::bad_alloc&) {
    return -1;
  }

  bool watch_socket(curl_socket_t fd, int what) {
    const auto slot = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& s) { return s.fd == fd; });
    if (what == CURL_POLL_REMOVE) {
      if (slot != slots_.end()) slots_.erase(slot);
      return true;
    }
    const int events = (what & CURL_POLL_IN ? loop::kReadable : 0) | (what & CURL_POLL_OUT ? loop::kWritable : 0);
    if (slot != slots_.end()) {
      slot->watch->change(events);
      return true;
    }
    auto watch = std::make_unique<loop::Watch>(loop_);
    if (!watch->start(fd, events, [this, fd](int ready) { act(fd, ready); })) return false;
    slots_.push_back({fd, std::move(watch)});
    return true;
  }

  void set_timer(long delay_ms) {
    if (delay_ms < 0)
      timer_.stop();
    else
      timer_.start(delay_ms, [this] { act(CURL_SOCKET_TIMEOUT, 0); });
  }

  void act(curl_socket_t fd, int ready) {
    const int mask = (ready & loop::kReadable ? CURL_CSELECT_IN : 0) |
                     (ready & loop::kWritable ? CURL_CSELECT_OUT : 0) |
                     (ready & loop::kDisconnect ? CURL_CSELECT_ERR : 0);
    int running = 0;
    const CURLMcode rc = curl_multi_socket_action(handles_.multi, fd, mask, &running);
    int left = 0;
    const CURLMsg* message = curl_multi_info_read(handles_.multi, &left);
    if (message && message->msg == CURLMSG_DONE) {
      finish(message->data.result);
    } else if (rc != CURLM_OK) {
      finish(CURLE_COULDNT_CONNECT);
    }
  }

  void finish(CURLcode code) {
    if (code != CURLE_OK) {
      long verdict = -1;
      curl_easy_getinfo(handles_.easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
      log_.info("http: connecting to " + url_.origin() + ": " + (words_.front() ? words_.data() : curl_easy_strerror(code)));
      return deliver(fail(error_of(code, verdict, allow_private_)));
    }
    slots_.clear();
    timer_.stop();
    curl_easy_setopt(handles_.easy, CURLOPT_ERRORBUFFER, static_cast<char*>(nullptr));  // ours, and the handle lives on
    if (url_.secure()) return deliver(make_tls_transport(loop_, std::exchange(handles_, CurlHandles())));
    curl_socket_t fd = CURL_SOCKET_BAD;
    curl_easy_getinfo(handles_.easy, CURLINFO_ACTIVESOCKET, &fd);
    // The socket outlives libcurl's handles, which are 20 KB that plain http has no use for.
    const int own = fd == CURL_SOCKET_BAD ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    forget();
    if (own < 0) return deliver(fail(Status::limit, "too many open files"));
    deliver(make_socket_transport(loop_, own));
  }

  void deliver(Result<std::unique_ptr<Transport>> result) {
    auto done = std::move(done_);
    done(std::move(result));  // destroys this
  }

  void forget() {
    slots_.clear();
    timer_.stop();
    std::exchange(handles_, CurlHandles()).close();
  }

  loop::Loop& loop_;
  std::shared_ptr<const AddressPolicy> policy_;
  const Log& log_;
  const Url& url_;
  bool allow_private_;
  bool has_warned_ = false;
  std::array<char, CURL_ERROR_SIZE> words_{};  // libcurl's, about what went wrong
  CurlHandles handles_;
  loop::Timer timer_;
  std::vector<Slot> slots_;
  Dialer::Done done_;
};

class CurlDialer final : public Dialer {
 public:
  CurlDialer(loop::Loop& loop, std::shared_ptr<const AddressPolicy> policy, Log log)
      : loop_(loop),
        policy_(policy ? std::move(policy) : std::make_shared<const AddressPolicy>()),
        log_(std::move(log)) {}

  Result<std::unique_ptr<Dial>> dial(const Endpoint& endpoint, Done done) override {
    if (!library().usable)
      return fail(Status::not_supported, "libcurl 7.88 with TLS and resolving in the background is needed");
    auto dial = std::make_unique<CurlDial>(loop_, policy_, log_, endpoint, std::move(done));
    MCPT_CHECK(dial->start(endpoint));
    return dial;
  }

 private:
  loop::Loop& loop_;
  std::shared_ptr<const AddressPolicy> policy_;
  Log log_;
};

}  // namespace

std::unique_ptr<Dialer> make_curl_dialer(loop::Loop& loop, std::shared_ptr<const AddressPolicy> policy, Log log) {
  return std::make_unique<CurlDialer>(loop, std::move(policy), std::move(log));
}

}  // namespace mcptoken::http
