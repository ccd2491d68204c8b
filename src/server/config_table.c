#include "server/config_table.h"

#include "base/assert.h"

#include <stdio.h>
#include <strings.h>

#define SECOND 1000ull
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define KIB    1024ull
#define MIB    (1024 * KIB)
#define GIB    (1024 * MIB)
#define TIB    (1024 * GIB)

/* The place of a field; does not compile when the field has another type. */
#define FIELD(field_, type_)                                                                       \
    .offset = (uint16_t)(offsetof(struct config, field_) +                                         \
                         0 * sizeof(char[__builtin_types_compatible_p(                             \
                                             __typeof__(((struct config *)0)->field_), type_)      \
                                             ? 1                                                   \
                                             : -1]))

#define STRING(field_, default_)                                                                   \
    .type = CONFIG_STRING, FIELD(field_, const char *), .default_text = (default_)
#define BOOL(field_, default_) .type = CONFIG_BOOL, FIELD(field_, bool), .default_text = (default_)
#define COUNT(field_, min_, max_, default_)                                                        \
    .type = CONFIG_COUNT, FIELD(field_, uint64_t), .min = (min_), .max = (max_),                   \
    .default_text = (default_)
#define DURATION(field_, min_, max_, default_)                                                     \
    .type = CONFIG_DURATION, FIELD(field_, uint64_t), .min = (min_), .max = (max_),                \
    .default_text = (default_)
#define SIZE(field_, min_, max_, default_)                                                         \
    .type = CONFIG_SIZE, FIELD(field_, uint64_t), .min = (min_), .max = (max_),                    \
    .default_text = (default_)
#define CHOICE(field_, enum_, choices_, default_)                                                  \
    .type = CONFIG_CHOICE, FIELD(field_, enum_), .choices = (choices_), .default_text = (default_)
#define LIST(field_) .type = CONFIG_LIST, FIELD(field_, struct config_list), .default_text = ""
#define ADDRESS(field_, scheme_, default_)                                                         \
    .type = CONFIG_ADDRESS, FIELD(field_, struct config_address), .choices = (scheme_),            \
    .default_text = (default_)

/* A key that only has a type: it is checked and leads nowhere. */
#define NOWHERE(type_)                                                                             \
    .type = (type_), .offset = CONFIG_NOWHERE, .max = UINT64_MAX, .default_text = ""
#define UNUSED_STRING   NOWHERE(CONFIG_STRING)
#define UNUSED_BOOL     NOWHERE(CONFIG_BOOL)
#define UNUSED_COUNT    NOWHERE(CONFIG_COUNT)
#define UNUSED_DURATION NOWHERE(CONFIG_DURATION)
#define UNUSED_LIST     NOWHERE(CONFIG_LIST)

#define NO_EFFECT(why_)    .mark = CONFIG_NO_EFFECT, .why = (why_)
#define RENAMED(new_name_) .mark = CONFIG_RENAMED, .offset = CONFIG_NOWHERE, .why = (new_name_)
#define NOTE(note_)        .default_note = (note_)
#define OURS               .is_ours = true
#define RELOADABLE         .is_reloadable = true
#define SECRET             .is_secret = true

#define WHY_GO      "it tunes the inside of another program, written in Go"
#define WHY_UNUSED  "WuKongIM v2.2.5 reads it and does nothing with it either"
#define WHY_UNKNOWN "WuKongIM v2.2.5 does not read it, although documents mention it"
#define WHY_COMPUTED                                                                               \
    "conversations are computed when they are asked for; nothing is collected or flushed"
#define WHY_CACHES   "caches share the one memory budget and have no sizes of their own"
#define WHY_NODE     "this server is a single node"
#define WHY_PLUGINS  "no plugins are run"
#define WHY_DEMO     "there is no demo page yet"
#define WHY_LOG_FILE "the log goes to standard error; whoever runs the server keeps and rotates it"
#define WHY_LOKI     "the log goes to standard error, where a collector can take it from"
#define WHY_TRACING  "there is no tracing"
#define WHY_STREAMS  "event streams have bounds of their own: see docs/adr/0016-event-streams.md"
#define WHY_STRESS                                                                                 \
    "there is no load-test mode, and nothing switches the token check off but tokenAuthOn"
#define WHY_STORE   "the store has one layout, bounded by the memory budget"
#define WHY_MIGRATE "data of version 1 is not imported"

/*
 * The rows. A row is a name, the way its value is written with its field, limits and default, what
 * it does, and marks. Kept as a table: one or two lines a row, the formatter off.
 */
/* clang-format off */
static const struct config_key basic_keys[] = {
    {"mode", CHOICE(mode, enum config_mode, "debug|release|bench|test", "release"),
     .help = "What the server is run for; `debug` logs more. `--mode` sets its default."},
    {"rootDir", STRING(root_dir, ""), NOTE("`<home>/jingu`"),
     .help = "The directory under which everything is kept; made when it does not exist."},
    {"dataDir", STRING(data_dir, ""), NOTE("`<rootDir>/data`"),
     .help = "The directory of the store."},
    {"addr", ADDRESS(tcp_addr, "tcp", "tcp://0.0.0.0:5100"),
     .help = "Where clients connect by TCP."},
    {"wsAddr", ADDRESS(ws_addr, "ws", "ws://0.0.0.0:5200"),
     .help = "Where clients connect by WebSocket."},
    {"wssAddr", ADDRESS(wss_addr, "wss", ""), NOTE("off"),
     .help = "Where clients connect by WebSocket over TLS; needs wssConfig."},
    {"tlsAddr", ADDRESS(tls_addr, "tls", ""), NOTE("off"), OURS,
     .help = "Where clients connect by TCP over TLS; needs tlsConfig or wssConfig."},
    {"httpAddr", ADDRESS(http_addr, "http", ""),
     NOTE("`0.0.0.0:5001` with a managerToken, else `127.0.0.1:5001`"),
     .help = "Where the HTTP API listens. Whoever reaches it without a managerToken may do everything."},
    {"tokenAuthOn", BOOL(is_token_required, "false"), RELOADABLE,
     .help = "Check the token of chat clients at CONNECT. Off: anybody may log in as anybody."},
    {"managerToken", STRING(manager_token, ""), SECRET, RELOADABLE,
     .help = "What every request to the HTTP API must carry in its header `token`; also the connect token of managerUID."},
    {"managerUID", STRING(manager_uid, "____manager"), RELOADABLE,
     .help = "The uid of the built-in administrator."},
    {"whitelistOffOfPerson", BOOL(is_person_allow_list_off, "true"), RELOADABLE,
     .help = "true: everybody may write to everybody; false: only who is on the receiver's allow list."},
    {"connIdleTime", DURATION(idle_ms, SECOND, 7 * DAY, "3m"), RELOADABLE,
     .help = "A connection without traffic for this long is closed."},
    {"disableEncryption", BOOL(is_encryption_off, "false"),
     .help = "true: no key exchange; payloads are in clear text, unless TLS carries them."},
    {"disableJSONRPC", BOOL(is_jsonrpc_off, "false"), RELOADABLE,
     .help = "true: refuse the JSON-RPC form of the client protocol."},
    {"disableCMDMessageSync", BOOL(is_command_sync_off, "false"),
     .help = "true: `/message/sync` and `/message/syncack` do nothing."},
    {"ginMode", UNUSED_STRING, NO_EFFECT(WHY_GO)},
};

static const struct config_key resource_keys[] = {
    {"memory", SIZE(memory_bytes, 0, 1024 * TIB, "0"), OURS,
     NOTE("`256M`, or half of the container's limit if that is less"),
     .help = "The one number of bytes that the whole process stays within."},
    {"maxConnections", COUNT(connections_max, 0, 10000000, "0"), OURS,
     NOTE("as many as the memory allows"),
     .help = "How many client connections there may be."},
    {"max_connections", .type = CONFIG_COUNT, RENAMED("maxConnections"), OURS},
    {"durability", CHOICE(durability, enum config_durability, "synced|written", "synced"), OURS,
     .help = "When a SENDACK is sent: once the disk has the message, or once the kernel has it."},
    {"shards", COUNT(shards_count, 0, 64, "0"), OURS, NOTE("one less than cores"),
     .help = "Threads that own users and channels, 1 to 64. May change from start to start."},
    {"disk.reserve", SIZE(disk_reserve_bytes, 0, 1024 * TIB, "64M"), OURS,
     .help = "Free disk below which writes are refused, so that a full disk stops nothing else."},
};

static const struct config_key address_keys[] = {
    {"external.ip", STRING(external_ip, ""), NOTE("the first private address of the machine"), RELOADABLE,
     .help = "The address that clients reach this server at; the defaults below are made from it."},
    {"external.autoGetExternalIP", UNUSED_BOOL,
     NO_EFFECT("the server asks no third party for its address; set external.ip")},
    {"external.tcpAddr", STRING(external_tcp_addr, ""), NOTE("`<ip>:<port of addr>`"), RELOADABLE,
     .help = "What `/route` answers as `tcp_addr`."},
    {"external.wsAddr", STRING(external_ws_addr, ""), NOTE("`ws://<ip>:<port of wsAddr>`"), RELOADABLE,
     .help = "What `/route` answers as `ws_addr`."},
    {"external.wssAddr", STRING(external_wss_addr, ""),
     NOTE("`wss://<ip>:<port of wssAddr>` if wssAddr is set, else empty"), RELOADABLE,
     .help = "What `/route` answers as `wss_addr`; may be set without wssAddr when a proxy ends TLS."},
    {"external.managerAddr", STRING(external_manager_addr, ""), NOTE("`<ip>:<port of manager.addr>`"), RELOADABLE,
     .help = "The address of the manager port, as told to operators."},
    {"external.apiUrl", STRING(external_api_url, ""), NOTE("`http://<ip>:<port of httpAddr>`"), RELOADABLE,
     .help = "The address of the HTTP API, as told to operators."},
    {"external.monitorAddr", UNUSED_STRING, NO_EFFECT("it does not exist; external.managerAddr does")},
    {"intranet.tcpAddr", STRING(intranet_tcp_addr, ""), RELOADABLE,
     .help = "What `/route?intranet=1` answers as `tcp_addr`."},
};

static const struct config_key tls_keys[] = {
    {"wssConfig.certFile", STRING(wss_cert_file, ""), RELOADABLE,
     .help = "The certificate chain for wssAddr, in PEM."},
    {"wssConfig.keyFile", STRING(wss_key_file, ""), RELOADABLE,
     .help = "The private key that belongs to it, in PEM."},
    {"tlsConfig.certFile", STRING(tls_cert_file, ""), NOTE("wssConfig.certFile"), OURS, RELOADABLE,
     .help = "The certificate chain for tlsAddr, in PEM."},
    {"tlsConfig.keyFile", STRING(tls_key_file, ""), NOTE("wssConfig.keyFile"), OURS, RELOADABLE,
     .help = "The private key that belongs to it, in PEM."},
};

static const struct config_key log_keys[] = {
    {"logger.level", COUNT(log_level_number, 0, 4, "0"), RELOADABLE,
     .help = "0 by `mode`, 1 debug, 2 info, 3 warn, 4 error."},
    {"logger.format", CHOICE(log_format, enum log_format, "text|json", "text"), OURS,
     .help = "How a line is written: `key=value`, or one JSON object."},
    {"log.format", .type = CONFIG_CHOICE, .choices = "text|json", RENAMED("logger.format"), OURS},
    {"logger.lineNum", BOOL(has_log_source, "false"),
     .help = "Add the place in the source to each line."},
    {"logger.dir", UNUSED_STRING, NO_EFFECT(WHY_LOG_FILE)},
    {"logger.traceOn", UNUSED_BOOL, NO_EFFECT(WHY_TRACING)},
    {"logger.traceMaxMsgCount", UNUSED_COUNT, NO_EFFECT(WHY_TRACING)},
    {"logger.loki.url", UNUSED_STRING, NO_EFFECT(WHY_LOKI)},
    {"logger.loki.username", UNUSED_STRING, NO_EFFECT(WHY_LOKI)},
    {"logger.loki.password", UNUSED_STRING, SECRET, NO_EFFECT(WHY_LOKI)},
};

static const struct config_key manager_keys[] = {
    {"manager.on", BOOL(is_manager_on, "true"),
     .help = "Open the manager port: metrics, and what operators look at."},
    {"manager.addr", ADDRESS(manager_addr, "http", ""),
     NOTE("`0.0.0.0:5300` with a managerToken, else `127.0.0.1:5300`"),
     .help = "Where the manager port listens."},
    {"monitor.on", UNUSED_BOOL, NO_EFFECT("it does not exist; manager.on does")},
    {"monitor.addr", UNUSED_STRING, NO_EFFECT("it does not exist; manager.addr does")},
    {"demo.on", BOOL(is_demo_on, "true"), NO_EFFECT(WHY_DEMO)},
    {"demo.addr", ADDRESS(demo_addr, "http", "0.0.0.0:5172"), NO_EFFECT(WHY_DEMO)},
    {"trace.prometheusApiUrl", UNUSED_STRING,
     NO_EFFECT("no charts are fetched from a Prometheus; point it at /metrics of the manager port")},
    {"trace.endpoint", UNUSED_STRING, NO_EFFECT(WHY_TRACING)},
    {"trace.serviceName", UNUSED_STRING, NO_EFFECT(WHY_TRACING)},
    {"trace.serviceHostName", UNUSED_STRING, NO_EFFECT(WHY_TRACING)},
};

static const struct config_key webhook_keys[] = {
    {"webhook.httpAddr", STRING(webhook_http_addr, ""), RELOADABLE,
     .help = "Where events are posted to, with `?event=<name>` behind it."},
    {"webhook.grpcAddr", STRING(webhook_grpc_addr, ""),
     NO_EFFECT("webhooks are sent over HTTP only: set webhook.httpAddr")},
    {"webhook.msgNotifyEventPushInterval",
     DURATION(webhook_notify_interval_ms, 1, HOUR, "500ms"),
     .help = "How long `msg.notify` waits for more messages while it has few."},
    {"webhook.msgNotifyEventCountPerPush", COUNT(webhook_notify_count_max, 1, 100000, "100"),
     .help = "Messages in one request of `msg.notify`; never more than 1000."},
    {"webhook.msgNotifyEventRetryMaxCount", COUNT(webhook_notify_tries_max, 1, 1000, "5"),
     .help = "How often the back end may refuse an event before it becomes a dead letter. "
             "While it does not answer at all, events wait."},
    {"webhook.focusEvents", LIST(webhook_events),
     .help = "The events that are sent: `msg.notify`, `msg.offline`, `user.onlinestatus`; "
             "empty: all."},
    {"webhook.secret", STRING(webhook_secret, ""), OURS, SECRET, RELOADABLE,
     .help = "Signs requests: `X-Jingu-Signature` is `sha256=` and the HMAC-SHA256 of "
             "`X-Jingu-Timestamp`, a dot and the body. Empty: requests are not signed."},
    {"webhook.outboxSize", SIZE(webhook_outbox_bytes, 1 * MIB, 1024 * TIB, "1G"), OURS,
     .help = "Disk for events that wait; the oldest are dropped beyond."},
    {"webhook.outboxAge", DURATION(webhook_outbox_age_ms, 1 * MINUTE, 365 * DAY, "72h"), OURS,
     .help = "How long events wait, dead letters included."},
    {"webhook.url", UNUSED_STRING, NO_EFFECT("it does not exist; webhook.httpAddr does")},
    {"webhook.timeout", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"agent.webhook.httpAddr", STRING(agent_webhook_http_addr, ""), RELOADABLE,
     .help = "Where `msg.notify` of agent channels is posted to instead."},
    {"agent.webhook.maxPushCount", UNUSED_COUNT, NO_EFFECT(WHY_UNUSED)},
    {"datasource.addr", STRING(datasource_addr, ""), RELOADABLE,
     .help = "Where the back end is asked who the system accounts are; empty: nothing is asked."},
    {"datasource.listsOn", BOOL(is_datasource_lists_on, "false"), OURS,
     .help = "Ask it for the members, the deny list and the allow list of channels as well. Its answers replace what is stored."},
    {"datasource.channelInfoOn", BOOL(is_datasource_info_on, "false"),
     .help = "Ask it for `large`, `ban` and `disband` of channels as well. Its answers replace what is stored."},
    {"datasource.timeout", DURATION(datasource_timeout_ms, 10, 5 * MINUTE, "2s"), OURS, RELOADABLE,
     .help = "How long an answer is waited for, and a message for what is asked of its channel."},
    {"datasource.ttl", DURATION(datasource_ttl_ms, 100, 7 * DAY, "5m"), OURS, RELOADABLE,
     .help = "How long an answer is fresh; then it is asked again."},
    {"datasource.retry", DURATION(datasource_retry_ms, 100, DAY, "10s"), OURS, RELOADABLE,
     .help = "How long a channel is not asked for again after that has failed."},
    {"datasource.answerSize", SIZE(datasource_answer_bytes, 4 * KIB, 64 * MIB, "1M"), OURS,
     .help = "The largest answer that is read."},
    {"eventPoolSize", COUNT(webhook_parallel_max, 1, 65536, "1024"),
     .help = "Requests of `msg.offline` under way at once; never more than 16."},
};

static const struct config_key conversation_keys[] = {
    {"conversation.on", BOOL(is_conversation_on, "true"), NO_EFFECT(WHY_COMPUTED)},
    {"conversation.userMaxCount", COUNT(conversation_count_max, 1, 100000, "1000"),
     .help = "How many conversations `/conversation/sync` tells at most. Of more, those with messages "
             "behind the read position come first, then the newest update; pages end there, too."},
    {"conversation.syncInterval", UNUSED_DURATION, NO_EFFECT(WHY_COMPUTED)},
    {"conversation.syncOnce", UNUSED_COUNT, NO_EFFECT(WHY_COMPUTED)},
    {"conversation.cacheExpire", UNUSED_DURATION, NO_EFFECT(WHY_UNUSED)},
    {"conversation.bytesPerSave", UNUSED_COUNT, NO_EFFECT(WHY_UNUSED)},
    {"conversation.savePoolSize", UNUSED_COUNT, NO_EFFECT(WHY_UNUSED)},
    {"conversation.workerNum", UNUSED_COUNT, NO_EFFECT(WHY_UNUSED)},
    {"conversation.workerScanInterval", UNUSED_DURATION, NO_EFFECT(WHY_UNUSED)},
    {"messageRetry.interval", DURATION(retry_interval_ms, 10, DAY, "60s"), RELOADABLE,
     .help = "Send a message again when its RECVACK has not come for this long."},
    {"messageRetry.scanInterval", DURATION(retry_scan_ms, 10, DAY, "30s"), RELOADABLE,
     .help = "How often due messages are looked for."},
    {"messageRetry.maxCount", COUNT(retry_count_max, 1, 1000, "5"), RELOADABLE,
     .help = "How often a message is sent again before giving up."},
    {"messageRetry.workerCount", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
};

static const struct config_key channel_keys[] = {
    {"channel.subscriberCompressOfCount", COUNT(subscriber_compress_count, 0, 1000000000, "0"),
     .help = "More recipients of a `msg.offline` than this are sent compressed; 0: never."},
    {"channel.onlineCmdChannelId", STRING(online_command_channel_id, "systemcmdonline"), RELOADABLE,
     .help = "The channel id of command messages that go to named users while they are online."},
    {"channel.cacheCount", UNUSED_COUNT, NO_EFFECT(WHY_CACHES)},
    {"channel.createIfNoExist", UNUSED_BOOL, NO_EFFECT(WHY_UNUSED)},
    {"tmpChannel.suffix", UNUSED_STRING, NO_EFFECT(WHY_UNUSED)},
    {"tmpChannel.cacheCount", UNUSED_COUNT, NO_EFFECT(WHY_CACHES)},
    {"customerService.visitorsOn", BOOL(is_visitor_free, "false"), RELOADABLE,
     .help = "Let uids that end with visitorsSuffix log in without a token. (WuKongIM always does.)"},
    {"customerService.visitorsSuffix", STRING(visitor_suffix, "___vstr"), RELOADABLE,
     .help = "What the uid of a visitor ends with."},
};

static const struct config_key login_keys[] = {
    {"auth.users", LIST(manager_users), NOTE("nobody"), SECRET, RELOADABLE,
     .help = "Who may log in to the manager: `name:password:*`, or `name:password:[resource:actions,...]` with the actions r and w; the resource * means all."},
    {"auth.on", UNUSED_BOOL, NO_EFFECT(WHY_UNUSED)},
    {"auth.kind", UNUSED_STRING, NO_EFFECT(WHY_UNUSED)},
    {"auth.superToken", UNUSED_STRING, SECRET, NO_EFFECT(WHY_UNUSED)},
    {"jwt.secret", STRING(jwt_secret, ""), NOTE("drawn at start"), SECRET, RELOADABLE,
     .help = "What the tokens of the manager's users are signed with. When it is drawn, they end with the process."},
    {"jwt.expire", DURATION(jwt_expire_ms, SECOND, 3650 * DAY, "720h"), RELOADABLE,
     .help = "How long such a token is good."},
    {"jwt.issuer", STRING(jwt_issuer, "wukongim"), RELOADABLE,
     .help = "What such a token says in `iss`."},
};

static const struct config_key cluster_keys[] = {
    {"cluster.nodeId", COUNT(node_id, 1, 1023, "1001"),
     .help = "The number of this node, as endpoints show it."},
    {"cluster.addr", UNUSED_STRING, NO_EFFECT(WHY_NODE)},
    {"cluster.serverAddr", UNUSED_STRING, NO_EFFECT(WHY_NODE)},
    {"cluster.apiUrl", UNUSED_STRING, NO_EFFECT(WHY_NODE)},
    {"cluster.initNodes", UNUSED_LIST, NO_EFFECT(WHY_NODE)},
    {"cluster.seed", UNUSED_LIST, NO_EFFECT(WHY_NODE)},
    {"cluster.role", UNUSED_STRING, NO_EFFECT(WHY_NODE)},
    {"cluster.slotCount", UNUSED_COUNT, NO_EFFECT(WHY_NODE)},
    {"cluster.slotReplicaCount", UNUSED_COUNT, NO_EFFECT(WHY_NODE)},
    {"cluster.channelReplicaCount", UNUSED_COUNT, NO_EFFECT(WHY_NODE)},
    {"cluster.reqTimeout", UNUSED_DURATION, NO_EFFECT(WHY_NODE)},
    {"cluster.tickInterval", UNUSED_DURATION, NO_EFFECT(WHY_NODE)},
    {"cluster.pongMaxTick", UNUSED_COUNT, NO_EFFECT(WHY_NODE)},
    {"cluster.channelDestoryAfterIdleTick", UNUSED_COUNT, NO_EFFECT(WHY_NODE)},
    {"cluster.heartbeatIntervalTick", UNUSED_COUNT, NO_EFFECT(WHY_UNUSED)},
    {"cluster.electionIntervalTick", UNUSED_COUNT, NO_EFFECT(WHY_UNUSED)},
    {"cluster.channelReactorSubCount", UNUSED_COUNT, NO_EFFECT(WHY_UNUSED)},
    {"cluster.slotReactorSubCount", UNUSED_COUNT, NO_EFFECT(WHY_UNUSED)},
    {"cluster.grpcAddr", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"cluster.heartbeatTick", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"cluster.electionTick", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"cluster.maxSizePerMsg", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"cluster.maxInflightMsgs", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"cluster.checkQuorum", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"cluster.preVote", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"cluster.maxLogSize", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"cluster.logCompactThreshold", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"cluster.snapshotEntries", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"cluster.compactionOverhead", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"cluster.dialTimeout", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"cluster.requestTimeout", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"cluster.maxConnections", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"cluster.workerCount", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"cluster.queueSize", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"cluster.maxMemoryUsage", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
    {"cluster.gcInterval", UNUSED_STRING, NO_EFFECT(WHY_UNKNOWN)},
};

static const struct config_key store_keys[] = {
    {"db.shardNum", UNUSED_COUNT, NO_EFFECT(WHY_STORE)},
    {"db.slotShardNum", UNUSED_COUNT, NO_EFFECT(WHY_STORE)},
    {"db.memTableSize", UNUSED_COUNT, NO_EFFECT(WHY_STORE)},
    {"tag.expire", UNUSED_DURATION, NO_EFFECT(WHY_CACHES)},
    {"plugin.socketPath", UNUSED_STRING, NO_EFFECT(WHY_PLUGINS)},
    {"plugin.timeout", UNUSED_DURATION, NO_EFFECT(WHY_PLUGINS)},
    {"plugin.install", UNUSED_LIST, NO_EFFECT(WHY_PLUGINS)},
};

static const struct config_key debug_keys[] = {
    {"stress", UNUSED_BOOL, NO_EFFECT(WHY_STRESS)},
    {"violent", UNUSED_BOOL, NO_EFFECT(WHY_STRESS)},
    {"pprofOn", UNUSED_BOOL, NO_EFFECT(WHY_GO)},
    {"deadlockCheck", UNUSED_BOOL, NO_EFFECT(WHY_GO)},
    {"timingWheelTick", UNUSED_DURATION, NO_EFFECT(WHY_GO)},
    {"timingWheelSize", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"unitTest", UNUSED_BOOL, NO_EFFECT(WHY_GO)},
    {"oldV1Api", UNUSED_STRING, NO_EFFECT(WHY_MIGRATE)},
    {"migrateStartStep", UNUSED_STRING, NO_EFFECT(WHY_MIGRATE)},
};

static const struct config_key dead_keys[] = {
    {"userMsgQueueMaxSize", UNUSED_COUNT, NO_EFFECT(WHY_UNUSED)},
    {"deliveryMsgPoolSize", UNUSED_COUNT, NO_EFFECT(WHY_UNUSED)},
    {"handlePoolSize", UNUSED_COUNT, NO_EFFECT(WHY_UNUSED)},
    {"goPool.userProcess", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"goPool.channelProcess", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"streamCache.maxMemorySize", UNUSED_COUNT, NO_EFFECT(WHY_STREAMS)},
    {"streamCache.maxStreams", UNUSED_COUNT, NO_EFFECT(WHY_STREAMS)},
    {"streamCache.maxChunksPerStream", UNUSED_COUNT, NO_EFFECT(WHY_STREAMS)},
    {"streamCache.streamTimeout", UNUSED_DURATION, NO_EFFECT(WHY_STREAMS)},
    {"streamCache.chunkInactivityTimeout", UNUSED_DURATION, NO_EFFECT(WHY_STREAMS)},
    {"streamCache.cleanupInterval", UNUSED_DURATION, NO_EFFECT(WHY_STREAMS)},
    {"deliver.deliverrCount", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"deliver.maxRetry", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"deliver.maxDeliverSizePerNode", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"deliver.deliverWorkerCountPerNode", UNUSED_COUNT, NO_EFFECT(WHY_UNUSED)},
    {"id", UNUSED_STRING, NO_EFFECT(WHY_UNUSED)},
    {"reactor.channel.subCount", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"reactor.channel.processIntervalTick", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"reactor.channel.processPoolSize", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"reactor.channel.deadlineTick", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"reactor.channel.tagCheckIntervalTick", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"reactor.channel.tickInterval", UNUSED_DURATION, NO_EFFECT(WHY_GO)},
    {"reactor.user.subCount", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"reactor.user.processIntervalTick", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"reactor.user.processPoolSize", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"reactor.user.nodePingTick", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"reactor.user.nodePongTimeoutTick", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"reactor.user.tickInterval", UNUSED_DURATION, NO_EFFECT(WHY_GO)},
    {"reactor.checkUserLeaderIntervalTick", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"reactor.stream.subCount", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"reactor.stream.processIntervalTick", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"reactor.stream.idleTimeoutTick", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"reactor.stream.tickInterval", UNUSED_DURATION, NO_EFFECT(WHY_GO)},
    {"coreReactor.channelMessageQueueSize", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"coreReactor.coreMessageQueueSize", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
    {"coreReactor.messageQueueMaxMemorySize", UNUSED_COUNT, NO_EFFECT(WHY_GO)},
};

#define SECTION(title_, keys_) {.title = (title_), .keys = (keys_), .keys_count = COUNT_OF(keys_)}
static const struct config_section sections[] = {
    SECTION("Basic and security", basic_keys),
    SECTION("Memory, shards, disk", resource_keys),
    SECTION("External and internal addresses", address_keys),
    SECTION("TLS", tls_keys),
    SECTION("Log", log_keys),
    SECTION("Manager, demo, monitoring", manager_keys),
    SECTION("Webhook, data source, agent", webhook_keys),
    SECTION("Conversations and message retry", conversation_keys),
    SECTION("Channels and visitors", channel_keys),
    SECTION("Users of the manager", login_keys),
    SECTION("Cluster", cluster_keys),
    SECTION("Store, tags, plugins", store_keys),
    SECTION("Debugging, load tests, migration", debug_keys),
    SECTION("Keys without effect in WuKongIM as well", dead_keys),
};
/* clang-format on */

#define KEYS_COUNT                                                                                 \
    (COUNT_OF(basic_keys) + COUNT_OF(resource_keys) + COUNT_OF(address_keys) +                     \
     COUNT_OF(tls_keys) + COUNT_OF(log_keys) + COUNT_OF(manager_keys) + COUNT_OF(webhook_keys) +   \
     COUNT_OF(conversation_keys) + COUNT_OF(channel_keys) + COUNT_OF(login_keys) +                 \
     COUNT_OF(cluster_keys) + COUNT_OF(store_keys) + COUNT_OF(debug_keys) + COUNT_OF(dead_keys))

_Static_assert(KEYS_COUNT < CONFIG_KEYS_MAX, "origins are kept by row");
_Static_assert(offsetof(struct config, origins) < CONFIG_NOWHERE, "offsets are kept in 16 bits");

uint32_t config_sections_count(void)
{
    return COUNT_OF(sections);
}

const struct config_section *config_section(uint32_t index)
{
    ASSERT(index < COUNT_OF(sections));
    return &sections[index];
}

uint32_t config_keys_count(void)
{
    return KEYS_COUNT;
}

const struct config_key *config_key(uint32_t row)
{
    for (uint32_t i = 0; i < COUNT_OF(sections); i++) {
        if (row < sections[i].keys_count) {
            return &sections[i].keys[row];
        }
        row -= sections[i].keys_count;
    }
    UNREACHABLE();
}

static bool is_same_word(struct bytes a, struct bytes b)
{
    return a.size == b.size && strncasecmp((const char *)a.data, (const char *)b.data, a.size) == 0;
}

uint32_t config_key_find(struct bytes name)
{
    for (uint32_t row = 0; row < KEYS_COUNT; row++) {
        if (is_same_word(name, bytes_of_string(config_key(row)->name))) {
            return row;
        }
    }
    return KEYS_COUNT;
}

bool config_key_is_below(uint32_t row, struct bytes section)
{
    struct bytes key = bytes_of_string(config_key(row)->name);
    if (key.size <= section.size || key.data[section.size] != '.') {
        return false;
    }
    key.size = section.size;
    return is_same_word(section, key);
}

bool config_key_is_section(struct bytes name)
{
    for (uint32_t row = 0; row < KEYS_COUNT; row++) {
        if (config_key_is_below(row, name)) {
            return true;
        }
    }
    return false;
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

#define WORD_BYTES_MAX 64

/* How many letters must be changed, added, taken out or swapped with their neighbour to make one
 * word of the other. Words longer than WORD_BYTES_MAX are far from everything. */
static uint32_t distance(struct bytes a, struct bytes b)
{
    if (a.size > WORD_BYTES_MAX || b.size > WORD_BYTES_MAX) {
        return UINT32_MAX;
    }
    uint32_t rows[3][WORD_BYTES_MAX + 1];
    for (uint32_t j = 0; j <= b.size; j++) {
        rows[0][j] = j;
    }
    for (uint32_t i = 1; i <= a.size; i++) {
        uint32_t *now = rows[i % 3];
        const uint32_t *before = rows[(i + 2) % 3];
        const uint32_t *earlier = rows[(i + 1) % 3];
        now[0] = i;
        for (uint32_t j = 1; j <= b.size; j++) {
            const uint8_t x = lower(a.data[i - 1]);
            const uint8_t y = lower(b.data[j - 1]);
            uint32_t least = before[j - 1] + (x == y ? 0 : 1);
            least = before[j] + 1 < least ? before[j] + 1 : least;
            least = now[j - 1] + 1 < least ? now[j - 1] + 1 : least;
            const bool is_swapped =
                i > 1 && j > 1 && x == lower(b.data[j - 2]) && y == lower(a.data[i - 2]);
            if (is_swapped && earlier[j - 2] + 1 < least) {
                least = earlier[j - 2] + 1;
            }
            now[j] = least;
        }
    }
    return rows[a.size % 3][b.size];
}

static struct bytes last_part(struct bytes name)
{
    for (size_t i = name.size; i > 0; i--) {
        if (name.data[i - 1] == '.') {
            return bytes_skip(name, i);
        }
    }
    return name;
}

/* How far `name` is from `known`, a key or a section; UINT32_MAX when clearly not below `limit`. */
static uint32_t distance_to(struct bytes name, struct bytes known, uint32_t limit)
{
    /* The right word in the wrong section is near, however different the sections are. */
    const struct bytes word = last_part(name);
    if (word.size > 3 && is_same_word(word, last_part(known))) {
        return 1;
    }
    const size_t difference =
        name.size > known.size ? name.size - known.size : known.size - name.size;
    return difference < limit ? distance(name, known) : UINT32_MAX;
}

bool config_key_nearest(struct bytes name, char out_name[CONFIG_NEAREST_BYTES_MAX])
{
    uint32_t least = (uint32_t)(name.size / 3 + 2);
    struct bytes nearest = BYTES_EMPTY;
    for (uint32_t row = 0; row < KEYS_COUNT; row++) {
        const struct config_key *key = config_key(row);
        const struct bytes whole = bytes_of_string(key->name);
        for (size_t size = 1; size <= whole.size; size++) {
            const struct bytes known = {.data = whole.data, .size = size};
            const bool is_name = size == whole.size || whole.data[size] == '.';
            if (!is_name) {
                continue;
            }
            const uint32_t steps = distance_to(name, known, least);
            if (steps < least) {
                least = steps;
                nearest = key->mark == CONFIG_RENAMED ? bytes_of_string(key->why) : known;
            }
        }
    }
    if (nearest.size > 0) {
        snprintf(out_name, CONFIG_NEAREST_BYTES_MAX, "%.*s", (int)nearest.size, nearest.data);
    }
    return nearest.size > 0;
}

void config_key_variable(const struct config_key *key, char out_name[CONFIG_VARIABLE_BYTES_MAX])
{
    snprintf(out_name, CONFIG_VARIABLE_BYTES_MAX, "WK_%s", key->name);
    for (char *at = out_name; *at != 0; at++) {
        if (*at == '.') {
            *at = '_';
        } else if (*at >= 'a' && *at <= 'z') {
            *at = (char)(*at - 'a' + 'A');
        }
    }
}
