// Every resource that somebody else can make grow has a limit, and each limit has its name and reason here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mcptoken::limits {

inline constexpr size_t kHeaderBytes = 16 * 1024;       // request line and fields of a client's request
inline constexpr size_t kHeaderFields = 64;
inline constexpr size_t kTargetBytes = 4 * 1024;        // request target
inline constexpr size_t kBodyBytes = 4 * 1024 * 1024;   // request body; both large SDKs use the same default
inline constexpr size_t kBackupBytes = 32 * 1024 * 1024;  // of a backup: about 50,000 tokens; a restore takes it and 64 KiB
inline constexpr size_t kRestoreBytes = kBackupBytes + 64 * 1024;
inline constexpr size_t kJsonDepth = 64;                // constant stack for readers and writers
inline constexpr size_t kFreeDepth = 48;                // of an object's free-form members: a backup of it is 4 deeper
inline constexpr size_t kJsonNumberChars = 32;          // longer ones crash RapidJSON 1.1.0 in number mode
inline constexpr size_t kJsonExponentDigits = 4;
inline constexpr size_t kJsonKeyBytes = 1024;
inline constexpr size_t kJsonMembers = 10'000;          // members of one object
inline constexpr size_t kJsonIdBytes = 256;             // JSON-RPC string ids
inline constexpr size_t kNameBytes = 63;                // object names
inline constexpr size_t kBindingsPerToken = 64;
inline constexpr size_t kBindingTextBytes = 1024;
inline constexpr int64_t kLoginFailuresPerAccount = 10;  // in a row, then one in 30 s
inline constexpr int64_t kLoginFailuresPerAddress = 30;  // in a row, then one in 10 s: many people share an address
inline constexpr int64_t kBearerGuesses = 1'000;         // unknown tokens of one address and loop in a row
inline constexpr int64_t kBearerGuessMs = 100;           // then one in this time
inline constexpr size_t kBearerGuessers = 4'096;         // addresses per loop
inline constexpr size_t kHistoryEntries = 4096;          // changes that who watches may have missed; 1 MiB
inline constexpr size_t kLoginKeys = 65'536;             // accounts, and addresses, that are remembered

inline constexpr int64_t kTokensPerHolder = 10'000;     // usable ones of a project, and of an owner; a setting
inline constexpr int64_t kRotationGraceMs = 30 * 24 * 3600'000LL;  // how long a replaced token may go on at most
inline constexpr int64_t kTombstoneMs = 30 * 24 * 3600'000LL;      // a refused token can be told why for so long
inline constexpr int64_t kLeakAlarmMs = 3600'000;       // use of a replaced token is recorded this often, by each loop

inline constexpr int64_t kWatchPollMs = 25'000;         // how long a poll of the changes feed waits for a change
inline constexpr size_t kWatchPolls = 64;               // at once
inline constexpr size_t kWatchPollsPerAddress = 4;
inline constexpr int64_t kWatchTicketMs = 3600'000;     // introspection, which hands them out, is repeated far more often
inline constexpr size_t kWatchBatches = 1024;           // transactions that the feed remembers
inline constexpr size_t kWatchIds = 16'384;             // changed tokens in all of them

inline constexpr int64_t kConnectMs = 5'000;            // towards upstreams
inline constexpr int64_t kFirstByteMs = 30'000;
inline constexpr int64_t kCallMs = 120'000;             // refreshed by progress
inline constexpr int64_t kAskMs = 10 * 60'000;           // how long a person may take to answer a server's question
inline constexpr int kInputRounds = 8;                   // of questions before one answer
inline constexpr size_t kAsksPerCall = 64;               // questions in all rounds of one call
inline constexpr size_t kSubscriptions = 1'000;         // resources of one session or subscription
inline constexpr size_t kListPage = 1'000;              // entries of a merged list in one answer; few clients read on
inline constexpr int64_t kDiscoveryMs = 2'000;          // list requests wait no longer for a slow upstream
inline constexpr size_t kUpstreamBodyBytes = 32 * 1024 * 1024;
inline constexpr size_t kUpstreamHeaderBytes = 64 * 1024;
inline constexpr size_t kUpstreamHeaderFields = 256;
inline constexpr size_t kChunkExtensionBytes = 1024;    // of one chunk; nobody reads them
inline constexpr size_t kUrlBytes = 4 * 1024;
inline constexpr size_t kIdleConnections = 64;          // kept per upstream, credential and loop
inline constexpr int64_t kIdleConnectionMs = 60'000;
inline constexpr size_t kSseEventBytes = 16 * 1024 * 1024;
inline constexpr size_t kStdioLineBytes = 16 * 1024 * 1024;
inline constexpr size_t kStdioQueueBytes = 16 * 1024 * 1024;  // waiting for a child that does not read its stdin
inline constexpr size_t kStderrLineBytes = 8 * 1024;    // longer lines are split
inline constexpr size_t kStderrLogBytes = 256 * 1024;   // the last words of a server, kept for people
inline constexpr size_t kInstanceEvents = 50;           // what became of a server lately
inline constexpr size_t kEndedInstances = 64;           // per loop; what they said last can still be read
inline constexpr size_t kSandboxRules = 16'384;         // entries beside the hidden paths; each is a kernel object
inline constexpr int64_t kExecMs = 5'000;               // fork to exec, on the thread that starts programs
inline constexpr int64_t kStopStepMs = 5'000;           // stdin closed -> TERM -> KILL
inline constexpr int64_t kReapMs = 20;                  // how long a destructor waits for a process it has killed

inline constexpr int64_t kHeartbeatMs = 15'000;         // comment lines on quiet streams
inline constexpr int64_t kStreamAfterMs = 5'000;        // a silent call becomes a stream so that heartbeats can flow
inline constexpr size_t kSendBufferBytes = 1024 * 1024; // per stream, beside its largest message; a slower reader is cut
inline constexpr int64_t kSessionMaxMs = 24 * 3600 * 1000LL;
inline constexpr int64_t kSessionIdleMs = 30 * 60 * 1000LL;

inline constexpr size_t kGoodVerdicts = 65'536;         // remembered answers of introspection per loop, in the gateway role
inline constexpr size_t kRefusedVerdicts = 4'096;       // apart, so that junk tokens push nothing else out
inline constexpr size_t kQuestions = 1'024;             // tokens per loop that are being asked about
inline constexpr int64_t kIntrospectMs = 5'000;

inline constexpr size_t kMailboxMessages = 65'536;      // per loop, for traffic; control messages are never refused
inline constexpr int kProcessesPerServer = 8;

inline constexpr size_t kStoreQueue = 1024;              // jobs waiting for the database thread
inline constexpr int64_t kBallastBytes = 1 << 20;        // kept free on the disk, so that revoking works when it is full
inline constexpr int64_t kTokenTouchMs = 60'000;        // last use of a token is written at most this often
inline constexpr size_t kAuditBatch = 1'000;            // rows a transaction: some milliseconds, for which other writes wait
inline constexpr int64_t kAuditFlushMs = 20;            // how long an event may wait for company
inline constexpr size_t kAuditRing = 4096;              // events per loop
inline constexpr size_t kAuditDeniedReserve = 16'384;   // denials per loop that a full ring cannot take
inline constexpr size_t kAuditPurge = 500;              // events a transaction that are removed

inline constexpr size_t kReportBatch = 200;             // events of a gateway in one request
inline constexpr size_t kReportTextBytes = 256;         // one text of such an event: a whole batch fits into a body
inline constexpr size_t kReportPayloadBytes = 4096;
inline constexpr int64_t kReportAfterRevocationMs = 60'000;  // what had happened before is still on its way
inline constexpr int64_t kReportStreamsPerToken = 256;  // loops of gateways whose numbers are remembered
inline constexpr int64_t kReportStreamMs = 24 * 3600'000LL;  // for so long; gateways forget theirs far earlier:
inline constexpr int64_t kReportIdleMs = 3600'000;      // after so long without an event
inline constexpr size_t kReportsWaiting = 8'192;        // events on a loop of a gateway
inline constexpr size_t kReportsOfToken = 1'000;        // of them of one token
inline constexpr size_t kReportTokens = 16'384;         // per loop, whose numbers go on
inline constexpr size_t kReportRequests = 4;            // at once, per loop
inline constexpr int64_t kReportDelayMs = 1'000;        // how long an event may wait for company
inline constexpr int64_t kReportRetryMs = 30'000;       // longest pause while the control plane takes nothing
inline constexpr int64_t kReportKeepMs = 600'000;       // then its events, and the bearer to send them with, are dropped
inline constexpr int64_t kReportFlushMs = 2'000;        // for what is left when a gateway ends
inline constexpr size_t kDatabaseValueBytes = 64 * 1024 * 1024;  // one text or blob

}  // namespace mcptoken::limits
