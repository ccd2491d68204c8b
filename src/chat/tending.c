#include "chat/tending.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "memory/allocator.h"

struct tending {
    struct reading reading;
    struct chat *chat;
    struct channel *channel;
    struct log_ref log;
};

static void tending_run(struct reading *reading)
{
    const struct tending *tending = CONTAINER_OF(reading, struct tending, reading);
    ERR_IGNORE(store_tend_sends(tending->chat->store, tending->log),
               "searches read the chunks, which say the same, and commits tell of the disk");
}

static void tending_arrives(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct reading *reading = CONTAINER_OF(letter, struct reading, letter);
    struct tending *tending = CONTAINER_OF(reading, struct tending, reading);
    struct channel *channel = tending->channel;
    memory_release(&chat->readings_budget, tending, sizeof(*tending));
    channel->readings--;
    channel_advance(chat, channel); /* a stale one waits until nothing is being read for it */
}

void tending_begin(struct chat *chat, struct channel *channel, struct log_ref log)
{
    ASSERT(shard_is_current(chat->shard));
    struct tending *tending =
        memory_acquire(&chat->readings_budget, MEMORY_RANK_CACHE, sizeof(*tending));
    if (tending == NULL) {
        return;
    }
    *tending = (struct tending){
        .reading = {.letter = {.receive = tending_arrives},
                    .run = tending_run,
                    .home = &chat->shard->mailbox},
        .chat = chat,
        .channel = channel,
        .log = log,
    };
    channel->readings++;
    readers_ask(chat->readers, &tending->reading);
}
