#include "edge/forerunner.h"

#include "base/assert.h"
#include "store/log_end.h"

#include <stdatomic.h>

static bool visit(void *context, struct channel_name channel, const struct directory_row *row)
{
    (void)channel;
    struct forerunner *forerunner = context;
    if ((row->flags & DIRECTORY_FLAG_CHAT) == 0 || row->channel.number == 0) {
        return true;
    }
    const struct log_ref log = {.channel = row->channel, .kind = LOG_CHAT};
    if (store_knows_log_end(forerunner->store, log)) {
        return ++forerunner->known < FORERUNNER_KNOWN;
    }
    forerunner->known = 0;
    atomic_fetch_add_explicit(&forerunner->searches_count, 1, memory_order_relaxed);
    struct log_end end;
    return store_log_end(forerunner->store, log, &end) == ERR_OK &&
           ++forerunner->searched < forerunner->searches_max &&
           readers_waiting(forerunner->readers) == 0;
}

static void run(struct reading *reading)
{
    struct forerunner *forerunner = CONTAINER_OF(reading, struct forerunner, reading);
    const struct directory_page page = {
        .uid = {.data = forerunner->uid, .size = forerunner->uid_size},
        .is_descending = true,
        .count_max = UINT32_MAX,
        .visit = visit,
        .context = forerunner,
    };
    ERR_IGNORE(store_read_directory(forerunner->store, STORE_MAY_BLOCK, &page),
               "the list meets the same fault, and says so");
}

static void comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct reading *reading = CONTAINER_OF(letter, struct reading, letter);
    struct forerunner *forerunner = CONTAINER_OF(reading, struct forerunner, reading);
    atomic_store(&forerunner->is_away, false);
}

void forerunner_init(struct forerunner *forerunner, struct store *store, struct readers *readers,
                     struct mailbox *home, uint32_t searches_max)
{
    *forerunner = (struct forerunner){
        .reading = {.letter = {.receive = comes_home}, .run = run, .home = home},
        .store = store,
        .readers = readers,
        .searches_max = searches_max,
    };
}

void forerunner_start(struct forerunner *forerunner, struct bytes uid)
{
    ASSERT(uid.size <= sizeof(forerunner->uid));
    if (atomic_exchange(&forerunner->is_away, true)) {
        return;
    }
    forerunner->searched = 0;
    forerunner->known = 0;
    forerunner->uid_size = (uint16_t)uid.size;
    memcpy(forerunner->uid, uid.data, uid.size);
    readers_ask(forerunner->readers, &forerunner->reading);
}

bool forerunner_is_away(const struct forerunner *forerunner)
{
    return atomic_load(&forerunner->is_away);
}

uint64_t forerunner_searches(const struct forerunner *forerunner)
{
    return atomic_load_explicit(&forerunner->searches_count, memory_order_relaxed);
}
