/*
 * model.h -- what a chat server is, written down plainly: names, lists, logs, who may send, who
 * gets it.
 *
 * Nothing here is fast, and nothing is taken from src/chat but the words of its interface: arrays
 * that are searched from the beginning, and the rules of semantics 2.1, 2.5 and 2.6 with the
 * deviations that docs/compatibility.md names. Of what happens at the same time, or is refused by
 * a failing disk, the model does not know what becomes of it: it keeps every state that is
 * possible, until the store is asked.
 */
#pragma once

#include "chat/names.h"
#include "memory/budget.h"
#include "store/row.h"

#include <stdbool.h>
#include <stdint.h>

/* Everybody there is. A set of them is a number with a bit for each. */
#define PEOPLE_COUNT  16u /* 0 to 15 */
#define UID_VISITOR   16u /* and the next */
#define UID_AGENT     18u /* and the next */
#define UID_MANAGER   20u
#define UID_SYSTEM    21u /* ____system, which never logs in */
#define UIDS_COUNT    22u
#define UID_NONE      255u
#define CROWD_COUNT   1400u /* members of one group who are never there */
#define FLAGS_COUNT   3u    /* classes of devices */
#define CHANNELS_MAX  1024u
#define STATES_MAX    128u
#define ROWS_MAX      32u
#define SENDS_MAX     60000u
#define STEP_FOR_EVER UINT32_MAX

/* The record and the lists of a channel. */
struct lists {
    bool is_stored;
    bool has_crowd; /* among the subscribers */
    uint32_t flags;
    uint32_t members[LIST_ALLOW + 1]; /* sets, by enum list_kind */
};

/* Something that is true from the turn in which it may have begun to that in which it surely
 * ended. */
struct lists_span {
    struct lists lists;
    uint32_t begin_step;
    uint32_t end_step;
};

struct device {
    bool is_stored;
    bool has_token;
    uint8_t token; /* its number */
    uint8_t level;
};

struct device_span {
    struct device device;
    uint32_t begin_step;
    uint32_t end_step;
};

struct system_span {
    uint32_t uids;
    uint32_t begin_step;
    uint32_t end_step;
};

/* A conversation row (http-api 12.1); what stands for neither is no row. */
struct row {
    bool is_listed; /* the channel is among the conversations; the next two belong to that */
    uint64_t read_seq;
    uint64_t joined_seq; /* 1 and more */
    bool gets_commands;  /* the next two belong to that */
    uint64_t command_read_seq;
    uint64_t command_end_seq; /* the last that is for him, who has left; 0: he has not */
};

/* What it may be. */
struct rows {
    uint32_t count;
    struct row rows[ROWS_MAX];
};

/* What was asked for with one send; its number is the index. */
struct asked {
    uint32_t channel; /* its number */
    enum log_kind log;
    uint8_t from;
    uint8_t flags;
    uint8_t setting;
    bool is_privileged;
    uint32_t expire_s;
    uint32_t client_msg_no; /* 0: none */
    uint32_t payload_size;
    uint32_t recipients; /* an explicit set instead of the members; 0: none */
    uint32_t origin;     /* the serial of its connection; 0: none */
};

struct message {
    uint32_t serial;
    uint64_t message_id;
    uint32_t timestamp_s;
    uint32_t round; /* in which it was sent */
    uint32_t must;  /* who has to get it if he was there all the time */
    uint32_t may;   /* who may get it */
};

struct log {
    struct message *messages; /* [seq - 1] */
    uint32_t count;
    uint32_t capacity;
};

struct model_channel {
    uint8_t type;
    uint16_t id_size;
    uint8_t id[NAME_PAIR_BYTES_MAX];
    uint8_t pair[2]; /* the two uids of a person or agent channel, or UID_NONE */
    struct lists now;
    uint32_t states_count; /* what it may be at this point of a round; one at its end */
    struct lists states[STATES_MAX];
    uint32_t spans_count;
    struct lists_span spans[STATES_MAX];
    struct log logs[LOG_KINDS_COUNT];
    struct rows rows[UIDS_COUNT];
    uint64_t acknowledged_seq[UIDS_COUNT]; /* the last command that a master device has */
    bool is_changed;                       /* in this round: lists or rows */
};

struct model {
    struct budget budget;
    bool is_person_allow_list_off;
    uint32_t channels_count;
    struct model_channel channels[CHANNELS_MAX];
    uint32_t system; /* who is a system account, besides ____system */
    uint32_t system_spans_count;
    struct system_span system_spans[STATES_MAX];
    struct device devices[UIDS_COUNT][FLAGS_COUNT];
    uint32_t device_spans_count[UIDS_COUNT][FLAGS_COUNT];
    struct device_span device_spans[UIDS_COUNT][FLAGS_COUNT][STATES_MAX];
    bool is_user[UIDS_COUNT]; /* has a row of his own */
    uint32_t asked_count;     /* the first is never used */
    struct asked asked[SENDS_MAX];
};

static inline bool set_has(uint32_t set, uint8_t uid)
{
    return uid < UIDS_COUNT && (set >> uid & 1) != 0;
}

/* The words that numbers stand for; the bytes are valid for ever. */
struct bytes name_of_uid(uint8_t uid);
struct bytes name_of_crowd(uint32_t index);
/* UID_NONE: nobody. */
uint8_t uid_of_name(struct bytes name);
#define TEXT_BYTES_MAX 32
struct bytes text_of_number(char area[TEXT_BYTES_MAX], const char *beginning, uint32_t number);

void hash_of_token(uint8_t token, uint8_t hash[STORE_TOKEN_HASH_BYTES]);

/* `model` is zeroed. */
void model_begin(struct model *model);
void model_end(struct model *model);

/* The channel of this type that `uid` means by `id`, made if it is new. NULL: that is no id. */
struct model_channel *model_channel_meant(struct model *model, uint8_t uid, uint8_t type,
                                          struct bytes id);

/* The channel with this internal name, made if it is new. */
struct model_channel *model_channel(struct model *model, uint8_t type, struct bytes id);
struct channel_name model_channel_name(const struct model_channel *channel);
uint32_t model_channel_number(const struct model *model, const struct model_channel *channel);

/* The channel that holds a person's record and lists. */
struct model_channel *model_person(struct model *model, uint8_t uid);

/* What somebody sees as the id of the channel that a message came in (semantics 1.10). */
struct bytes model_channel_seen(const struct model_channel *channel, uint8_t from, uint8_t uid);

/* Who gets the messages (semantics 2.1). */
uint32_t model_members(const struct model_channel *channel, const struct lists *lists);

/* Everything that the answer to a send depends on. */
struct question {
    const struct model *model;
    const struct model_channel *channel;
    const struct asked *asked;
    const struct lists *lists;    /* of the channel */
    const struct lists *receiver; /* of the other one of a pair */
    uint32_t system;              /* the system accounts */
};

/* Semantics 2.6. */
enum chat_reason model_judge(const struct question *question);

/* Whose lists are asked about a message in a person channel. */
uint8_t model_receiver(const struct model_channel *channel, uint8_t from);

/* The message that was stored for the same sender and number before; NULL: none. */
const struct message *model_first(const struct model *model, const struct log *log,
                                  const struct asked *asked);

/* Puts a message behind the log. */
struct message *model_append(struct model *model, struct log *log, const struct message *message);

/* What a change does to a conversation row (semantics 2.5, 5.1). */
enum row_effect {
    ROW_STAYS = 0,
    ROW_OVERWRITTEN, /* but for the commands of who gets them already */
    ROW_IF_ABSENT,
    ROW_COMMANDS_IF_ABSENT,
    ROW_HIDDEN, /* but for the commands */
    ROW_ENDS,   /* but for the commands that he has not read */
};

/* Does it to everything that the rows may be. Unless it is certain, they may stay as they are. */
void rows_change(struct rows *rows, enum row_effect effect, const struct row *row, bool is_certain);
bool row_equal(const struct row *a, const struct row *b);

/* May this have become of the row, when commands up to `acknowledged_seq` were acknowledged one by
 * one (semantics 4.4.5)? The position only advances; a row that ended goes with its last command.
 */
bool row_may_become(const struct row *before, const struct row *after, uint64_t acknowledged_seq);
