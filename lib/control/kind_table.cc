// The schema table itself: data, no logic. See kind.h for what each column means.
#include "base/limits.h"
#include "control/kind.h"
#include "control/models.h"
#include "control/rules.h"
#include "control/stages.h"
#include "control/system_prompts.h"

namespace mcptoken::control {
namespace {

// A row stays together.
// clang-format off
using enum Type;
constexpr auto kRequired = Shape::required;
constexpr auto kAccepted = Shape::accepted;
constexpr int64_t kKiB = 1024;

// --- shared by many kinds
constexpr Field kLabelValue{.name = "value", .type = string, .max = 63, .rule = label_value_rule};
constexpr Field kName{.name = "name", .type = string, .help = "Unique name; never changes.", .shape = kRequired,
                      .min = 1, .max = limits::kNameBytes, .rule = name_rule, .immutable = true, .for_tokens = true,
                      .flag = "-"};
constexpr Field kDescription{.name = "description", .type = string, .help = "One line for people.", .max = kKiB,
                             .rule = line_rule, .for_tokens = true};
constexpr Field kLabels{.name = "labels", .type = map, .help = "Labels to select by.", .max = 64, .item = &kLabelValue,
                        .key_rule = label_key_rule, .flag = "label", .repeatable = true};

constexpr std::string_view kAllVerbs[] = {"get", "create", "replace", "patch", "delete"};
constexpr Column kNameColumn{"NAME", "name", "text"};
constexpr Column kAgeColumn{"AGE", "createdAt", "age"};

// --- user
constexpr Field kUserFields[] = {
    {.name = "email", .type = string, .help = "The user's name; never changes.", .shape = kRequired, .min = 3,
     .max = 254, .rule = email_rule, .immutable = true, .flag = "-"},
    {.name = "name", .type = string, .help = "Full name.", .max = 256, .rule = line_rule, .flag = "full-name"},
    kDescription,
    kLabels,
    {.name = "password", .type = secret, .help = "Sets the password; without one the user cannot log in.", .min = 1,
     .max = kKiB, .rule = password_rule, .write_only = true, .flag = "-"},
    {.name = "disabled", .type = boolean, .help = "Refuses the user and all of the user's tokens.",
     .default_json = "false"},
};
constexpr Column kUserColumns[] = {{"EMAIL", "email", "text"}, {"NAME", "name", "text"},
                                   {"DISABLED", "disabled", "bool"}, kAgeColumn};

// --- group
constexpr Field kMember{.name = "member", .type = reference, .max = 254, .reference = "user",
    .on_delete = store::OnDelete::unlink};
constexpr Field kGroupFields[] = {
    kName,
    kDescription,
    kLabels,
    {.name = "members", .type = list, .help = "Users, by e-mail address.", .default_json = "[]", .max = 10'000,
     .item = &kMember, .flag = "member", .repeatable = true},
};
constexpr Column kGroupColumns[] = {kNameColumn, {"MEMBERS", "members", "list"},
                                    {"DESCRIPTION", "description", "text"}, kAgeColumn};

// --- secret
constexpr Field kSecretValue{.name = "value", .type = secret, .rule = secret_value_rule};
constexpr Field kSecretFields[] = {
    kName,
    kDescription,
    kLabels,
    {.name = "data", .type = map, .help = "Keys and values; values are encrypted at rest and masked in answers.",
     .default_json = "{}", .max = 256, .item = &kSecretValue, .key_rule = secret_key_rule, .flag = "data",
     .repeatable = true},
};
constexpr std::string_view kSecretAliases[] = {"sec"};
constexpr Column kSecretColumns[] = {kNameColumn, {"KEYS", "data", "list"}, {"DESCRIPTION", "description", "text"},
    kAgeColumn};

// {name, key} of a secret
constexpr Field kSecretRefFields[] = {
    {.name = "name", .type = reference, .help = "The secret.", .shape = kRequired, .min = 1, .max = limits::kNameBytes,
     .reference = "secret", .use = Use::secret},
    {.name = "key", .type = string, .help = "The key in it.", .shape = kRequired, .min = 1, .max = 128,
     .rule = secret_key_rule},
};

// --- server
constexpr std::string_view kTransports[] = {"STDIO", "SSE", "STREAMABLE_HTTP"};
constexpr std::string_view kRuntimes[] = {"node", "python"};
constexpr std::string_view kShares[] = {"installation", "project", "principal", "session"};
constexpr Field kArgument{.name = "argument", .type = string, .max = 8 * kKiB, .rule = argument_rule};
constexpr Field kValueFromFields[] = {
    {.name = "secretRef", .type = object, .help = "A value in a secret.", .shape = kRequired,
     .fields = kSecretRefFields},
};
constexpr Field kEntryFields[] = {
    {.name = "name", .type = string, .shape = kRequired, .min = 1, .max = 128},
    {.name = "value", .type = string, .help = "Readable by everybody who may view the server.", .max = 32 * kKiB,
     .rule = variable_or_header_rule},
    {.name = "valueFrom", .type = object, .help = "Where the value comes from.", .fields = kValueFromFields},
};
constexpr Field kHealthFields[] = {
    {.name = "tool", .type = string, .help = "The tool to call.", .shape = kRequired, .min = 1, .max = 256,
     .rule = line_rule},
    {.name = "arguments", .type = object, .help = "Its arguments.", .default_json = "{}"},
    {.name = "intervalSeconds", .type = integer, .default_json = "60", .min = 1, .max = 86'400},
    {.name = "timeoutSeconds", .type = integer, .default_json = "10", .min = 1, .max = 600},
    {.name = "failureThreshold", .type = integer, .default_json = "3", .min = 1, .max = 100},
};
constexpr Field kTimeoutFields[] = {
    {.name = "connectMs", .type = integer, .help = "Until connected.", .min = 1, .max = 600'000},
    {.name = "firstByteMs", .type = integer, .help = "Until the answer begins.", .min = 1, .max = 3'600'000},
    {.name = "callMs", .type = integer, .help = "A whole call; progress starts it again.", .min = 1, .max = 3'600'000},
    {.name = "discoveryMs", .type = integer, .help = "How long lists wait for this server.", .min = 1, .max = 600'000},
};
constexpr Field kCacheSeconds{.name = "seconds", .type = integer, .min = 1, .max = 86'400};
constexpr Field kCacheFields[] = {
    {.name = "tools", .type = map, .help = "Seconds, by tool, that one token's answer to the same arguments may be kept.",
     .max = 256, .item = &kCacheSeconds, .key_rule = line_rule},
};
// The fields that servers and templates share.
constexpr Field kTransport{.name = "transport", .type = enumeration,
                           .help = "STDIO, or STREAMABLE_HTTP when externalUrl is given.", .values = kTransports,
                           .for_tokens = true};
constexpr Field kCommand{.name = "command", .type = list,
                         .help = "Program and arguments, run without a shell; those of a package or an image.",
                         .min = 1, .max = 256, .item = &kArgument, .repeatable = true};
constexpr Field kPackageName{.name = "packageName", .type = string, .help = "npm or Python package, NAME@VERSION.",
                             .min = 1, .max = 214, .rule = package_rule};
constexpr Field kRuntime{.name = "runtime", .type = enumeration, .help = "What runs packageName.",
                         .values = kRuntimes};
constexpr Field kDockerImage{.name = "dockerImage", .type = string, .help = "Container image.", .min = 1, .max = 255,
                             .rule = image_rule};
constexpr Field kExternalUrl{.name = "externalUrl", .type = string, .help = "URL of a server that runs elsewhere.",
                             .min = 1, .max = 2 * kKiB, .rule = url_rule};
constexpr Field kReplicas{.name = "replicas", .type = integer,
                          .help = "How many processes run at most for those who share; 0: switched off.",
                          .default_json = "1", .min = 0, .max = 10};
constexpr Field kHealthCheck{.name = "healthCheck", .type = object, .help = "A tool to call as a probe.",
                             .fields = kHealthFields};
constexpr Field kRepositoryUrl{.name = "repositoryUrl", .type = string, .help = "Where the source is; for people.",
                               .max = 2 * kKiB, .rule = url_rule};
constexpr Field kContainerPort{.name = "containerPort", .type = integer, .help = "For people.", .min = 1,
                               .max = 65'535};
constexpr Field kServerFields[] = {
    kName,
    kDescription,
    kLabels,
    kTransport,
    kCommand,
    kPackageName,
    kRuntime,
    kDockerImage,
    kExternalUrl,
    {.name = "env", .type = list, .help = "Environment of a server that is started here.", .max = 256,
     .fields = kEntryFields,
     .from_text = variable_from_text, .repeatable = true},
    {.name = "headers", .type = list, .help = "Header fields for externalUrl.", .max = 64, .fields = kEntryFields,
     .from_text = variable_from_text, .flag = "header", .repeatable = true},
    kReplicas,
    {.name = "share", .type = enumeration, .help = "Who shares one process or connection.",
     .default_json = "\"project\"", .values = kShares},
    kHealthCheck,
    {.name = "timeouts", .type = object, .help = "Deadlines in milliseconds.", .fields = kTimeoutFields},
    {.name = "cache", .type = object, .help = "What may be answered without asking the server again.",
     .fields = kCacheFields},
    {.name = "allowPrivate", .type = boolean, .help = "May be at a private or loopback address.",
     .default_json = "false"},
    {.name = "pin", .type = boolean, .help = "Hides tools whose definition changes until they are approved.",
     .default_json = "false"},
    kRepositoryUrl,
    kContainerPort,
};
constexpr std::string_view kServerAliases[] = {"srv"};
constexpr Column kServerColumns[] = {kNameColumn, {"TRANSPORT", "transport", "text"}, {"REPLICAS", "replicas", "text"},
                                     {"DESCRIPTION", "description", "text"}, kAgeColumn};

// --- project
constexpr std::string_view kTiers[] = {"fast", "heavy"};
constexpr Field kAttachmentFields[] = {
    {.name = "server", .type = reference, .help = "The server.", .shape = kRequired, .min = 1,
     .max = limits::kNameBytes,
     .reference = "server", .use = Use::attach, .for_tokens = true},
    {.name = "prefix", .type = string, .help = "In front of its names; the server's name when absent.", .max = 63,
     .rule = prefix_rule, .for_tokens = true},
    {.name = "proxyModel", .type = reference, .help = "For this server's content alone.", .values = kBuiltInModels,
     .min = 1, .max = limits::kNameBytes, .reference = "proxymodel", .for_tokens = true},
};
constexpr Field kLlmFields[] = {
    {.name = "baseUrl", .type = string, .help = "OpenAI-compatible endpoint.", .shape = kRequired, .min = 1,
     .max = 2 * kKiB, .rule = url_rule},
    {.name = "model", .type = string, .help = "Name of the model.", .shape = kRequired, .min = 1, .max = 256,
     .rule = line_rule},
    {.name = "apiKeySecret", .type = object, .help = "The key, in a secret.", .fields = kSecretRefFields},
    {.name = "tier", .type = enumeration, .values = kTiers},
    {.name = "timeoutMs", .type = integer, .min = 1, .max = 600'000},
    {.name = "maxTokens", .type = integer, .min = 1, .max = 1'000'000},
};
constexpr Field kProjectFields[] = {
    kName,
    kDescription,
    kLabels,
    {.name = "proxyModel", .type = reference, .help = "What happens between servers and clients; none: nothing.",
     .default_json = "\"default\"", .values = kBuiltInModels, .min = 1, .max = limits::kNameBytes,
     .reference = "proxymodel", .for_tokens = true},
    {.name = "servers", .type = list, .help = "Attached servers.", .default_json = "[]", .max = 256,
     .fields = kAttachmentFields,
     .from_text = attachment_from_text, .for_tokens = true, .flag = "server", .repeatable = true},
    {.name = "prompt", .type = text, .help = "Instructions for the clients' models.", .default_json = "\"\"",
     .max = 64 * kKiB,
     .rule = text_rule, .for_tokens = true},
    {.name = "llm", .type = object, .help = "A model for content stages.", .fields = kLlmFields},
    {.name = "separator", .type = string, .help = "Between prefix and name.", .default_json = "\"__\"", .min = 1,
     .max = 4,
     .rule = separator_rule, .for_tokens = true},
    {.name = "gated", .type = boolean, .help = "Has no effect: proxyModel decides.", .shape = kAccepted, .flag = "-"},
    {.name = "proxyMode", .type = string, .help = "Has no effect: proxyModel decides.", .shape = kAccepted,
     .flag = "-"},
};
constexpr std::string_view kProjectAliases[] = {"proj"};
constexpr Column kProjectColumns[] = {kNameColumn, {"PROXYMODEL", "proxyModel", "text"}, {"SERVERS", "servers", "list"},
                                      {"DESCRIPTION", "description", "text"}, kAgeColumn};

// --- rbac
constexpr std::string_view kSubjectKinds[] = {"User", "Group", "ServiceAccount", "McpToken"};
constexpr Field kSubjectFields[] = {
    {.name = "kind", .type = enumeration, .shape = kRequired, .values = kSubjectKinds},
    {.name = "name", .type = reference, .help = "E-mail address, group, project:NAME, or the token's SHA-256.",
     .shape = kRequired,
     .min = 1, .max = 254, .reference = "*", .on_delete = store::OnDelete::unlink},
};
constexpr Field kBindingFields[] = {
    {.name = "role", .type = string, .help = "view, create, delete, edit, expose or run."},
    {.name = "resource", .type = string, .help = "A kind, or * for all."},
    {.name = "name", .type = string, .help = "One object; absent: all of them.", .max = 512},
    {.name = "action", .type = string, .help = "An operation, in place of the other three."},
};
constexpr Field kRbacFields[] = {
    {.name = "name", .type = string, .help = "Unique name; never changes.", .shape = kRequired, .min = 1,
     .max = limits::kNameBytes, .rule = definition_name_rule, .immutable = true, .flag = "-"},
    kDescription,
    kLabels,
    {.name = "subjects", .type = list, .help = "Who holds the bindings, KIND:NAME.", .shape = kRequired, .max = 1'000,
     .fields = kSubjectFields, .from_text = subject_from_text, .flag = "subject", .repeatable = true},
    {.name = "roleBindings", .type = list, .help = "What they may do, role:…,resource:…[,name:…] or action:….",
     .shape = kRequired,
     .max = 1'000, .fields = kBindingFields, .from_text = binding_from_text, .flag = "roleBindings",
     .repeatable = true},
};
constexpr std::string_view kRbacAliases[] = {"rbacs", "rbac-definition"};
constexpr Column kRbacColumns[] = {kNameColumn, {"SUBJECTS", "subjects", "list"}, {"BINDINGS", "roleBindings",
    "list"}, kAgeColumn};

// --- template
constexpr Field kTemplateEntryFields[] = {
    {.name = "name", .type = string, .help = "Name of the variable or header field.", .shape = kRequired, .min = 1,
     .max = 128},
    {.name = "description", .type = string, .help = "What to put there.", .max = kKiB, .rule = line_rule},
    {.name = "required", .type = boolean, .help = "Whether a server cannot do without it.", .default_json = "false"},
    {.name = "defaultValue", .type = string, .help = "Used when nothing is given.", .max = 32 * kKiB,
     .rule = variable_or_header_rule},
};
constexpr Field kTemplateFields[] = {
    kName,
    kDescription,
    kLabels,
    kTransport,
    kCommand,
    kPackageName,
    kRuntime,
    kDockerImage,
    kExternalUrl,
    {.name = "env", .type = list, .help = "Variables that a server made from it takes.", .max = 256,
     .fields = kTemplateEntryFields, .from_text = template_entry_from_text, .repeatable = true},
    {.name = "headers", .type = list, .help = "Header fields that a server made from it takes.", .max = 64,
     .fields = kTemplateEntryFields, .from_text = template_entry_from_text, .flag = "header", .repeatable = true},
    kReplicas,
    kHealthCheck,
    kRepositoryUrl,
    kContainerPort,
};
constexpr std::string_view kTemplateAliases[] = {"tmpl"};
constexpr Column kTemplateColumns[] = {kNameColumn, {"TRANSPORT", "transport", "text"},
                                       {"DESCRIPTION", "description", "text"}, kAgeColumn};

// --- proxymodel
constexpr std::string_view kContents[] = {"toolResult", "prompt", "resource"};
constexpr Field kContent{.name = "content", .type = enumeration, .values = kContents};
constexpr Field kParent{.name = "parent", .type = reference, .values = kBuiltInModels, .min = 1,
                        .max = limits::kNameBytes, .reference = "proxymodel"};
constexpr Field kStageFields[] = {
    {.name = "type", .type = string, .help = "Which stage.", .shape = kRequired, .min = 1, .max = 64},
    {.name = "config", .type = object, .help = "Its settings.", .default_json = "{}"},
};
constexpr Field kProxyModelFields[] = {
    kName,
    kDescription,
    kLabels,
    {.name = "extends", .type = list, .help = "Models that it builds on; the stages of the one that has some come first.",
     .min = 1, .max = 8, .item = &kParent, .repeatable = true},
    {.name = "gate", .type = boolean, .help = "Whether clients have to say what they are about before they see tools.",
     .flag = "gate"},
    {.name = "appliesTo", .type = list, .help = "What it works on: toolResult, prompt, resource.",
     .min = 1, .max = 3, .item = &kContent, .flag = "applies-to",
     .repeatable = true},
    {.name = "cacheable", .type = boolean, .help = "Whether results may be kept; true unless a parent says otherwise."},
    {.name = "stages", .type = list, .help = "Stages in their order, each TYPE or {type, config}.",
     .default_json = "[]", .max = 32, .fields = kStageFields, .from_text = stage_from_text, .flag = "stage",
     .repeatable = true},
};
constexpr std::string_view kProxyModelAliases[] = {"pm"};
constexpr Column kProxyModelColumns[] = {kNameColumn, {"EXTENDS", "extends", "list"}, {"STAGES", "stages", "list"},
                                         {"DESCRIPTION", "description", "text"}, kAgeColumn};

// --- what belongs to one project
constexpr Field kProject{.name = "project", .type = reference, .help = "The project it belongs to.",
                         .shape = kRequired, .min = 1, .max = limits::kNameBytes, .reference = "project",
                         .immutable = true, .for_tokens = true, .flag = "-"};
constexpr Column kProjectColumn{"PROJECT", "project", "text"};

// --- prompt and promptrequest
constexpr Field kPromptContent{.name = "content", .type = text, .help = "The text.", .shape = kRequired, .min = 1,
                               .max = 64 * kKiB, .rule = text_rule, .for_tokens = true};
constexpr Field kPriority{.name = "priority", .type = integer, .help = "10 always comes first.", .default_json = "5",
                          .min = 1, .max = 10, .for_tokens = true};
constexpr Field kSummary{.name = "summary", .type = string, .help = "One line for the index.", .max = kKiB,
                         .rule = line_rule, .for_tokens = true};
constexpr Field kChapter{.name = "chapter", .type = string, .min = 1, .max = 256, .rule = line_rule};
constexpr Field kChapters{.name = "chapters", .type = list, .help = "Headings for the index.", .max = 256,
                          .item = &kChapter, .for_tokens = true, .flag = "chapter", .repeatable = true};
constexpr Field kPromptFields[] = {
    kName,
    kProject,
    kDescription,
    kLabels,
    kPromptContent,
    kPriority,
    kSummary,
    kChapters,
    {.name = "linkTarget", .type = string, .help = "A resource that it follows, PROJECT/SERVER:URI.", .min = 1,
     .max = 2 * kKiB, .rule = link_rule},
};
constexpr Column kPromptColumns[] = {kNameColumn, kProjectColumn, {"PRIORITY", "priority", "text"},
                                     {"SUMMARY", "summary", "text"}, kAgeColumn};
constexpr Field kPromptRequestFields[] = {
    kName,
    kProject,
    kDescription,
    kLabels,
    kPromptContent,
    kPriority,
    kSummary,
    kChapters,
    {.name = "createdBy", .type = string, .help = "The user, or the owner of the token.", .read_only = true},
    {.name = "createdByToken", .type = string, .help = "The token that asked.", .read_only = true},
    {.name = "createdBySession", .type = string, .help = "Session of the client, as it names it.", .max = 256,
     .rule = line_rule},
};
constexpr std::string_view kPromptRequestAliases[] = {"pr"};
constexpr Column kPromptRequestColumns[] = {kNameColumn, kProjectColumn, {"PRIORITY", "priority", "text"},
                                            {"CREATED BY", "createdBy", "text"}, {"TOKEN", "createdByToken", "text"},
                                            kAgeColumn};

// --- mcptoken (kept in tables of its own)
constexpr std::string_view kRbacModes[] = {"empty", "clone"};
constexpr std::string_view kTokenVerbs[] = {"get", "create", "delete"};
constexpr Field kTokenFields[] = {
    kName,
    {.name = "project", .type = reference, .help = "The one project it opens.", .shape = kRequired, .min = 1,
     .max = limits::kNameBytes, .reference = "project", .immutable = true},
    kDescription,
    {.name = "ttl", .type = string, .help = "30d, 12h, 45m, 2w, never, or an instant with zone.", .min = 1, .max = 64,
     .write_only = true},
    {.name = "expiresAt", .type = time, .help = "When it ends; absent: never.", .min = 1, .max = 64, .flag = "-"},
    {.name = "rbacMode", .type = enumeration,
     .help = "clone takes over your own rights as far as a token can use them.",
     .default_json = "\"empty\"", .values = kRbacModes, .flag = "rbac"},
    {.name = "bindings", .type = list, .help = "Rights, role:…,resource:…[,name:…] or action:….",
     .max = limits::kBindingsPerToken, .fields = kBindingFields, .from_text = binding_from_text, .flag = "bind",
     .repeatable = true},
    {.name = "force", .type = boolean, .help = "Replaces a living token of the same name.", .default_json = "false",
     .write_only = true},
    {.name = "owner", .type = string, .help = "Who made it.", .read_only = true},
    {.name = "prefix", .type = string, .help = "How its text begins.", .read_only = true},
    {.name = "tokenSha", .type = string, .help = "SHA-256 of its text.", .read_only = true},
    {.name = "status", .type = string, .help = "active, superseded, revoked or expired.", .read_only = true},
    {.name = "revokedAt", .type = time, .read_only = true},
    {.name = "revokeReason", .type = string, .read_only = true},
    {.name = "supersededBy", .type = string, .help = "Id of the token in its place.", .read_only = true},
    {.name = "lastUsedAt", .type = time, .read_only = true},
    {.name = "lastUsedFrom", .type = string, .read_only = true},
};
constexpr std::string_view kTokenAliases[] = {"token", "tokens"};
constexpr Column kTokenColumns[] = {kNameColumn, {"PROJECT", "project", "text"}, {"PREFIX", "prefix", "text"},
                                    {"CREATED", "createdAt", "time"}, {"LAST USED", "lastUsedAt", "time"},
                                    {"EXPIRES", "expiresAt", "time"}, {"STATUS", "status", "text"}};

// --- instance (what runs at the moment; nothing in the store)
constexpr std::string_view kInstanceVerbs[] = {"get", "delete"};
constexpr std::string_view kStatuses[] = {"STARTING", "RUNNING", "ERROR", "STOPPING", "STOPPED"};
constexpr std::string_view kHealths[] = {"unknown", "healthy", "unhealthy"};
constexpr std::string_view kCircuits[] = {"closed", "open", "half-open"};
constexpr Field kEventFields[] = {
    {.name = "time", .type = time, .read_only = true},
    {.name = "text", .type = string, .read_only = true},
};
constexpr Field kInstanceFields[] = {
    kName,
    {.name = "server", .type = string, .help = "The server; bindings call the instance by its name.",
     .read_only = true},
    {.name = "status", .type = enumeration, .help = "How it is.", .values = kStatuses, .read_only = true},
    {.name = "health", .type = enumeration, .help = "Whether it answered what it was asked last.", .values = kHealths,
     .read_only = true},
    {.name = "circuit", .type = enumeration,
     .help = "Open after three calls in a row without an answer: calls fail at once, one in a while is tried.",
     .values = kCircuits, .read_only = true},
    {.name = "pid", .type = integer, .help = "Of its process, while there is one.", .read_only = true},
    {.name = "restarts", .type = integer, .help = "How often it was opened again.", .read_only = true},
    {.name = "share", .type = enumeration, .help = "Among whom it is shared.", .values = kShares, .read_only = true},
    {.name = "calls", .type = integer, .help = "Calls under way.", .read_only = true},
    {.name = "tools", .type = integer, .help = "How many tools it listed last.", .read_only = true},
    {.name = "stale", .type = boolean, .help = "Of a definition or a secret that has changed since.",
     .read_only = true},
    {.name = "startedAt", .type = time, .help = "When it was opened last.", .read_only = true},
    {.name = "events", .type = list, .help = "What became of it, the last 50.", .fields = kEventFields,
     .read_only = true},
};
constexpr std::string_view kInstanceAliases[] = {"inst"};
constexpr Column kInstanceColumns[] = {kNameColumn, {"SERVER", "server", "text"}, {"STATUS", "status", "text"},
                                       {"HEALTH", "health", "text"}, {"PID", "pid", "text"},
                                       {"RESTARTS", "restarts", "text"}, kAgeColumn};

using rbac::Resource;
constexpr auto kGlobal = KindScope::global;
constexpr Kind kKinds[] = {
    {"user", "users", Resource::users, {}, kGlobal, false, "email", kAllVerbs, kUserFields, kUserColumns, 10,
     "A person who may log in.", complete_user},
    {"group", "groups", Resource::groups, {}, kGlobal, false, "name", kAllVerbs, kGroupFields, kGroupColumns, 20,
     "Users who share rights.", complete_group},
    {"secret", "secrets", Resource::secrets, kSecretAliases, kGlobal, false, "name", kAllVerbs, kSecretFields,
     kSecretColumns, 30,
     "Values for servers, encrypted at rest.", nullptr},
    {"server", "servers", Resource::servers, kServerAliases, kGlobal, false, "name", kAllVerbs, kServerFields,
     kServerColumns, 40,
     "An MCP server.", complete_server},
    {"project", "projects", Resource::projects, kProjectAliases, kGlobal, false, "name", kAllVerbs, kProjectFields,
     kProjectColumns,
     50, "Servers behind one endpoint.", complete_project},
    {"template", "templates", Resource::templates, kTemplateAliases, kGlobal, false, "name", kAllVerbs,
     kTemplateFields, kTemplateColumns, 35, "A server to make others from.", complete_template},
    {"proxymodel", "proxymodels", Resource::proxymodels, kProxyModelAliases, kGlobal, false, "name", kAllVerbs,
     kProxyModelFields, kProxyModelColumns, 45, "What happens between servers and clients.", complete_proxymodel},
    {"rbac", "rbac", Resource::rbac, kRbacAliases, kGlobal, false, "name", kAllVerbs, kRbacFields, kRbacColumns, 60,
     "Who may do what.", complete_rbac},
    {"prompt", "prompts", Resource::prompts, {}, KindScope::project, false, "name", kAllVerbs, kPromptFields,
     kPromptColumns, 55, "A text for the models of a project's clients.", complete_prompt},
    {"promptrequest", "promptrequests", Resource::promptrequests, kPromptRequestAliases, KindScope::project, false,
     "name", kAllVerbs, kPromptRequestFields, kPromptRequestColumns, 56, "A prompt that waits for approval.",
     nullptr},
    {"mcptoken", "mcptokens", Resource::mcptokens, kTokenAliases, KindScope::project, true, "name", kTokenVerbs,
     kTokenFields,
     kTokenColumns, 70, "A token for one project.", complete_mcptoken},
    {"instance", "instances", Resource::instances, kInstanceAliases, kGlobal, true, "name", kInstanceVerbs,
     kInstanceFields, kInstanceColumns, 80, "A running or failed process or connection of a server.", nullptr},
};

// clang-format on

}  // namespace

std::span<const Kind> kinds() { return kKinds; }

}  // namespace mcptoken::control
