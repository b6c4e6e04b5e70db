// What prompts have beside the routes of every kind: approval of a request, and those that a caller may see in a
// project.
#include "control/handlers.h"
#include "control/objects.h"

namespace mcptoken::control {

// The request becomes a prompt of its name. Both rights are needed: to decide about the request (the route's), and to
// write the prompt as if the caller had written it himself.
Result<Response> approve_promptrequest(Control& control, Context& context) {
  MCPT_CHECK(check_query(context.request, {"project"}));
  if (!context.request.body.empty()) {
    MCPT_TRY(const auto body, parse_body(context.request));
    if (!body.members().empty()) return fail(Status::invalid, body.members()[0].first + ": unknown field");
  }
  const auto request = *context.object;
  const auto& kind = *find_kind("promptrequest");
  MCPT_TRY(auto wire, to_wire(context.tx, kind, request));
  drop_read_only(kind, wire);
  wire.erase("createdBySession");
  const auto& prompt_kind = *find_kind("prompt");
  MCPT_TRY(auto prompt, check(prompt_kind, wire, Mode::create, nullptr));
  auto inserted = insert_object(control, context, prompt_kind, std::move(prompt));
  if (!inserted && inserted.error().status == Status::exists)
    return fail(std::move(inserted).error().with_hint("delete or change that prompt, then approve again"));
  if (!inserted) return fail(std::move(inserted).error());
  MCPT_CHECK(context.tx.remove(request.id, context.request.if_match));
  return written(context, 201, *inserted, {});
}

Result<Response> list_visible_prompts(Control& control, Context& context) {
  MCPT_CHECK(check_query(context.request, {"limit", "cursor", "labelSelector"}));
  MCPT_TRY(auto items, visible_objects(context, *find_kind("prompt"), &*context.object));
  return page(control, context, std::move(items));
}

}  // namespace mcptoken::control
