#include "settings.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "api.h"
#include "files.h"
#include "fixture.h"

namespace mcpctl {
namespace {

// A folder that goes away with the test.
struct Folder {
  std::string path = "/tmp/mcpctl-test-XXXXXX";
  Folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Folder() {
    for (const char* name : {"/mcpctl/credentials", "/mcpctl/config.yaml", "/file"})
      ::unlink((path + name).c_str());
    ::rmdir((path + "/mcpctl").c_str());
    ::rmdir(path.c_str());
  }
};

Settings resolved(const std::vector<std::string>& flags, std::map<std::string, std::string> variables) {
  std::vector<std::string> words = {"get", "servers"};
  words.insert(words.end(), flags.begin(), flags.end());
  auto parsed = parse_command_line(fixture_table(), words);
  REQUIRE(parsed.ok());
  auto settings = load_settings(parsed->invocation, [&](const std::string& name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  });
  REQUIRE_MESSAGE(settings.ok(), failure_text(settings));
  return *settings;
}

void write(const std::string& path, const std::string& text) {
  auto file = PendingFile::open(path);
  REQUIRE_MESSAGE(file.ok(), failure_text(file));
  REQUIRE(file->commit(text).ok());
}

}  // namespace

TEST_CASE("flag beats environment beats file beats last login beats default") {
  const Folder folder;
  const std::string home = folder.path;
  std::map<std::string, std::string> env = {{"XDG_CONFIG_HOME", home}};
  CHECK(resolved({}, env).server == kDefaultServer);
  REQUIRE(Credentials::change(home + "/mcpctl/credentials", [](Credentials& credentials) {
            credentials.server = "http://login";
            credentials.sessions["http://login"] = {"token-of-login", "ada@example.com", ""};
            credentials.tokens["http://login"]["demo"] = "token-of-demo";
          }).ok());
  CHECK(resolved({}, env).server == "http://login");
  CHECK(resolved({}, env).token == "token-of-login");
  CHECK(resolved({}, env).user == "ada@example.com");
  write(home + "/mcpctl/config.yaml", "current-context: a\ncontexts:\n  a: {server: http://file, output: yaml}\n");
  CHECK(resolved({}, env).server == "http://file");
  CHECK(resolved({}, env).token.empty());
  CHECK(resolved({}, env).format == Format::kYaml);
  env["MCPCTL_SERVER"] = "http://env/";
  env["MCPCTL_TOKEN"] = "token-of-env";
  CHECK(resolved({}, env).server == "http://env");
  CHECK(resolved({}, env).token == "token-of-env");
  CHECK(resolved({}, env).token_from_environment);
  CHECK(resolved({"--mcpd-url", "http://flag//"}, env).server == "http://flag");
}

TEST_CASE("credentials survive a round trip, are for the owner alone, and are refused otherwise") {
  const Folder folder;
  const std::string path = folder.path + "/mcpctl/credentials";
  REQUIRE(Credentials::change(path, [](Credentials& c) { c.sessions["http://a:1"] = {"t", "u@x", "2026"}; }).ok());
  REQUIRE(Credentials::change(path, [](Credentials& c) { c.tokens["http://a:1"]["p"] = "k"; }).ok());
  const auto loaded = Credentials::load(path);
  REQUIRE(loaded.ok());
  CHECK(loaded->sessions.at("http://a:1").expires_at == "2026");
  CHECK(loaded->tokens.at("http://a:1").at("p") == "k");
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  ::chmod(path.c_str(), 0604);
  CHECK(failure_text(Credentials::load(path)) ==
        "refusing to use " + path + ": others may read it | chmod 600 " + path);
}

TEST_CASE("contexts") {
  const std::string text = "current-context: a\ncontexts:\n  a:\n    project: p\n  b:\n    server: http://b\n";
  CHECK(context_of(text, "f", "")->project == "p");
  CHECK(context_of(text, "f", "b")->server == "http://b");
  CHECK(context_of("", "f", "")->server.empty());
  CHECK(failure_text(context_of(text, "f", "c")) == "f: there is no context \"c\"");
  CHECK(failure_text(context_of("contexts:\n  a:\n    sever: x\n", "f", "a")).find("\"sever\"") != std::string::npos);
  CHECK(failure_text(context_of("contexts:\n  a:\n    project: 1\n", "f", "a")).find("must be text") !=
        std::string::npos);
  CHECK(failure_text(context_of("- a\n", "f", "")).find("must be a mapping") != std::string::npos);
}

TEST_CASE("a pending file leaves nothing behind when it is not committed") {
  const Folder folder;
  {
    auto file = PendingFile::open(folder.path + "/file");
    REQUIRE(file.ok());
  }
  CHECK(::rmdir(folder.path.c_str()) == 0);
  REQUIRE(::mkdir(folder.path.c_str(), 0700) == 0);
  CHECK(failure_text(PendingFile::open("/dev/null")).find("no regular file") != std::string::npos);
}

TEST_CASE("path segments") {
  CHECK(url_encode("a-b_c.d~e") == "a-b_c.d~e");
  CHECK(url_encode("ada@example.com/x?y&ä") == "ada%40example.com%2Fx%3Fy%26%C3%A4");
  CHECK(url_encode("..") == "%2E%2E");
}

}  // namespace mcpctl
