/*
 * script.h -- random commands against a server, in rounds, and what is known of them.
 *
 * A round asks for some things without waiting for each other, with turns of shards between them;
 * then the server settles (or is ended), and everything that was answered, delivered and stored is
 * compared with the model. One number decides all that is random.
 */
#pragma once

#include "chat/change.h"
#include "chat/device.h"
#include "chat/send.h"
#include "chat/system_accounts.h"
#include "model/model.h"
#include "model/world.h"

#define TASKS_MAX       160u
#define WINDOW_MAX      640u
#define WINDOW_ACKED    400u /* a client with more than this acknowledges */
#define RETRY_MS        2000u
#define RETRY_SCAN_MS   700u
#define RETRY_COUNT_MAX 3u
#define DEVICES_COUNT   4u /* device ids in use */
#define TOKENS_COUNT    3u
#define BIG_GROUP       BYTES_OF("big")

enum task_kind {
    TASK_SEND = 0,
    TASK_CHANGE,
    TASK_DEVICE,
    TASK_SYSTEM,
    TASK_LOGIN,
};

/* Something that was asked for in this round. */
struct task {
    struct script *script;
    enum task_kind kind;
    bool is_home;
    uint32_t posted_step;
    uint32_t home_step;
    uint32_t home_place; /* among all that came home in this round */

    /* A send. */
    uint32_t serial;
    bool is_alone;    /* its connection had no other under way; see shard/intake.h */
    bool is_resolved; /* what became of it is known */
    bool is_taken;    /* it was stored, and was not before */
    bool is_mute;     /* refused at the door, because the sender is mute */
    enum chat_reason reason;
    uint64_t message_id;
    uint64_t seq;
    uint32_t must; /* one that is not stored: who has to get it */
    uint32_t may;

    /* A change of a channel, of a device, of the system accounts. */
    struct send *send;
    struct change *change;
    struct device_change *device_change;
    struct system_change *system_change;
    enum err result;
    uint32_t channel;
    uint32_t uids; /* a set */
    bool is_crowd;
    struct bytes uid_names[UIDS_COUNT];
    enum change_kind change_kind;
    enum list_kind list;
    bool is_reset;
    uint32_t flags;
    uint8_t uid;
    int16_t device_flag;
    uint8_t token;
    uint8_t level;
    bool is_quit;
    bool is_removal;

    /* A login: what was asked is in uid, device_flag, token. */
    bool has_token;
    struct connection *connection;
    uint32_t connection_serial;
};

/* What a client has got and not acknowledged. */
struct window_entry {
    uint64_t message_id;
    uint32_t channel;     /* its number */
    uint64_t command_seq; /* 0: it is no command */
    uint64_t sent_ms;
    uint32_t sends;
};

/* How far a session has been looked at in one log. */
struct seen_log {
    uint32_t seq;
    bool is_begun; /* it has got something of it */
};

/* What is remembered of a connection to check it. */
struct seen {
    struct seen_log logs[CHANNELS_MAX][LOG_KINDS_COUNT];
    uint32_t window_count;
    struct window_entry window[WINDOW_MAX];
    uint8_t habit; /* of acknowledging */
};

struct script {
    struct prng prng;
    struct world world;
    struct model model;
    struct store *store; /* that tells what has happened: the world's, or a copy that was left */
    char parent[SNAPSHOT_PATH_MAX];
    char path[SNAPSHOT_PATH_MAX];
    uint32_t openings;
    bool is_shards_count_fixed;

    uint32_t commands;
    uint32_t round;
    uint32_t tasks_count;
    struct task tasks[TASKS_MAX];
    uint32_t home_count;
    bool is_troubled; /* something was made to fail in this round */
    bool is_cut_off;  /* the server has ended: what it does now nobody sees */
    uint64_t wall_min_ms;
    uint64_t wall_max_ms;

    struct seen seen[WORLD_SHARDS_MAX][CONNECTIONS_MAX];

    /* How much was seen, to know that the test tests something. */
    struct {
        uint64_t stored;
        uint64_t repeated;
        uint64_t passed;
        uint64_t refused[256];
        uint64_t receipts;
        uint64_t resends;
        uint64_t caught_up;
        uint64_t logins;
        uint64_t kicks;
        uint64_t drops;
        uint64_t crashes;
        uint64_t restarts;
        uint64_t failures;
        uint64_t lost_in_flight;
        uint64_t kept_in_flight;
        uint64_t recovery_ms_max;
    } counts;
};

/* The whole test: so many commands with these shards (0: another number at each start). */
void script_run(struct script *script, uint64_t seed, uint32_t shards_count, uint32_t commands);

/* ---- Between the files of this test. ---- */

/* commands.c: does one command, or asks for it. */
void command_any(struct script *script);
/* The commands that a round or its end needs. */
void command_login(struct script *script);
void command_probe(struct script *script);
void command_change(struct script *script);
void command_crowd(struct script *script);
void command_tokens(struct script *script, uint8_t uid);
void command_close_all(struct script *script);
struct connection *command_find_live(struct script *script, uint8_t uid);

/* resolve.c: brings the model to what has happened in this round. */
void resolve_round(struct script *script);
/* settle.c: is everything that is stored as the model has it? */
void resolve_check_all(struct script *script);

/* deliveries.c: what clients have got. */
void deliveries_on_push(void *context, struct connection *connection, const struct push *push,
                        struct receipt *out_receipt);
void deliveries_on_login(void *context, struct connection *connection);
void deliveries_check(struct script *script);
/* Nobody waits for a resend that should have come. */
void deliveries_check_resends(struct script *script);
/* A client acknowledges what it got. */
void deliveries_acknowledge(struct script *script, struct connection *connection,
                            const struct window_entry *entry);
struct seen *deliveries_seen(struct script *script, const struct connection *connection);
/* A connection is new: nothing of what is in the logs is meant for it. */
void deliveries_begin(struct script *script, struct connection *connection);
