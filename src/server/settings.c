#include "server/settings.h"

#include "base/assert.h"
#include "server/capacity.h"
#include "system/clock.h"
#include "system/crypto.h"

#include <stdatomic.h>

void settings_draw(struct settings_secrets *secrets)
{
    crypto_random((uint8_t *)&secrets->hash_key, sizeof(secrets->hash_key));
    crypto_random(secrets->jwt, sizeof(secrets->jwt));
}

/* ---- Making them. ---- */

static void make_access(struct settings *settings, const struct config *config,
                        const struct settings_secrets *secrets)
{
    struct api_access *access = &settings->access;
    *access = (struct api_access){
        .manager_uid = bytes_of_string(config->manager_uid),
        .jwt_secret = bytes_of_string(config->jwt_secret),
        .jwt_issuer = bytes_of_string(config->jwt_issuer),
        .jwt_expire_ms = config->jwt_expire_ms,
    };
    api_access_set_token(access, bytes_of_string(config->manager_token));
    if (access->jwt_secret.size == 0) {
        access->jwt_secret = (struct bytes){.data = secrets->jwt, .size = sizeof(secrets->jwt)};
    }
    for (uint32_t i = 0; i < config->manager_users.count; i++) {
        const enum err err = api_user_parse(bytes_of_string(config->manager_users.items[i]),
                                            &access->users[access->users_count]);
        ASSERT(err == ERR_OK); /* config_derive has checked them */
        access->users_count++;
    }
}

static void make_chat(struct settings *settings, const struct config *config,
                      const struct capacity *capacity, const struct settings_secrets *secrets)
{
    settings->chat = (struct chat_settings){
        .is_token_required = config->is_token_required,
        .is_visitor_free = config->is_visitor_free,
        .is_person_allow_list_off = config->is_person_allow_list_off,
        .manager_uid = bytes_of_string(config->manager_uid),
        .visitor_suffix = bytes_of_string(config->visitor_suffix),
        .retry_interval_ms = (uint32_t)config->retry_interval_ms,
        .retry_scan_ms = (uint32_t)config->retry_scan_ms,
        .retry_count_max = (uint32_t)config->retry_count_max,
        .streams_bytes = capacity->streams_bytes,
        .stream_bytes_max = capacity->stream_bytes_max,
        .hash_key = secrets->hash_key,
    };
    if (settings->access.has_token) {
        settings->chat.manager_token_hash = (struct bytes){
            .data = settings->access.token_hash, .size = sizeof(settings->access.token_hash)};
    }
}

void settings_make(struct settings *settings, const struct config *config,
                   const struct capacity *capacity, const struct settings_secrets *secrets)
{
    *settings = (struct settings){.letters_away = 0};
    make_access(settings, config, secrets);
    make_chat(settings, config, capacity, secrets);
    settings->edge = (struct edge_settings){
        .is_encryption_off = config->is_encryption_off,
        .is_jsonrpc_off = config->is_jsonrpc_off,
        .idle_ms = (uint32_t)config->idle_ms,
        .node_id = config->node_id,
        .conns_max = capacity->conns_per_shard,
    };
    settings->addresses = (struct http_addresses){
        .tcp = bytes_of_string(config->external_tcp_addr),
        .ws = bytes_of_string(config->external_ws_addr),
        .wss = bytes_of_string(config->external_wss_addr),
        .intranet_tcp = bytes_of_string(config->intranet_tcp_addr),
    };
    settings->identity = (struct http_identity){
        .node_id = config->node_id,
        .version = JINGU_VERSION,
        .manager_uid = bytes_of_string(config->manager_uid),
        .manager_address = bytes_of_string(config->external_manager_addr),
        .api_url = bytes_of_string(config->external_api_url),
        .started_wall_ms = clock_wall_ms(),
    };
    settings->online_channel = bytes_of_string(config->online_command_channel_id);
    settings->webhook = (struct webhook_settings){
        .http_addr = config->webhook_http_addr,
        .agent_http_addr = config->agent_webhook_http_addr,
        .secret = bytes_of_string(config->webhook_secret),
    };
    settings->source = (struct source_settings){
        .addr = config->datasource_addr,
        .timeout_ms = (uint32_t)config->datasource_timeout_ms,
        .ttl_ms = config->datasource_ttl_ms,
        .retry_ms = config->datasource_retry_ms,
    };
}

/* ---- Handing them round. ---- */

static void take_note(struct settings *settings)
{
    atomic_fetch_sub(&settings->letters_away, 1);
}

static void shard_arrives(struct letter *letter, void *receiver)
{
    struct shard *shard = receiver;
    struct settings *settings = CONTAINER_OF(letter, struct settings_letter, letter)->settings;
    shard->chat->settings = &settings->chat;
    shard->edge->settings = &settings->edge;
    take_note(settings);
}

static void http_arrives(struct letter *letter, void *receiver)
{
    struct http *http = receiver;
    struct settings *settings = CONTAINER_OF(letter, struct settings_letter, letter)->settings;
    struct http_identity *identity = &http->options.identity;
    http->options.access = settings->access;
    http->options.addresses = settings->addresses;
    /* The rest of it is as it was at the start, and readers look at it. */
    identity->manager_uid = settings->identity.manager_uid;
    identity->manager_address = settings->identity.manager_address;
    identity->api_url = settings->identity.api_url;
    http->options.online_channel = settings->online_channel;
    take_note(settings);
}

static void source_arrives(struct letter *letter, void *receiver)
{
    struct settings *settings = CONTAINER_OF(letter, struct settings_letter, letter)->settings;
    source_take_settings(receiver, &settings->source);
    take_note(settings);
}

static void webhook_arrives(struct letter *letter, void *receiver)
{
    struct settings *settings = CONTAINER_OF(letter, struct settings_letter, letter)->settings;
    webhook_take_settings(receiver, &settings->webhook);
    take_note(settings);
}

static void post(struct settings *settings, uint32_t index, struct mailbox *mailbox,
                 letter_fn *receive)
{
    struct settings_letter *letter = &settings->letters[index];
    *letter = (struct settings_letter){.letter = {.receive = receive}, .settings = settings};
    mailbox_post(mailbox, &letter->letter);
}

void settings_hand_round(struct settings *settings, const struct settings_readers *readers)
{
    const uint32_t has_source = readers->source != NULL ? 1 : 0;
    const uint32_t has_webhook = readers->webhook != NULL ? 1 : 0;
    ASSERT(readers->shards_count <= SHARDS_MAX);
    atomic_store(&settings->letters_away, readers->shards_count + 1 + has_source + has_webhook);
    for (uint32_t i = 0; i < readers->shards_count; i++) {
        post(settings, i, &readers->shards[i]->mailbox, shard_arrives);
    }
    post(settings, SHARDS_MAX, &readers->http->mailbox, http_arrives);
    if (readers->source != NULL) {
        post(settings, SHARDS_MAX + 1, &readers->source->mailbox, source_arrives);
    }
    if (readers->webhook != NULL) {
        post(settings, SHARDS_MAX + 2, &readers->webhook->mailbox, webhook_arrives);
    }
}

bool settings_are_everywhere(const struct settings *settings)
{
    return atomic_load(&settings->letters_away) == 0;
}
