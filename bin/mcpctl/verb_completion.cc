// completion: three thin scripts around one hidden entry, __complete, so that what is offered cannot differ between
// shells.
#include <fstream>

#include "api.h"
#include "complete.h"
#include "files.h"
#include "man.h"
#include "name_cache.h"
#include "sanitize.h"
#include "suggest.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

constexpr int64_t kNamesTimeoutMs = 300;  // longer feels like a hanging shell

// __complete prints "TEXT<tab>HELP" a line, then ":" and one of these.
constexpr int kAddSpace = 0, kNoSpace = 1, kFiles = 2;

// Readline has cut the line at '=', ':' and '@' (COMP_WORDBREAKS): they are put together again for the program, and
// what stands before the last cut is taken off the answers.
constexpr const char* kBash = R"SCRIPT(# bash completion of mcpctl: source <(mcpctl completion bash)
_mcpctl() {
  local word glue='' cursor=$COMP_CWORD at line directive=0
  local -a words=() lines=()
  for ((at = 1; at <= cursor; at++)); do
    word=${COMP_WORDS[at]}
    if [[ ${#words[@]} -gt 0 && ( -n $glue || $word == [=:@]* ) ]]; then
      words[${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    [[ $word == *[=:@] ]] && glue=yes || glue=''
  done
  local current=${words[${#words[@]} - 1]}
  local rest=${current##*[=:]}
  [[ $rest == *@* ]] && rest=@${rest##*@}  # of the three, '@' alone belongs to what readline replaces
  local cut=${current%"$rest"}
  # A quote that was opened belongs to the shell, not to the name.
  words[${#words[@]} - 1]=${current#[\"\']}
  mapfile -t lines < <(mcpctl __complete -- "${words[@]}" 2> /dev/null)
  COMPREPLY=()
  for line in "${lines[@]}"; do
    case $line in
      :*) directive=${line#:} ;;
      *) line=${line%%$'\t'*} COMPREPLY+=("$(printf '%q' "${line#"$cut"}")") ;;
    esac
  done
  [[ $directive == 1 ]] && compopt -o nospace 2> /dev/null
  if [[ $directive == 2 ]]; then
    compopt -o filenames 2> /dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$rest")
  fi
}
complete -F _mcpctl mcpctl
)SCRIPT";

constexpr const char* kZsh = R"SCRIPT(#compdef mcpctl
# zsh completion of mcpctl: source <(mcpctl completion zsh), or as a file _mcpctl in a folder of $fpath
_mcpctl() {
  local line directive=0
  local -a words_given lines offers texts
  words_given=("${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}")
  lines=("${(@f)$(mcpctl __complete -- "${words_given[@]}" 2> /dev/null)}")
  for line in "${lines[@]}"; do
    case $line in
      '') ;;
      :*) directive=${line#:} ;;
      *)
        texts+=("${line%%$'\t'*}")
        if [[ -n ${line#*$'\t'} ]]; then offers+=("${line/$'\t'/  -- }"); else offers+=("${line%%$'\t'*}"); fi
        ;;
    esac
  done
  if (( directive == 2 )); then
    [[ $PREFIX == --*=* ]] && compset -P '*='
    _files
  elif (( directive == 1 )); then
    compadd -S '' -d offers -l -a texts
  else
    compadd -d offers -l -a texts
  fi
}
if [[ ${funcstack[1]} == _mcpctl ]]; then
  _mcpctl "$@"
elif (( $+functions[compdef] )); then
  compdef _mcpctl mcpctl
else
  autoload -Uz compinit && compinit && compdef _mcpctl mcpctl
fi
)SCRIPT";

constexpr const char* kFish = R"SCRIPT(# fish completion of mcpctl: mcpctl completion fish | source
function __mcpctl_complete
    set -l words (commandline -opc)
    set -e words[1]
    set -l current (commandline -ct)
    set -l lines (mcpctl __complete -- $words "$current" 2> /dev/null)
    set -l directive $lines[-1]
    set -e lines[-1]
    if test "$directive" = :2
        set -l name (string replace -r '^--[^=]*=' '' -- "$current")
        set -l before (string sub -l (math (string length -- "$current") - (string length -- "$name")) -- "$current")
        for file in (__fish_complete_path "$name")
            printf '%s%s\n' "$before" $file
        end
    else if test (count $lines) -gt 0
        printf '%s\n' $lines
    end
end
complete -c mcpctl -f -a '(__mcpctl_complete)'
)SCRIPT";

struct Shell {
  const char* name;
  const char* script;
};
constexpr Shell kShells[] = {{"bash", kBash}, {"zsh", kZsh}, {"fish", kFish}};

std::vector<std::string> names_of(const Application& app, const NameQuestion& question) {
  std::vector<std::string> names;
  if (question.kind == nullptr) return context_names(app.environment());
  const auto settings = app.settings(question.line);
  if (!settings.ok()) return names;
  auto api = Api::open(*settings, true, kNamesTimeoutMs);
  if (!api.ok()) return names;
  const std::string path = api->path_of(*question.kind, "");
  NameCache cache(app.environment(), *settings, path, wall_clock_ms());
  if (cache.is_away()) return cache.names();
  const auto answer = api->call("GET", path, {}, "names");
  if (!answer.ok() && answer.failure().unanswered) {
    cache.unanswered();
    return cache.names();
  }
  if (!answer.ok()) {
    cache.forget();
    return names;
  }
  const JsonValue items = answer->root().get("items");
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string name = items.at(i).text(question.kind->name_field.c_str());
    // What a terminal must not see is no name to offer: the shell would type it.
    if (!name.empty() && sanitize_line(name) == name) names.push_back(name);
  }
  cache.keep(names);
  return names;
}

}  // namespace

Result<int> run_completion(Application&, const Invocation& invocation) {
  const std::string& wanted = invocation.arguments.front();
  for (const Shell& shell : kShells) {
    if (wanted != shell.name) continue;
    MCPCTL_CHECK(write_out(shell.script));
    return kExitOk;
  }
  const std::string guess = did_you_mean(wanted, {"bash", "zsh", "fish"});
  return usage_failure("unknown shell \"" + wanted + "\"",
                       (guess.empty() ? "" : guess + " ") + "shells: bash, zsh, fish");
}

Result<int> run_complete(Application& app, const Invocation& invocation) {
  const Candidates found = complete(app.table(), app.kinds(), invocation.rest,
                                    [&](const NameQuestion& question) { return names_of(app, question); });
  std::string out;
  for (const Candidate& one : found.items)
    out += one.text + "\t" + sanitize_line(one.help) + "\n";
  const int directive = found.files ? kFiles : found.no_space ? kNoSpace : kAddSpace;
  MCPCTL_CHECK(write_out(out + ":" + std::to_string(directive) + "\n"));
  return kExitOk;
}

Result<int> run_man(Application& app, const Invocation& invocation) {
  const std::string& folder = invocation.arguments.front();
  MCPCTL_CHECK(make_folder(folder));
  for (const ManPage& page : man_pages(app.table())) {
    std::ofstream file(folder + "/" + page.file, std::ios::binary | std::ios::trunc);
    file << page.text;
    if (!file.flush()) return Failure{kExitFailed, "cannot write " + folder + "/" + page.file, {}, {}, {}};
  }
  return kExitOk;
}

}  // namespace mcpctl
