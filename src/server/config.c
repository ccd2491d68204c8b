#include "server/config.h"

#include "base/assert.h"
#include "chat/names.h"
#include "edge/api_access.h"
#include "server/config_assign.h"
#include "server/config_environment.h"
#include "server/config_table.h"
#include "server/config_yaml.h"
#include "system/socket.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MEMORY_BYTES_DEFAULT (256ull << 20)
#define MEMORY_BYTES_MIN     (48ull << 20) /* an idle server takes about forty */
#define SHARDS_COUNT_MAX     64u
#define TEXT_BYTES           1280u /* a path or an address that is put together */

/* One loading, handed to the readers of file and environment. */
struct loading {
    struct config *config;
    struct config_report *report;
    enum config_origin origin;
};

const char *config_keep(struct config *config, struct bytes text)
{
    if (text.size >= sizeof(config->text) - config->text_used) {
        return NULL;
    }
    char *kept = config->text + config->text_used;
    if (text.size > 0) {
        memcpy(kept, text.data, text.size);
    }
    kept[text.size] = 0;
    config->text_used += text.size + 1;
    return kept;
}

static void take_value(void *context, uint32_t row, const struct config_value *value)
{
    const struct loading *loading = context;
    const struct config_key *key = config_key(row);
    if (key->mark == CONFIG_RENAMED) {
        row = config_key_find(bytes_of_string(key->why));
        key = config_key(row);
    }
    bool is_set;
    config_assign(loading->config, key, value, loading->report, &is_set);
    if (is_set) {
        loading->config->origins[row] = (uint8_t)loading->origin;
        loading->config->places[row] = value->place;
        loading->report->is_ignored[row] = key->mark == CONFIG_NO_EFFECT;
    }
}

/* Defaults are read as if they had been written, so that they obey the rules they document. */
static void set_defaults(struct loading *loading, const char *mode)
{
    for (uint32_t row = 0; row < config_keys_count(); row++) {
        const struct config_key *key = config_key(row);
        if (key->offset == CONFIG_NOWHERE) {
            continue;
        }
        if (key->type == CONFIG_STRING) {
            *(const char **)(void *)((unsigned char *)loading->config + key->offset) = "";
        }
        const struct config_value value = {.items = {bytes_of_string(key->default_text)},
                                           .count = 1};
        bool is_set;
        const uint32_t faults_before = loading->report->faults_count;
        config_assign(loading->config, key, &value, loading->report, &is_set);
        ASSERT(loading->report->faults_count == faults_before);
    }
    if (mode != NULL) {
        const struct config_value value = {.items = {bytes_of_string(mode)}, .count = 1};
        bool is_set;
        config_assign(loading->config, config_key(config_key_find(BYTES_OF("mode"))), &value,
                      loading->report, &is_set);
    }
}

enum err config_load(struct config *config, const struct config_source *source,
                     struct config_report *report)
{
    struct loading loading = {.config = config, .report = report};
    memset(config, 0, sizeof(*config));
    config_report_init(report, source->name);
    set_defaults(&loading, source->mode);
    if (source->name != NULL) {
        loading.origin = CONFIG_FROM_FILE;
        config_yaml_read(source->text, take_value, &loading, report);
    }
    loading.origin = CONFIG_FROM_ENVIRONMENT;
    config_environment_read(source->environment, take_value, &loading, report);
    return report->faults_count == 0 ? ERR_OK : ERR_PROTOCOL;
}

/* Where the key was given. */
static struct config_place place_of(const struct config *config, const char *key)
{
    return config->places[config_key_find(bytes_of_string(key))];
}

static bool is_empty(const char *text)
{
    return text[0] == 0;
}

/* Keeps a text that was put together; one that finds no room is a fault. */
PRINTF_LIKE(4, 5)
static void derive_text(struct config *config, struct config_report *report, const char **out_text,
                        const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    const char *kept = NULL;
    if (size >= 0 && (size_t)size < sizeof(text)) {
        kept = config_keep(config, bytes_of_string(text));
    }
    if (kept == NULL) {
        config_fault(report, (struct config_place){0},
                     "the values are longer than %u bytes together", CONFIG_TEXT_BYTES_MAX);
        return;
    }
    *out_text = kept;
}

static void derive_directories(struct config *config, const struct config_machine *machine,
                               struct config_report *report)
{
    if (is_empty(config->root_dir)) {
        const bool has_home = machine->home != NULL && !is_empty(machine->home);
        derive_text(config, report, &config->root_dir, "%s/jingu", has_home ? machine->home : ".");
    }
    if (is_empty(config->data_dir)) {
        derive_text(config, report, &config->data_dir, "%s/data", config->root_dir);
    }
}

/* Where nothing was said, a door without a lock opens to this machine only (design 9). */
static void derive_door(struct config_address *address, bool has_lock, uint16_t port)
{
    if (!address->is_set) {
        *address = (struct config_address){
            .host = has_lock ? "0.0.0.0" : "127.0.0.1", .port = port, .is_set = true};
    }
}

static void check_doors(struct config *config, struct config_report *report)
{
    const bool has_token = !is_empty(config->manager_token);
    derive_door(&config->http_addr, has_token, 5001);
    config->is_manager_addr_given = config->manager_addr.is_set;
    derive_door(&config->manager_addr, has_token, 5300);
    config->manager_addr.is_set = config->is_manager_on;
    if (!has_token && !config_address_is_loopback(&config->http_addr)) {
        config_warning(report, place_of(config, "httpAddr"),
                       "httpAddr is open to others and managerToken is not set: "
                       "whoever reaches it may do everything");
    }
    if (!config->is_token_required && !config_address_is_loopback(&config->tcp_addr)) {
        config_warning(report, place_of(config, "tokenAuthOn"),
                       "tokenAuthOn is off: anybody may log in as any user");
    }
}

/* A user that nobody can be is a mistake that locks somebody out (configuration 12). */
static void check_users(const struct config *config, struct config_report *report)
{
    const struct config_place place = place_of(config, "auth.users");
    for (uint32_t i = 0; i < config->manager_users.count; i++) {
        struct api_user user;
        if (api_user_parse(bytes_of_string(config->manager_users.items[i]), &user) != ERR_OK) {
            config_fault(report, place,
                         "item %u of auth.users is not name:password:* or "
                         "name:password:[resource:actions,...]",
                         i + 1);
        } else if (bytes_equal(user.name, bytes_of_string(config->manager_uid))) {
            config_fault(report, place,
                         "item %u of auth.users has the name of managerUID, who has all rights and "
                         "no password",
                         i + 1);
        }
    }
}

/* A mistyped name switches an event off without a word (configuration 9). */
static void check_events(const struct config *config, struct config_report *report)
{
    static const char *const events[] = {"msg.notify", "msg.offline", "user.onlinestatus"};
    for (uint32_t i = 0; i < config->webhook_events.count; i++) {
        const char *name = config->webhook_events.items[i];
        bool is_known = false;
        for (size_t event = 0; event < COUNT_OF(events); event++) {
            is_known = is_known || strcmp(name, events[event]) == 0;
        }
        if (!is_known) {
            config_warning(report, place_of(config, "webhook.focusEvents"),
                           "webhook.focusEvents: there is no event \"%s\"", name);
        }
    }
}

/* An address that nothing can be posted to: events would wait for it until they are too old.
 * Without a scheme it is one of http. It may have a password and is not shown. */
static void check_url(const struct config *config, const char *key, const char *url,
                      struct config_report *report)
{
    static const char *const schemes[] = {"http://", "https://"};
    const char *host = url;
    for (size_t i = 0; i < COUNT_OF(schemes) && host == url; i++) {
        const size_t size = strlen(schemes[i]);
        host = strncasecmp(url, schemes[i], size) == 0 ? url + size : url;
    }
    const bool has_host = strchr("/?#:", host[0]) == NULL; /* not the end either */
    const bool is_other = strstr(host, "://") != NULL && strchr(host, '?') == NULL;
    if (!is_empty(url) && (!has_host || is_other || strpbrk(url, " \t\r\n") != NULL)) {
        config_warning(report, place_of(config, key),
                       "%s is no address of the form http://host:port/path", key);
    }
}

static void check_urls(const struct config *config, struct config_report *report)
{
    check_url(config, "webhook.httpAddr", config->webhook_http_addr, report);
    check_url(config, "agent.webhook.httpAddr", config->agent_webhook_http_addr, report);
    check_url(config, "datasource.addr", config->datasource_addr, report);
}

/* A text that every command to people would carry where the id of a channel stands. */
static void check_names(const struct config *config, struct config_report *report)
{
    if (strlen(config->online_command_channel_id) > NAME_BYTES_MAX) {
        config_fault(report, place_of(config, "channel.onlineCmdChannelId"),
                     "channel.onlineCmdChannelId is longer than %u bytes",
                     (unsigned)NAME_BYTES_MAX);
    }
}

static bool is_pair(const char *cert_file, const char *key_file, const char *section,
                    struct config_report *report)
{
    if (is_empty(cert_file) != is_empty(key_file)) {
        config_fault(report, (struct config_place){0},
                     "%s.certFile and %s.keyFile belong together; one is missing", section,
                     section);
    }
    return !is_empty(cert_file) && !is_empty(key_file);
}

static void check_tls(struct config *config, struct config_report *report)
{
    const bool has_wss = is_pair(config->wss_cert_file, config->wss_key_file, "wssConfig", report);
    bool has_tls = is_pair(config->tls_cert_file, config->tls_key_file, "tlsConfig", report);
    if (!has_tls && has_wss) {
        config->tls_cert_file = config->wss_cert_file;
        config->tls_key_file = config->wss_key_file;
        has_tls = true;
    }
    if (config->tls_addr.is_set && !has_tls) {
        config_fault(
            report, place_of(config, "tlsAddr"),
            "tlsAddr needs tlsConfig.certFile and tlsConfig.keyFile (or those of wssConfig)");
    }
    if (config->wss_addr.is_set && !has_wss) {
        /* WuKongIM opens the port and fails every handshake; the file must still start here. */
        config_warning(
            report, place_of(config, "wssAddr"),
            "wssAddr is not opened: wssConfig.certFile and wssConfig.keyFile are not set");
        config->wss_addr.is_set = false;
    }
}

/* The rule for the address is in configuration 5. */
static void derive_external(struct config *config, const struct config_machine *machine,
                            struct config_report *report)
{
    if (is_empty(config->external_ip) && machine->private_ip != NULL) {
        derive_text(config, report, &config->external_ip, "%s", machine->private_ip);
    }
    const char *ip = config->external_ip;
    const bool has_colon = strchr(ip, ':') != NULL && ip[0] != '[';
    const char *left = has_colon ? "[" : "";
    const char *right = has_colon ? "]" : "";
    if (is_empty(config->external_tcp_addr)) {
        derive_text(config, report, &config->external_tcp_addr, "%s%s%s:%u", left, ip, right,
                    config->tcp_addr.port);
    }
    if (is_empty(config->external_ws_addr)) {
        derive_text(config, report, &config->external_ws_addr, "ws://%s%s%s:%u", left, ip, right,
                    config->ws_addr.port);
    }
    if (is_empty(config->external_wss_addr) && config->wss_addr.is_set) {
        derive_text(config, report, &config->external_wss_addr, "wss://%s%s%s:%u", left, ip, right,
                    config->wss_addr.port);
    }
    if (is_empty(config->external_manager_addr)) {
        derive_text(config, report, &config->external_manager_addr, "%s%s%s:%u", left, ip, right,
                    config->manager_addr.port);
    }
    if (is_empty(config->external_api_url)) {
        derive_text(config, report, &config->external_api_url, "http://%s%s%s:%u", left, ip, right,
                    config->http_addr.port);
    }
}

static void derive_resources(struct config *config, const struct config_machine *machine,
                             struct config_report *report)
{
    if (config->memory_bytes == 0) {
        const uint64_t half = machine->memory_limit_bytes / 2;
        config->memory_bytes =
            half != 0 && half < MEMORY_BYTES_DEFAULT ? half : MEMORY_BYTES_DEFAULT;
    }
    if (config->memory_bytes < MEMORY_BYTES_MIN) {
        config_fault(report, place_of(config, "memory"),
                     "memory is %llu bytes; the server needs at least %lluM",
                     (unsigned long long)config->memory_bytes,
                     (unsigned long long)(MEMORY_BYTES_MIN >> 20));
    }
    if (machine->memory_limit_bytes != 0 && config->memory_bytes > machine->memory_limit_bytes) {
        config_fault(report, place_of(config, "memory"),
                     "memory is %lluM, but the control group allows %lluM",
                     (unsigned long long)(config->memory_bytes >> 20),
                     (unsigned long long)(machine->memory_limit_bytes >> 20));
    }
    if (config->shards_count == 0) { /* one core is for the committer and RocksDB (ADR 13) */
        const uint32_t shards = machine->cores_count > 1 ? machine->cores_count - 1 : 1;
        config->shards_count = shards < SHARDS_COUNT_MAX ? shards : SHARDS_COUNT_MAX;
    }
}

enum err config_derive(struct config *config, const struct config_machine *machine,
                       struct config_report *report)
{
    const uint32_t faults_before = report->faults_count;
    derive_directories(config, machine, report);
    check_doors(config, report);
    check_users(config, report);
    check_events(config, report);
    check_urls(config, report);
    check_names(config, report);
    check_tls(config, report);
    derive_external(config, machine, report);
    derive_resources(config, machine, report);
    return report->faults_count == faults_before ? ERR_OK : ERR_PROTOCOL;
}

enum err config_read_file(const char *path, uint8_t *area, struct bytes *out_text)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return errno == ENOENT || errno == ENOTDIR ? ERR_ABSENT : ERR_IO;
    }
    errno = 0;
    const size_t size = fread(area, 1, CONFIG_FILE_BYTES_MAX + 1, file);
    const bool is_broken = ferror(file) != 0;
    const int why = errno;
    fclose(file);
    if (is_broken) {
        errno = why;
        return ERR_IO;
    }
    if (size > CONFIG_FILE_BYTES_MAX) {
        return ERR_LIMIT;
    }
    *out_text = (struct bytes){.data = area, .size = size};
    return ERR_OK;
}

const char *config_read_fault(enum err err)
{
    if (err == ERR_ABSENT) {
        return "it does not exist";
    }
    return err == ERR_LIMIT ? "it is too large" : strerrordesc_np(errno);
}

enum log_level config_log_level(const struct config *config)
{
    switch (config->log_level_number) {
    case 1:
        return LOG_LEVEL_DEBUG;
    case 2:
        return LOG_LEVEL_INFO;
    case 3:
        return LOG_LEVEL_WARN;
    case 4:
        return LOG_LEVEL_ERROR;
    default:
        return config->mode == CONFIG_MODE_DEBUG ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    }
}

bool config_address_is_loopback(const struct config_address *address)
{
    struct address parsed;
    return address->is_set && address_resolve(address->host, address->port, &parsed) == ERR_OK &&
           address_is_loopback(&parsed);
}
