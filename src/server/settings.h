/*
 * settings.h -- what the operator decided, in the form that the shards and the API read it.
 *
 * Settings never change; a reload makes new ones and hands them round (docs/adr/0021). Each
 * thread goes over to them by itself when the letter comes to it, between two things it does, so
 * that nothing is read half old and half new and nothing is locked. The old ones, and the
 * configuration they borrow their texts from, may go when all have answered.
 *
 * What sizes tables or has been built upon (memory, shards, directories, ports, the key of the
 * hashes) is the same in all settings of a run.
 *
 * Made by the main thread.
 */
#pragma once

#include "chat/chat.h"
#include "edge/edge.h"
#include "edge/http.h"
#include "edge/source.h"
#include "edge/webhook.h"
#include "server/config.h"

struct capacity;
struct node;

#define SETTINGS_JWT_SECRET_BYTES 32

/* What is drawn once for the life of the process. */
struct settings_secrets {
    struct hash_key hash_key;
    uint8_t jwt[SETTINGS_JWT_SECRET_BYTES]; /* when none is configured */
};

struct settings;

/* To one shard, to the HTTP thread, or to another. Private to settings.c. */
struct settings_letter {
    struct letter letter;
    struct settings *settings;
};

struct settings {
    struct chat_settings chat;
    struct edge_settings edge;
    struct api_access access;
    struct http_addresses addresses;
    struct http_identity identity;
    struct bytes online_channel; /* channel.onlineCmdChannelId */
    struct source_settings source;
    struct webhook_settings webhook;

    /* Private to settings.c. */
    _Atomic uint32_t letters_away;
    struct settings_letter letters[SHARDS_MAX + 3];
};

void settings_draw(struct settings_secrets *secrets);

/* Everything is borrowed from `config` and `secrets`, for as long as anybody reads the settings. */
void settings_make(struct settings *settings, const struct config *config,
                   const struct capacity *capacity, const struct settings_secrets *secrets);

/* Who goes by settings. */
struct settings_readers {
    struct shard *const *shards;
    uint32_t shards_count;
    struct http *http;
    struct source *source;   /* NULL: there is none, or it is not to be told */
    struct webhook *webhook; /* likewise */
};

void settings_hand_round(struct settings *settings, const struct settings_readers *readers);

/* Has everybody gone over to them? */
bool settings_are_everywhere(const struct settings *settings);
