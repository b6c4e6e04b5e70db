#include "settings.h"

#include <mcptoken/token.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "api.h"
#include "files.h"
#include "fixture.h"
#include "name_cache.h"

namespace mcpctl {
namespace {

// A folder that goes away with the test.
struct Folder {
  std::string path = "/tmp/mcpctl-test-XXXXXX";
  Folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
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
  REQUIRE(Credentials::change(home + "/mcpctl/credentials", "", [](Credentials& credentials) {
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
  REQUIRE(Credentials::change(path, "", [](Credentials& c) { c.sessions["http://a:1"] = {"t", "u@x", "2026"}; }).ok());
  REQUIRE(Credentials::change(path, "", [](Credentials& c) { c.tokens["http://a:1"]["p"] = "k"; }).ok());
  const auto loaded = Credentials::load(path, "");
  REQUIRE(loaded.ok());
  CHECK(loaded->sessions.at("http://a:1").expires_at == "2026");
  CHECK(loaded->tokens.at("http://a:1").at("p") == "k");
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  ::chmod(path.c_str(), 0604);
  CHECK(failure_text(Credentials::load(path, "")) ==
        "refusing to use " + path + ": others may read it | chmod 600 " + path);
}

TEST_CASE("the folder of earlier versions is read while there is no file of ours, and never written") {
  const Folder folder;
  const std::string home = folder.path, ours = home + "/.config/mcpctl", earlier = home + "/.mcpctl";
  std::map<std::string, std::string> env = {{"HOME", home}};
  REQUIRE(make_folder(earlier).ok());
  const std::string config = "current-context: a\ncontexts:\n  a: {server: http://earlier, project: p}\n";
  const std::string credentials = "server: http://earlier\nsessions:\n  http://earlier: {token: t, user: u}\n";
  write(earlier + "/config.yaml", config);
  write(earlier + "/credentials", credentials);
  CHECK(resolved({}, env).server == "http://earlier");
  CHECK(resolved({}, env).project == "p");
  CHECK(resolved({}, env).token == "t");
  const auto environment = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = env.find(name);
    return found == env.end() ? std::nullopt : std::optional(found->second);
  };
  // A change takes over what was there.
  REQUIRE(Credentials::change(ours + "/credentials", earlier + "/credentials", [](Credentials& c) {
            c.sessions["http://new"] = {"n", "u", ""};
          }).ok());
  const auto both = Credentials::load(ours + "/credentials", earlier + "/credentials");
  REQUIRE(both.ok());
  CHECK(both->sessions.size() == 2);
  auto changed = Config::load(environment);
  REQUIRE(changed.ok());
  changed->contexts["b"] = {"b", "http://b", "", ""};
  REQUIRE(changed->save().ok());
  CHECK(Config::load(environment)->contexts.size() == 2);
  CHECK(*read_file(earlier + "/config.yaml", false) == config);
  CHECK(*read_file(earlier + "/credentials", true) == credentials);
  // From now on ours alone.
  write(ours + "/config.yaml", "contexts: {}\n");
  CHECK(resolved({}, env).project.empty());
  ::chmod((earlier + "/credentials").c_str(), 0604);
  CHECK(Credentials::load(ours + "/credentials", earlier + "/credentials").ok());
  ::unlink((ours + "/credentials").c_str());
  CHECK(failure_text(Credentials::load(ours + "/credentials", earlier + "/credentials")).find("others may read it") !=
        std::string::npos);
}

TEST_CASE("names for completion: each question has a file of its own") {
  const Folder folder;
  std::map<std::string, std::string> env = {{"XDG_CACHE_HOME", folder.path}};
  const auto environment = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = env.find(name);
    return found == env.end() ? std::nullopt : std::optional(found->second);
  };
  struct Question {
    std::string server, path;
  };
  const std::vector<Question> questions = {{"http://a", "/servers"},
                                           {"http://a/", "servers"},
                                           {"http://a:1", "/servers"},
                                           {"http://a_1", "/servers"},
                                           {"http://a", "/servers?project=x-y"},
                                           {"http://a", "/servers?project=x_y"},
                                           {"http://a", "/servers_project=x-y"}};
  Settings settings;
  mcptoken_bytes* raw = nullptr;
  REQUIRE(mcptoken_token_generate(&raw, nullptr) == MCPTOKEN_OK);
  const Bytes owned(raw);
  settings.token = std::string(view_of(owned));
  for (size_t i = 0; i < questions.size(); ++i) {
    settings.server = questions[i].server;
    NameCache(environment, settings, questions[i].path, 1'000'000).keep({"name-" + std::to_string(i)});
  }
  for (size_t i = 0; i < questions.size(); ++i) {
    settings.server = questions[i].server;
    const NameCache cache(environment, settings, questions[i].path, 1'000'001);
    CHECK(cache.names() == std::vector<std::string>{"name-" + std::to_string(i)});
  }
}

TEST_CASE("contexts") {
  const std::string text = "current-context: a\ncontexts:\n  a:\n    project: p\n  b:\n    server: http://b\n";
  CHECK(context_of(text, "f", "")->project == "p");
  CHECK(context_of(text, "f", "b")->server == "http://b");
  CHECK(context_of("", "f", "")->server.empty());
  CHECK(failure_text(context_of(text, "f", "c")) == "f: there is no context \"c\" | see: mcpctl config get-contexts");
  CHECK(failure_text(context_of("contexts:\n  home: {}\n", "f", "hom")) ==
        "f: there is no context \"hom\" | did you mean \"home\"?");
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
