#include "edge/api.h"

#include "base/assert.h"
#include "edge/api_backup.h"
#include "edge/api_browse.h"
#include "edge/api_channel.h"
#include "edge/api_cluster.h"
#include "edge/api_command.h"
#include "edge/api_connection.h"
#include "edge/api_conversation.h"
#include "edge/api_docs.h"
#include "edge/api_event.h"
#include "edge/api_history.h"
#include "edge/api_lookup.h"
#include "edge/api_manager.h"
#include "edge/api_marks.h"
#include "edge/api_monitor.h"
#include "edge/api_page.h"
#include "edge/api_recents.h"
#include "edge/api_send.h"
#include "edge/api_service.h"
#include "edge/api_stream_old.h"
#include "edge/api_user.h"
#include "edge/api_webhook.h"

#define ON(ports_) .ports = (ports_)
#define BACK_END   ON(API_PORT_BACK_END)
#define BOTH       ON(API_PORT_BACK_END | API_PORT_MANAGER)
#define GET_ON(path_, handle_, ...)                                                                \
    {                                                                                              \
        .method = "GET", .path = (path_), .handle = (handle_), .shape = NULL,                      \
        .style = API_STYLE_RAW, __VA_ARGS__                                                        \
    }
#define POST_ON(path_, handle_, shape_, style_, ...)                                               \
    {                                                                                              \
        .method = "POST", .path = (path_), .handle = (handle_), .shape = (shape_),                 \
        .style = API_STYLE_##style_, __VA_ARGS__                                                   \
    }
/* For back ends. */
#define GET(path_, handle_)                  GET_ON(path_, handle_, BACK_END)
#define POST(path_, handle_, shape_, style_) POST_ON(path_, handle_, shape_, style_, BACK_END)
/* For operators, who may also use the manager's port. */
#define OPS_GET(path_, handle_)                  GET_ON(path_, handle_, BOTH)
#define OPS_POST(path_, handle_, shape_, style_) POST_ON(path_, handle_, shape_, style_, BOTH)
#define OPEN                                     .is_open = true

#define POST_RAW(path_, handle_)                                                                   \
    {                                                                                              \
        .method = "POST", .path = (path_), .handle = (handle_), .shape = NULL,                     \
        .style = API_STYLE_RAW, .is_raw = true, BOTH                                               \
    }

/* A table, one line a route, in the order of http-api 1. */
/* clang-format off */
static const struct api_route routes[] = {
    GET("/health", api_health),
    GET_ON("/metrics", api_metrics, BOTH, OPEN),
    OPS_GET("/migrate/result", api_migrate_result),
    OPS_GET("/ledger", api_page),
    OPS_GET("/ledger/top", api_ledger_top),
    OPS_GET("/ledger/page", api_page),
    OPS_GET("/ledger/history", api_page),
    OPS_GET("/debug/pprof/", api_page),
    OPS_GET("/debug/pprof/heap", api_page),
    OPS_GET("/debug/pprof/profile", api_page),
    OPS_GET("/debug/pprof/threads", api_page),
    OPS_GET("/debug/pprof/symbol", api_page),
    POST_RAW("/debug/pprof/symbol", api_page),
    GET("/route", api_route_get),
    POST("/route/batch", api_route_batch, &json_shape_of_strings, FIXED),
    OPS_GET("/connz", api_connz),
    OPS_GET("/varz", api_varz),
    OPS_GET("/varz/setting", api_varz_setting),
    POST("/user/token", api_user_token, &api_shape_user_token, RAW),
    POST("/user/device_quit", api_device_quit, &api_shape_device_quit, RAW),
    POST("/user/onlinestatus", api_online_status, &json_shape_of_strings, RAW),
    POST("/user/systemuids_add", api_system_uids_add, &api_shape_system_uids, RAW),
    POST("/user/systemuids_remove", api_system_uids_remove, &api_shape_system_uids, RAW),
    GET("/user/systemuids", api_system_uids),
    POST("/user/systemuids_add_to_cache", api_system_uids_add, &api_shape_system_uids, RAW),
    POST("/user/systemuids_remove_from_cache", api_system_uids_remove, &api_shape_system_uids, RAW),
    POST("/user/update_plugin_no", api_update_plugin_no, &api_shape_plugin_no, RAW),
    OPS_POST("/conn/remove", api_conn_remove, &api_shape_conn, RAW),
    OPS_POST("/conn/kick", api_conn_kick, &api_shape_conn, RAW),
    POST("/channel", api_channel_put, &api_shape_channel_put, WRAPPED),
    POST("/channel/info", api_channel_info, &api_shape_channel_info, FIXED),
    POST("/channel/delete", api_channel_delete, &api_shape_channel, WRAPPED),
    POST("/channel/subscriber_add", api_subscriber_add, &api_shape_subscribers, WRAPPED),
    POST("/channel/subscriber_remove", api_subscriber_remove, &api_shape_subscribers, WRAPPED),
    POST("/channel/subscriber_remove_all", api_subscriber_remove_all, &api_shape_channel, WRAPPED),
    POST("/tmpchannel/subscriber_set", api_temporary_subscriber_set, &api_shape_uids, WRAPPED),
    POST("/channel/blacklist_add", api_blacklist_add, &api_shape_uids, RAW),
    POST("/channel/blacklist_set", api_blacklist_set, &api_shape_uids, RAW),
    POST("/channel/blacklist_remove", api_blacklist_remove, &api_shape_uids, RAW),
    POST("/channel/blacklist_remove_all", api_blacklist_remove_all, &api_shape_channel, RAW),
    POST("/channel/whitelist_add", api_whitelist_add, &api_shape_uids, RAW),
    POST("/channel/whitelist_set", api_whitelist_set, &api_shape_uids, RAW),
    POST("/channel/whitelist_remove", api_whitelist_remove, &api_shape_uids, RAW),
    POST("/channel/whitelist_remove_all", api_whitelist_remove_all, &api_shape_channel, RAW),
    GET("/channel/whitelist", api_whitelist),
    POST("/message/send", api_send, &api_shape_send, RAW),
    POST("/message/sendbatch", api_send_batch, &api_shape_send_batch, RAW),
    POST("/streammessage/start", api_stream_start, &api_shape_stream_start, RAW),
    POST("/streammessage/end", api_stream_end, &api_shape_stream_end, RAW),
    POST("/message/event", api_event, &api_shape_event, RAW),
    POST("/message/eventsync", api_event_sync, &api_shape_event_sync, RAW),
    POST("/messages", api_messages, &api_shape_messages, FIXED),
    POST("/message", api_message, &api_shape_message, FIXED),
    GET("/message/byclientmsgno", api_message_by_client_msg_no),
    POST("/channel/messagesync", api_history, &api_shape_history, RAW),
    GET("/channel/max_message_seq", api_max_message_seq),
    GET("/channel/last_message", api_last_message),
    POST("/message/sync", api_command_sync, &api_shape_command_sync, RAW),
    POST("/message/syncack", api_command_ack, &api_shape_command_ack, RAW),
    GET("/conversations", api_conversations_old),
    POST("/conversations/clearUnread", api_clear_unread, &api_shape_clear_unread, RAW),
    POST("/conversations/setUnread", api_set_unread, &api_shape_set_unread, RAW),
    POST("/conversations/delete", api_delete_conversation, &api_shape_delete_conversation, RAW),
    POST("/conversation/sync", api_conversation_sync, &api_shape_conversation_sync, RAW),
    POST("/conversation/syncMessages", api_recent_messages, &api_shape_recent_messages, FIXED),
    POST("/conversation/channels", api_conversation_channels, &api_shape_conversation_channels, RAW),
    GET("/webhook/deadletters", api_dead_letters),
    POST("/webhook/resend", api_resend, &api_shape_resend, RAW),
    OPS_POST("/backup", api_backup, &api_shape_backup, RAW),
    POST("/conversation/syncByChannels", api_conversations_by_channels, &api_shape_conversations_by_channels, RAW),
    POST_ON("/manager/login", api_login, &api_shape_login, RAW, BOTH, OPEN),
    OPS_GET("/tag", api_tag),
    OPS_POST("/tag/remove", api_tag_remove, &api_shape_tag, RAW),
    OPS_GET("/tags", api_tags),
    {.method = NULL, .path = "/plugins/:plugin/*path", .handle = api_plugin_call, BOTH},
    OPS_GET("/plugins", api_plugins),
    OPS_POST("/pluginconfig/:plugin", api_plugin_config, &api_shape_nothing, RAW),
    OPS_POST("/plugin/bind", api_plugin_bind, &api_shape_plugin, RAW),
    OPS_GET("/plugin/bind", api_plugin_bindings),
    OPS_POST("/plugin/unbind", api_plugin_unbind, &api_shape_plugin, RAW),
    OPS_POST("/plugin/uninstall", api_plugin_uninstall, &api_shape_plugin, RAW),
    GET("/docs", api_docs),
    GET("/docs/openapi.json", api_docs_openapi),
    GET("/docs/health", api_docs_health),
    OPS_GET("/cluster/nodes", api_cluster_nodes),
    OPS_GET("/cluster/nodes/:id/channels", api_browse_node_channels),
    OPS_GET("/cluster/node", api_cluster_node),
    OPS_GET("/cluster/simpleNodes", api_cluster_nodes),
    OPS_GET("/cluster/info", api_cluster_info),
    OPS_GET("/cluster/slots", api_cluster_slots),
    OPS_GET("/cluster/allslot", api_cluster_all_slots),
    OPS_GET("/cluster/slots/:id/config", api_cluster_slot_config),
    OPS_GET("/cluster/slots/:id/replicas", api_cluster_slot_replicas),
    OPS_GET("/cluster/slots/:id/localReplica", api_cluster_slot_replica),
    OPS_POST("/cluster/slots/:id/migrate", api_cluster_slot_migrate, NULL, RAW),
    OPS_POST("/cluster/slots/:id/election", api_cluster_slot_election, NULL, RAW),
    OPS_GET("/cluster/messages", api_browse_messages),
    OPS_POST("/cluster/message/eventsync", api_event_sync, &api_shape_event_sync, RAW),
    OPS_GET("/cluster/channels", api_browse_channels),
    OPS_GET("/cluster/channels/:channel_id/:channel_type/subscribers", api_browse_subscribers),
    OPS_GET("/cluster/channels/:channel_id/:channel_type/denylist", api_browse_denylist),
    OPS_GET("/cluster/channels/:channel_id/:channel_type/allowlist", api_browse_allowlist),
    OPS_GET("/cluster/channels/:channel_id/:channel_type/config", api_browse_channel_config),
    OPS_GET("/cluster/channels/:channel_id/:channel_type/replicas", api_browse_channel_replicas),
    OPS_GET("/cluster/channels/:channel_id/:channel_type/localReplica", api_browse_channel_replica),
    OPS_POST("/cluster/channels/:channel_id/:channel_type/migrate", api_cluster_channel_migrate, NULL, RAW),
    OPS_POST("/cluster/channels/:channel_id/:channel_type/start", api_cluster_channel_start, NULL, RAW),
    OPS_POST("/cluster/channels/:channel_id/:channel_type/stop", api_cluster_channel_stop, NULL, RAW),
    OPS_POST("/cluster/channel/status", api_browse_channel_status, &api_shape_channel_status, RAW),
    OPS_GET("/cluster/users", api_browse_users),
    OPS_GET("/cluster/devices", api_browse_devices),
    OPS_GET("/cluster/conversations", api_browse_conversations),
    OPS_GET("/cluster/logs", api_cluster_logs),
    OPS_GET("/cluster/devtools/checkLogConflict", api_cluster_check_log),
};
/* clang-format on */

/* ---- Paths. ---- */

/* The next segment of `path`, which is shortened by it and by the slash before it. */
static struct bytes next_segment(struct bytes *path)
{
    ASSERT(path->size > 0 && path->data[0] == '/');
    *path = bytes_skip(*path, 1);
    const uint8_t *slash = path->size > 0 ? memchr(path->data, '/', path->size) : NULL;
    const size_t size = slash != NULL ? (size_t)(slash - path->data) : path->size;
    const struct bytes segment = {.data = path->data, .size = size};
    *path = bytes_skip(*path, size);
    return segment;
}

static bool path_matches(struct bytes pattern, struct bytes path)
{
    if (path.size == 0 || path.data[0] != '/') {
        return false;
    }
    while (pattern.size > 0 && path.size > 0) {
        const struct bytes wanted = next_segment(&pattern);
        if (bytes_begin_with(wanted, BYTES_OF("*"))) {
            return true;
        }
        const struct bytes segment = next_segment(&path);
        const bool is_any = bytes_begin_with(wanted, BYTES_OF(":")) && segment.size > 0;
        if (!is_any && !bytes_equal(wanted, segment)) {
            return false;
        }
    }
    return pattern.size == 0 && path.size == 0;
}

struct bytes api_path_segment(struct bytes path, uint32_t index)
{
    struct bytes segment = BYTES_EMPTY;
    for (uint32_t i = 0; i <= index; i++) {
        if (path.size == 0) {
            return BYTES_EMPTY;
        }
        segment = next_segment(&path);
    }
    return segment;
}

/* ---- Finding. ---- */

static bool method_matches(const struct api_route *route, const char *method)
{
    return route->method == NULL || strcmp(method, route->method) == 0;
}

const struct api_route *api_find(enum api_port port, const char *method, struct bytes path)
{
    for (uint32_t i = 0; i < COUNT_OF(routes); i++) {
        if ((routes[i].ports & port) != 0 && method_matches(&routes[i], method) &&
            path_matches(bytes_of_string(routes[i].path), path)) {
            return &routes[i];
        }
    }
    return NULL;
}

const struct api_route *api_find_moved(enum api_port port, const char *method, struct bytes path)
{
    if (path.size < 2 || !bytes_end_with(path, BYTES_OF("/"))) {
        return NULL;
    }
    path.size--;
    return api_find(port, method, path);
}

const struct api_route *api_routes(uint32_t *out_count)
{
    *out_count = COUNT_OF(routes);
    return routes;
}
