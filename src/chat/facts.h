/*
 * facts.h -- what must be known of a sender to decide whether he may send, and who decides.
 *
 * The facts of a sender in a channel are read from the lists. The channel itself
 * keeps those of two senders, which is all that a pair has; those of more are kept in a
 * small table, which forgets by being overwritten. They are true as long as the
 * channel's member version is the one they were read under.
 */
#pragma once

#include "base/bytes.h"
#include "chat/names.h"
#include "store/read.h"

struct channel;
struct chat;
struct send;

struct facts {
    bool is_subscriber;
    bool is_denied;
    bool is_allowed;
    bool has_allow_list;   /* one with anybody on it; known of a member who is on no other list */
    bool is_stranger_free; /* pair: the receiver takes strangers */
};

/* Of one sender, in the channel. */
struct facts_kept {
    uint64_t sender_hash;
    uint32_t version; /* 0: empty */
    struct facts facts;
};

#define FACTS_KEPT 2

#define FACTS_SLOTS 2048 /* a power of two: 64 KiB a shard */

struct facts_slot {
    uint64_t channel_hash;
    uint64_t sender_hash;
    uint32_t version; /* 0: empty */
    struct facts facts;
};

/* Private to facts.c. */
struct facts_cache {
    struct facts_slot *slots;
};

/* What is asked for; self-contained, so that a reader thread can work on it. */
struct facts_question {
    struct store *store;
    struct channel_ref ref; /* of the channel; number 0: not stored */
    struct bytes sender;
    struct bytes receiver; /* pair: whose lists are asked; empty: the channel's own */
};

/* Reads the facts. ERR_AGAIN: not with STORE_CACHED_ONLY. */
MUST_USE enum err facts_read(const struct facts_question *question, enum store_wait wait,
                             struct facts *out_facts);

/* True and sets `out_facts`, if they are known. */
bool facts_find(const struct facts_cache *cache, const struct channel *channel,
                uint64_t sender_hash, struct facts *out_facts);
void facts_keep(struct facts_cache *cache, struct channel *channel, uint64_t sender_hash,
                uint32_t version, const struct facts *facts);

/* Can this send be decided without facts? Then sets the reason (semantics 2.6, checks 4 to 12 and
 * P1; disband is checked for every type). */
bool permission_is_plain(struct chat *chat, const struct channel *channel, const struct send *send,
                         enum chat_reason *out_reason);

/* Decides by the facts (semantics 2.6, P2, P3 and C1 to C3). */
enum chat_reason permission_by_facts(const struct chat *chat, const struct channel *channel,
                                     const struct facts *facts);
