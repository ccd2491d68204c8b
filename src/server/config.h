/*
 * config.h -- what the operator decided, read once and checked before anything starts.
 *
 * The server layer puts the parts together: it reads the configuration, turns
 * limits into bytes, starts and stops everything in order.
 *
 * A configuration comes from three places: environment variable, then file,
 * then built-in default (configuration 1.1). Every key that exists stands in one
 * table (config_table.h), WuKongIM's and our own; a file of WuKongIM v2 is read
 * unchanged. A key nobody knows is refused with its place and the nearest key that
 * exists. All that is wrong is reported together (config_report.h).
 *
 * Promises:
 *   (1) after ERR_OK every field is set and within the limits of its key;
 *   (2) nothing of the input is kept: texts are copied into the config, which must
 *       not move afterwards;
 *   (3) the work is bounded by the limits below, whatever the input is.
 *
 * Read by the main thread before there are others; afterwards shared and still.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "server/config_report.h"
#include "telemetry/logger.h"

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_FILE_BYTES_MAX  ((size_t)256 * 1024) /* ten times a file with every key commented */
#define CONFIG_TEXT_BYTES_MAX  (32u * 1024u)        /* all values that are text, together */
#define CONFIG_VALUE_BYTES_MAX 1024u                /* one value, the longest path of Linux aside */
#define CONFIG_LIST_MAX        64u                  /* items of one list */
#define CONFIG_KEYS_MAX        256u                 /* rows of the table */
#define CONFIG_HOST_BYTES_MAX  64u

/* Where to listen. The host is an IP address or "localhost". */
struct config_address {
    const char *host;
    uint16_t port;
    bool is_set; /* false: do not listen */
};

struct config_list {
    const char *items[CONFIG_LIST_MAX];
    uint32_t count;
};

enum config_mode {
    CONFIG_MODE_DEBUG = 0,
    CONFIG_MODE_RELEASE,
    CONFIG_MODE_BENCH,
    CONFIG_MODE_TEST,
};

enum config_durability {
    CONFIG_DURABILITY_SYNCED = 0, /* SENDACK after the disk has it */
    CONFIG_DURABILITY_WRITTEN,    /* SENDACK after the kernel has it */
};

/* Where a value came from. */
enum config_origin {
    CONFIG_FROM_DEFAULT = 0,
    CONFIG_FROM_FILE,
    CONFIG_FROM_ENVIRONMENT,
};

/* The decisions. Texts are never NULL. Names in comments are the keys. */
struct config {
    enum config_mode mode;
    const char *root_dir;
    const char *data_dir;
    bool is_loss_accepted; /* serve --accept-loss; no key, so that it holds for one start */
    struct config_address tcp_addr;     /* addr */
    struct config_address ws_addr;      /* wsAddr */
    struct config_address wss_addr;     /* wssAddr */
    struct config_address tls_addr;     /* tlsAddr: WKProto over TLS */
    struct config_address http_addr;    /* httpAddr */
    struct config_address manager_addr; /* manager.addr; not set: the port stays closed */
    bool is_manager_addr_given;         /* by the operator; otherwise it is the default */
    struct config_address demo_addr;
    bool is_manager_on;
    bool is_demo_on;
    bool is_token_required; /* tokenAuthOn */
    const char *manager_token;
    const char *manager_uid;
    bool is_person_allow_list_off; /* whitelistOffOfPerson */
    uint64_t idle_ms;              /* connIdleTime */
    bool is_encryption_off;        /* disableEncryption */
    bool is_jsonrpc_off;           /* disableJSONRPC */
    bool is_command_sync_off;      /* disableCMDMessageSync */

    const char *external_ip;
    const char *external_tcp_addr; /* what /route answers; filled by config_derive when unset */
    const char *external_ws_addr;
    const char *external_wss_addr;
    const char *external_manager_addr;
    const char *external_api_url;
    const char *intranet_tcp_addr;

    const char *wss_cert_file; /* "": none */
    const char *wss_key_file;
    const char *tls_cert_file; /* those of WSS when unset */
    const char *tls_key_file;

    uint64_t log_level_number; /* logger.level: 0 by mode, 1 debug … 4 error */
    enum log_format log_format;
    bool has_log_source; /* logger.lineNum */

    const char *webhook_http_addr;
    const char *webhook_grpc_addr;
    uint64_t webhook_notify_interval_ms;
    uint64_t webhook_notify_count_max;
    uint64_t webhook_notify_tries_max;
    struct config_list webhook_events;
    const char *webhook_secret; /* "": none */
    uint64_t webhook_outbox_bytes;
    uint64_t webhook_outbox_age_ms;
    const char *agent_webhook_http_addr;
    const char *datasource_addr; /* "": nothing is asked */
    bool is_datasource_lists_on;
    bool is_datasource_info_on; /* datasource.channelInfoOn */
    uint64_t datasource_timeout_ms;
    uint64_t datasource_ttl_ms;
    uint64_t datasource_retry_ms;
    uint64_t datasource_answer_bytes;
    uint64_t webhook_parallel_max; /* eventPoolSize */

    bool is_conversation_on;
    uint64_t conversation_count_max; /* conversation.userMaxCount */
    uint64_t retry_interval_ms;      /* messageRetry.… */
    uint64_t retry_scan_ms;
    uint64_t retry_count_max;

    uint64_t subscriber_compress_count; /* channel.subscriberCompressOfCount; 0: off */
    const char *online_command_channel_id;
    bool is_visitor_free; /* customerService.visitorsOn */
    const char *visitor_suffix;

    struct config_list manager_users; /* auth.users */
    const char *jwt_secret;           /* "": none; one is drawn at start */
    uint64_t jwt_expire_ms;
    const char *jwt_issuer;
    uint64_t node_id;

    uint64_t memory_bytes;    /* 0 until config_derive */
    uint64_t connections_max; /* 0: derived from the memory */
    enum config_durability durability;
    uint64_t shards_count; /* 0 until config_derive */
    uint64_t disk_reserve_bytes;

    /* Private to config.c and config_print.c. */
    uint8_t origins[CONFIG_KEYS_MAX];            /* enum config_origin, by row of the table */
    struct config_place places[CONFIG_KEYS_MAX]; /* where each was given */
    char text[CONFIG_TEXT_BYTES_MAX];
    size_t text_used;
};

/* Where to read from; everything is borrowed for the call. */
struct config_source {
    const char *name;  /* of the file, for messages; NULL: there is no file */
    struct bytes text; /* of the file */
    const char *mode;  /* --mode: the default of `mode`; NULL: release */
    const char *const *environment;
};

/* What the machine tells. Unknown is 0 or "". */
struct config_machine {
    const char *home;            /* of the user that runs the server */
    const char *private_ip;      /* the first private address that is not loopback */
    uint64_t memory_limit_bytes; /* config_cgroup_limit */
    uint32_t cores_count;
};

/* Reads and checks. ERR_PROTOCOL: something is wrong and the report says what. The report also has
 * what is worth a line in the log; see config_log. */
MUST_USE enum err config_load(struct config *config, const struct config_source *source,
                              struct config_report *report);

/* Fills what depends on the machine or on other keys. After config_load; adds to the report.
 * ERR_PROTOCOL: values that are right alone do not fit together. */
MUST_USE enum err config_derive(struct config *config, const struct config_machine *machine,
                                struct config_report *report);

/* Reads a file of at most CONFIG_FILE_BYTES_MAX into `area`, which has room for one byte more.
 * ERR_ABSENT: it does not exist. ERR_LIMIT: it is larger. ERR_IO: it cannot be read,
 * `errno` says why. */
MUST_USE enum err config_read_file(const char *path, uint8_t *area, struct bytes *out_text);

/* Why it could not be read, for people; right after that. */
const char *config_read_fault(enum err err);

/* The level that logger.level and mode ask for. */
enum log_level config_log_level(const struct config *config);

/* Is only this machine able to reach it? */
bool config_address_is_loopback(const struct config_address *address);

/* Private to the config files: keeps a copy of `text` in the config, ended with a zero. NULL: the
 * space for texts is used up. */
MUST_USE const char *config_keep(struct config *config, struct bytes text);
