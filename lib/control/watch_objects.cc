// What a watcher asks for. The stream itself is the service's (lib/service/history.h).
#include <algorithm>

#include "base/bytes.h"
#include "control/handlers.h"
#include "control/objects.h"
#include "control/traffic.h"

namespace mcptoken::control {

// ?since=REVISION (now when absent) and ?kind=A,B (all that the caller may view when absent).
Result<Response> watch_objects(Control&, Context& context) {
  MCPT_CHECK(check_query(context.request, {"since", "kind"}));
  MCPT_TRY(const auto revision, context.tx.revision());
  Watch watch;
  watch.since = revision;
  if (const auto* text = context.request.parameter("since")) {
    const auto since = parse_decimal(*text);
    if (!since || *since < 0) return fail(Status::invalid, "query: since must be a revision");
    if (*since > revision) return fail(Status::invalid, "query: since is a revision that has not been yet");
    watch.since = *since;
  }
  if (const auto* text = context.request.parameter("kind")) {
    for (auto word : split(*text, ',')) {
      const auto* kind = find_kind(word);
      if (!kind || kind->is_virtual)
        return fail(Status::invalid, "query: kind: \"" + std::string(word) + "\" cannot be watched");
      watch.kinds.emplace_back(kind->name);
    }
  }
  Response response;
  response.watch = std::move(watch);
  return response;
}

// ?project=NAME. What each message holds is for whoever has the operation logs, too; both are judged with each message.
Result<Response> watch_traffic(Control&, Context& context) {
  MCPT_CHECK(check_query(context.request, {"project"}));
  return Response();
}

TrafficWatch traffic_watch(const Request& request) {
  const auto* project = request.parameter("project");
  return {project ? *project : std::string()};
}

}  // namespace mcptoken::control
