/*
 * metric_names.h -- the list of everything that is counted.
 *
 * METRIC(id, type, family, label, value, help): METRIC_<id> is one time series
 * `family{label="value"}`, or `family` alone when the label is "". Series of one
 * family stand together, and the first one's help is the family's. LATENCY(id,
 * family, help): LATENCY_<id> is a histogram in seconds. Names are in base units
 * and end with what Prometheus expects; a name, once released, stays.
 *
 * Adding a line here is all it takes to count something new. The lists are tables and are kept as
 * tables, one line an entry: that is why lines are long here and the formatter is off.
 */
#pragma once

/* clang-format off */
#define METRIC_LIST(M) \
    /* Connections: the sockets, before and after they have become sessions. */ \
    M(CONNECTIONS_OPEN,       GAUGE,   "jingu_connections", "transport", "tcp", "Client connections that are open.") \
    M(CONNECTIONS_OPEN_WS,    GAUGE,   "jingu_connections", "transport", "ws", "") \
    M(CONNECTIONS_OPEN_TLS,   GAUGE,   "jingu_connections", "transport", "tls", "") \
    M(CONNECTIONS_OPEN_WSS,   GAUGE,   "jingu_connections", "transport", "wss", "") \
    M(CONNECTIONS_WAITING,    GAUGE,   "jingu_connections_unauthenticated", "", "", "Client connections that have not logged in yet.") \
    M(CONNECTIONS_ACCEPTED,   COUNTER, "jingu_connections_accepted_total", "", "", "Client connections accepted.") \
    M(CONNECTIONS_REFUSED_FULL,   COUNTER, "jingu_connections_refused_total", "cause", "full", "Client connections closed at the door.") \
    M(CONNECTIONS_REFUSED_MEMORY, COUNTER, "jingu_connections_refused_total", "cause", "memory", "") \
    M(CONNECTIONS_REFUSED_SYSTEM, COUNTER, "jingu_connections_refused_total", "cause", "system", "") \
    M(CLOSED_PEER,            COUNTER, "jingu_connections_closed_total", "cause", "peer", "Client connections that ended, by cause.") \
    M(CLOSED_IDLE,            COUNTER, "jingu_connections_closed_total", "cause", "idle", "") \
    M(CLOSED_LATE,            COUNTER, "jingu_connections_closed_total", "cause", "connect_late", "") \
    M(CLOSED_PROTOCOL,        COUNTER, "jingu_connections_closed_total", "cause", "protocol", "") \
    M(CLOSED_TLS,             COUNTER, "jingu_connections_closed_total", "cause", "tls", "") \
    M(CLOSED_DENIED,          COUNTER, "jingu_connections_closed_total", "cause", "denied", "") \
    M(CLOSED_KICKED,          COUNTER, "jingu_connections_closed_total", "cause", "kicked", "") \
    M(CLOSED_REPLACED,        COUNTER, "jingu_connections_closed_total", "cause", "replaced", "") \
    M(CLOSED_BEHIND,          COUNTER, "jingu_connections_closed_total", "cause", "behind", "") \
    M(CLOSED_MEMORY,          COUNTER, "jingu_connections_closed_total", "cause", "memory", "") \
    M(CLOSED_SHUTDOWN,        COUNTER, "jingu_connections_closed_total", "cause", "shutdown", "") \
    M(CLOSED_SYSTEM,          COUNTER, "jingu_connections_closed_total", "cause", "system", "") \
    M(CLIENT_BYTES_IN,        COUNTER, "jingu_client_received_bytes_total", "", "", "Bytes read from clients.") \
    M(CLIENT_BYTES_OUT,       COUNTER, "jingu_client_sent_bytes_total", "", "", "Bytes written to clients.") \
    /* Bad input, by the door it came to and what was wrong. */ \
    M(BAD_PACKET,             COUNTER, "jingu_bad_input_total", "door", "wkproto", "Input that was malformed, by the door it came to.") \
    M(BAD_JSONRPC,            COUNTER, "jingu_bad_input_total", "door", "jsonrpc", "") \
    M(BAD_WEBSOCKET,          COUNTER, "jingu_bad_input_total", "door", "websocket", "") \
    M(BAD_UPGRADE,            COUNTER, "jingu_bad_input_total", "door", "upgrade", "") \
    M(BAD_TLS,                COUNTER, "jingu_bad_input_total", "door", "tls", "") \
    M(BAD_MSG_KEY,            COUNTER, "jingu_bad_input_total", "door", "msg_key", "") \
    M(BAD_HTTP,               COUNTER, "jingu_bad_input_total", "door", "http", "") \
    /* Packets, by type; a JSON-RPC call counts as the packet it stands for. */ \
    M(IN_CONNECT,             COUNTER, "jingu_packets_received_total", "type", "connect", "Packets received from clients.") \
    M(IN_SEND,                COUNTER, "jingu_packets_received_total", "type", "send", "") \
    M(IN_RECVACK,             COUNTER, "jingu_packets_received_total", "type", "recvack", "") \
    M(IN_PING,                COUNTER, "jingu_packets_received_total", "type", "ping", "") \
    M(IN_OTHER,               COUNTER, "jingu_packets_received_total", "type", "other", "") \
    M(IN_CONNECT_BYTES,       COUNTER, "jingu_packets_received_bytes_total", "type", "connect", "Bytes of the packets received from clients.") \
    M(IN_SEND_BYTES,          COUNTER, "jingu_packets_received_bytes_total", "type", "send", "") \
    M(IN_RECVACK_BYTES,       COUNTER, "jingu_packets_received_bytes_total", "type", "recvack", "") \
    M(IN_PING_BYTES,          COUNTER, "jingu_packets_received_bytes_total", "type", "ping", "") \
    M(IN_OTHER_BYTES,         COUNTER, "jingu_packets_received_bytes_total", "type", "other", "") \
    M(OUT_CONNACK,            COUNTER, "jingu_packets_sent_total", "type", "connack", "Packets sent to clients.") \
    M(OUT_SENDACK,            COUNTER, "jingu_packets_sent_total", "type", "sendack", "") \
    M(OUT_RECV,               COUNTER, "jingu_packets_sent_total", "type", "recv", "") \
    M(OUT_PONG,               COUNTER, "jingu_packets_sent_total", "type", "pong", "") \
    M(OUT_DISCONNECT,         COUNTER, "jingu_packets_sent_total", "type", "disconnect", "") \
    M(OUT_EVENT,              COUNTER, "jingu_packets_sent_total", "type", "event", "") \
    M(OUT_OTHER,              COUNTER, "jingu_packets_sent_total", "type", "other", "") \
    M(OUT_CONNACK_BYTES,      COUNTER, "jingu_packets_sent_bytes_total", "type", "connack", "Bytes of the packets sent to clients.") \
    M(OUT_SENDACK_BYTES,      COUNTER, "jingu_packets_sent_bytes_total", "type", "sendack", "") \
    M(OUT_RECV_BYTES,         COUNTER, "jingu_packets_sent_bytes_total", "type", "recv", "") \
    M(OUT_PONG_BYTES,         COUNTER, "jingu_packets_sent_bytes_total", "type", "pong", "") \
    M(OUT_DISCONNECT_BYTES,   COUNTER, "jingu_packets_sent_bytes_total", "type", "disconnect", "") \
    M(OUT_EVENT_BYTES,        COUNTER, "jingu_packets_sent_bytes_total", "type", "event", "") \
    M(OUT_OTHER_BYTES,        COUNTER, "jingu_packets_sent_bytes_total", "type", "other", "") \
    /* Sessions and users. */ \
    M(SESSIONS,               GAUGE,   "jingu_sessions", "", "", "Sessions that are logged in.") \
    M(USERS_ONLINE,           GAUGE,   "jingu_users_online", "", "", "Users with at least one session.") \
    M(LOGINS,                 COUNTER, "jingu_logins_total", "result", "success", "CONNECT requests, by result.") \
    M(LOGINS_DENIED,          COUNTER, "jingu_logins_total", "result", "denied", "") \
    M(LOGINS_BANNED,          COUNTER, "jingu_logins_total", "result", "banned", "") \
    M(LOGINS_FAILED,          COUNTER, "jingu_logins_total", "result", "failed", "") \
    M(SESSIONS_BEHIND,        GAUGE,   "jingu_sessions_behind", "", "", "Sessions that read slower than they are written to.") \
    M(SESSIONS_FELL_BEHIND,   COUNTER, "jingu_sessions_fell_behind_total", "", "", "Times that a session began to be behind.") \
    M(CURSORS_FILLING,        COUNTER, "jingu_session_cursors_filling_total", "", "", "Times that a session was behind in three quarters of as many channels as it can be.") \
    /* Messages. */ \
    M(SENDS_STORED,           COUNTER, "jingu_sends_total", "result", "stored", "SEND requests from clients and back ends, by result.") \
    M(SENDS_PASSED,           COUNTER, "jingu_sends_total", "result", "passed", "") \
    M(SENDS_DUPLICATE,        COUNTER, "jingu_sends_total", "result", "duplicate", "") \
    M(SENDS_DENIED,           COUNTER, "jingu_sends_total", "result", "denied", "") \
    M(SENDS_UNREADABLE,       COUNTER, "jingu_sends_total", "result", "unreadable", "") \
    M(SENDS_FULL,             COUNTER, "jingu_sends_total", "result", "full", "") \
    M(SENDS_FAILED,           COUNTER, "jingu_sends_total", "result", "failed", "") \
    M(DELIVERIES,             COUNTER, "jingu_deliveries_total", "", "", "Messages written to sessions.") \
    M(DELIVERIES_CAUGHT_UP,   COUNTER, "jingu_deliveries_caught_up_total", "", "", "Messages written to sessions from the log, after they had been behind.") \
    M(DELIVERIES_RESENT,      COUNTER, "jingu_deliveries_resent_total", "", "", "Messages written again because no RECVACK came.") \
    M(DELIVERIES_GIVEN_UP,    COUNTER, "jingu_deliveries_given_up_total", "", "", "Messages that were resent as often as allowed without a RECVACK.") \
    M(DELIVERIES_WITHOUT_ROSTER, COUNTER, "jingu_deliveries_without_roster_total", "", "", "Deliveries, one a shard, that missed members because the list could not be read.") \
    M(UNACKED_PUSHED_OUT,     COUNTER, "jingu_unacked_pushed_out_total", "", "", "Messages no longer repeated because newer ones filled the session's window.") \
    M(PASSING_DROPPED,        COUNTER, "jingu_passing_dropped_total", "", "", "Messages not to be stored that a session was too slow for.") \
    M(RECVACKS,               COUNTER, "jingu_recvacks_total", "result", "matched", "RECVACK packets, by whether they named a message in flight.") \
    M(RECVACKS_UNKNOWN,       COUNTER, "jingu_recvacks_total", "result", "unknown", "") \
    M(COMMANDS_ONLINE_ONLY,   COUNTER, "jingu_commands_online_only_total", "", "", "Commands to more people by name than message/sync is told of.") \
    M(COMMAND_ACKS_SKIPPED,   COUNTER, "jingu_command_acks_skipped_total", "", "", "Acknowledged commands whose position could not be kept; they come again with the next sync.") \
    /* Event streams. */ \
    M(EVENTS_DELTA,           COUNTER, "jingu_stream_events_total", "result", "delta", "Events of streams from back ends, by what became of them.") \
    M(EVENTS_STORED,          COUNTER, "jingu_stream_events_total", "result", "stored", "") \
    M(EVENTS_REPEATED,        COUNTER, "jingu_stream_events_total", "result", "repeated", "") \
    M(EVENTS_DENIED,          COUNTER, "jingu_stream_events_total", "result", "denied", "") \
    M(EVENTS_FULL,            COUNTER, "jingu_stream_events_total", "result", "full", "") \
    M(EVENTS_FAILED,          COUNTER, "jingu_stream_events_total", "result", "failed", "") \
    M(EVENTS_DROPPED,         COUNTER, "jingu_stream_events_dropped_total", "", "", "Events that a session was too slow for; it reads the content later.") \
    M(STREAMS_HELD,           GAUGE,   "jingu_streams_held", "", "", "Event streams whose state is in memory.") \
    M(STREAMS_FORGOTTEN,      COUNTER, "jingu_streams_forgotten_total", "", "", "Times that idle event streams were given up to make room.") \
    M(STREAM_HINTS_FORGOTTEN, COUNTER, "jingu_stream_hints_forgotten_total", "", "", "Senders of stream messages that were forgotten to make room.") \
    /* Channels and caches. */ \
    M(CHANNELS_ACTIVE,        GAUGE,   "jingu_channels_active", "", "", "Channels that are held in memory.") \
    M(CHANNELS_LOADED,        COUNTER, "jingu_channels_loaded_total", "", "", "Channels read from the store.") \
    M(CHANNELS_RECALLED,      COUNTER, "jingu_channels_recalled_total", "", "", "Channels that had left memory for want of room and came back from the shelf.") \
    M(CHANNELS_EVICTED,       COUNTER, "jingu_channels_evicted_total", "cause", "room", "Channels given up, to make room or because nobody wanted them.") \
    M(CHANNELS_AGED,          COUNTER, "jingu_channels_evicted_total", "cause", "idle", "") \
    M(ROSTERS_LOADED,         COUNTER, "jingu_rosters_loaded_total", "", "", "Member lists read from the store.") \
    M(ROSTERS_EVICTED,        COUNTER, "jingu_rosters_evicted_total", "", "", "Member lists given up to make room.") \
    M(TEMPORARIES,            GAUGE,   "jingu_temporary_lists", "", "", "Lists of temporary channels that are in memory.") \
    M(TEMPORARIES_REFUSED,    COUNTER, "jingu_temporary_lists_refused_total", "", "", "Lists of temporary channels that were too long, too many, or for which there was no room.") \
    M(AUDIENCES,              GAUGE,   "jingu_audiences", "", "", "Large channels whose members online are known, one a shard.") \
    M(AUDIENCES_EVICTED,      COUNTER, "jingu_audiences_evicted_total", "", "", "Audiences given up to make room.") \
    M(DELIVERIES_TOGETHER,    COUNTER, "jingu_deliveries_together_total", "", "", "Messages that went to the members of their channel together with one before them.") \
    M(NEWCOMERS_LOOKED_UP,    COUNTER, "jingu_newcomers_looked_up_total", "", "", "Users online who were looked up in the list of a large channel.") \
    /* Shards. */ \
    M(TURNS,                  COUNTER, "jingu_turns_total", "", "", "Turns of the shards' loops.") \
    M(LETTERS,                COUNTER, "jingu_letters_total", "", "", "Messages from other threads that shards have received.") \
    M(TIMERS,                 GAUGE,   "jingu_timers", "", "", "Timers that are running.") \
    /* Journal. */ \
    M(JOURNAL_ENTRIES,        COUNTER, "jingu_journal_entries_total", "", "", "Entries committed.") \
    M(JOURNAL_RECORDS,        COUNTER, "jingu_journal_records_total", "", "", "Records committed.") \
    M(JOURNAL_RECORDS_OUTBOX, COUNTER, "jingu_journal_records_outbox_total", "", "", "Of them, those of the thread of the webhooks.") \
    M(JOURNAL_BYTES,          COUNTER, "jingu_journal_bytes_total", "", "", "Bytes of the records committed.") \
    M(JOURNAL_COMMITS,        COUNTER, "jingu_journal_commits_total", "", "", "Batches written, each with one sync.") \
    M(JOURNAL_REFUSED,        COUNTER, "jingu_journal_refused_total", "", "", "Entries refused because the disk was short or failed.") \
    M(DISK_FREE,              GAUGE,   "jingu_disk_free_bytes", "", "", "Bytes free where the data is.") \
    M(DISK_SHORT,             GAUGE,   "jingu_disk_short", "", "", "1 while writes are refused for want of disk.") \
    /* Webhooks. */ \
    M(WEBHOOK_CALLS,          COUNTER, "jingu_webhook_calls_total", "result", "accepted", "Requests to the back end, by result.") \
    M(WEBHOOK_CALLS_REFUSED,  COUNTER, "jingu_webhook_calls_total", "result", "refused", "") \
    M(WEBHOOK_CALLS_AWAY,     COUNTER, "jingu_webhook_calls_total", "result", "away", "") \
    M(WEBHOOK_SENT,           COUNTER, "jingu_webhook_events_total", "fate", "accepted", "Events for the back end, by what became of them.") \
    M(WEBHOOK_DEAD,           COUNTER, "jingu_webhook_events_total", "fate", "dead", "") \
    M(WEBHOOK_DROPPED,        COUNTER, "jingu_webhook_events_total", "fate", "outbox_full", "") \
    M(WEBHOOK_EXPIRED,        COUNTER, "jingu_webhook_events_total", "fate", "expired", "") \
    M(WEBHOOK_GONE,           COUNTER, "jingu_webhook_events_total", "fate", "message_gone", "") \
    M(WEBHOOK_LOST,           COUNTER, "jingu_webhook_events_total", "fate", "no_memory", "") \
    M(OUTBOX_BYTES,           GAUGE,   "jingu_outbox_bytes", "", "", "Bytes of events that wait for the back end, dead letters included.") \
    /* Data source. */ \
    M(SOURCE_CALLS,           COUNTER, "jingu_datasource_calls_total", "result", "answered", "Requests to the data source, by result.") \
    M(SOURCE_CALLS_AWAY,      COUNTER, "jingu_datasource_calls_total", "result", "away", "") \
    M(SOURCE_CALLS_REFUSED,   COUNTER, "jingu_datasource_calls_total", "result", "refused", "") \
    M(SOURCE_CALLS_UNREADABLE, COUNTER, "jingu_datasource_calls_total", "result", "unreadable", "") \
    M(SOURCE_CALLS_LARGE,     COUNTER, "jingu_datasource_calls_total", "result", "too_large", "") \
    M(SOURCE_CALLS_FULL,      COUNTER, "jingu_datasource_calls_total", "result", "no_memory", "") \
    M(SOURCE_CHANNELS_ANSWERED, COUNTER, "jingu_datasource_channels_total", "result", "answered", "Channels that the data source was asked for, by result.") \
    M(SOURCE_CHANNELS_FAILED, COUNTER, "jingu_datasource_channels_total", "result", "failed", "") \
    M(SOURCE_INQUIRIES_SPARED, COUNTER, "jingu_datasource_channels_total", "result", "spared", "") \
    M(SOURCE_INQUIRIES_FULL,  COUNTER, "jingu_datasource_channels_total", "result", "full", "") \
    M(SOURCE_CHANGES,         COUNTER, "jingu_datasource_changes_total", "", "", "Changes of lists and flags that answers of the data source have made.") \
    /* HTTP. */ \
    M(HTTP_OK,                COUNTER, "jingu_http_requests_total", "status", "2xx", "HTTP requests answered, by status.") \
    M(HTTP_MOVED,             COUNTER, "jingu_http_requests_total", "status", "3xx", "") \
    M(HTTP_REFUSED,           COUNTER, "jingu_http_requests_total", "status", "4xx", "") \
    M(HTTP_FAILED,            COUNTER, "jingu_http_requests_total", "status", "5xx", "") \
    M(HTTP_DENIED,            COUNTER, "jingu_http_denied_total", "", "", "HTTP requests without the right token.") \
    M(COMMAND_SYNCS_FORGOTTEN, COUNTER, "jingu_command_syncs_forgotten_total", "", "", "Answers of /message/sync that could not be kept for an acknowledgement; their commands come again.") \
    M(HTTP_TOO_LARGE,         COUNTER, "jingu_http_too_large_total", "", "", "HTTP requests with a larger body than allowed.") \
    M(HTTP_TOO_MANY,          COUNTER, "jingu_http_too_many_total", "", "", "HTTP requests refused because too many were being served.") \
    M(HTTP_LATE,              COUNTER, "jingu_http_late_total", "", "", "HTTP connections ended because no whole request had come in time.") \
    M(HTTP_ENDED_IDLE,        COUNTER, "jingu_http_ended_total", "what", "idle", "HTTP connections ended because others waited for a place or for memory, by what they were doing.") \
    M(HTTP_ENDED_STILL,       COUNTER, "jingu_http_ended_total", "what", "still", "") \
    M(HTTP_ENDED_SLOW,        COUNTER, "jingu_http_ended_total", "what", "slow", "") \
    M(HTTP_ENDED_SILENT,      COUNTER, "jingu_http_ended_total", "what", "silent", "") \
    M(HTTP_ENDED_WAITING,     COUNTER, "jingu_http_ended_total", "what", "waiting", "") \
    M(HTTP_TURNS,             COUNTER, "jingu_http_turns_total", "", "", "HTTP connections whose answer was the last one because others waited for a place.") \
    M(HTTP_LOBBY,             GAUGE,   "jingu_http_lobby", "", "", "HTTP connections that have said nothing yet, or wait for a place.") \
    M(HTTP_CONNECTIONS,       GAUGE,   "jingu_http_connections", "", "", "HTTP connections that have a place.")

#define LATENCY_LIST(L) \
    L(SEND_TO_ACK,  "jingu_send_to_ack_seconds",  "From SEND decoded to SENDACK written.") \
    L(SEND_TO_RECV, "jingu_send_to_recv_seconds", "From SEND decoded to RECV written for a session that keeps up; what catches up from the log does not count.") \
    L(COMMIT,       "jingu_journal_commit_seconds", "From an entry handed to the journal to its commit.") \
    L(SYNC,         "jingu_journal_sync_seconds", "One batch written and synced.") \
    L(TURN,         "jingu_turn_seconds", "One turn of a shard, without its rest.") \
    L(HTTP,         "jingu_http_seconds", "From an HTTP request read to its answer queued.") \
    L(WEBHOOK,      "jingu_webhook_seconds", "From a request to the back end to its answer.") \
    L(SOURCE,       "jingu_datasource_seconds", "From a request to the data source to its answer, or to the end of the wait.")

/* ALIAS(family, type, first, last): WuKongIM's name (http-api 14.6) for a figure of ours, the sum of the
 * series from METRIC_<first> to METRIC_<last>; with the last before the first it is 0: between nodes
 * there is no traffic where there is one. */
#define METRIC_ALIAS_LIST(A) \
    A("app_conn_count_total",                 GAUGE,   CONNECTIONS_OPEN, CONNECTIONS_OPEN_WSS) \
    A("app_online_user_count_total",          GAUGE,   USERS_ONLINE, USERS_ONLINE) \
    A("app_online_device_count_total",        GAUGE,   SESSIONS, SESSIONS) \
    A("app_conn_packet_count_total",          COUNTER, IN_CONNECT, IN_CONNECT) \
    A("app_conn_packet_bytes_total",          COUNTER, IN_CONNECT_BYTES, IN_CONNECT_BYTES) \
    A("app_connack_packet_count_total",       COUNTER, OUT_CONNACK, OUT_CONNACK) \
    A("app_connack_packet_bytes_total",       COUNTER, OUT_CONNACK_BYTES, OUT_CONNACK_BYTES) \
    A("app_send_packet_count_total",          COUNTER, IN_SEND, IN_SEND) \
    A("app_send_packet_bytes_total",          COUNTER, IN_SEND_BYTES, IN_SEND_BYTES) \
    A("app_sendack_packet_count_total",       COUNTER, OUT_SENDACK, OUT_SENDACK) \
    A("app_sendack_packet_bytes_total",       COUNTER, OUT_SENDACK_BYTES, OUT_SENDACK_BYTES) \
    A("app_recv_packet_count_total",          COUNTER, OUT_RECV, OUT_RECV) \
    A("app_recv_packet_bytes_total",          COUNTER, OUT_RECV_BYTES, OUT_RECV_BYTES) \
    A("app_recvack_packet_count_total",       COUNTER, IN_RECVACK, IN_RECVACK) \
    A("app_recvack_packet_bytes_total",       COUNTER, IN_RECVACK_BYTES, IN_RECVACK_BYTES) \
    A("app_ping_count_total",                 COUNTER, IN_PING, IN_PING) \
    A("app_ping_bytes_total",                 COUNTER, IN_PING_BYTES, IN_PING_BYTES) \
    A("app_pong_count_total",                 COUNTER, OUT_PONG, OUT_PONG) \
    A("app_pong_bytes_total",                 COUNTER, OUT_PONG_BYTES, OUT_PONG_BYTES) \
    A("system_extranet_incoming_bytes_total", COUNTER, CLIENT_BYTES_IN, CLIENT_BYTES_IN) \
    A("system_extranet_outgoing_bytes_total", COUNTER, CLIENT_BYTES_OUT, CLIENT_BYTES_OUT) \
    A("system_intranet_incoming_bytes_total", COUNTER, CLIENT_BYTES_OUT, CLIENT_BYTES_IN) \
    A("system_intranet_outgoing_bytes_total", COUNTER, CLIENT_BYTES_OUT, CLIENT_BYTES_IN)
/* clang-format on */
