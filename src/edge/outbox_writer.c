#include "edge/outbox_writer.h"

#include "base/assert.h"

#define RETRY_NS         1000000000u
#define RECORD_BYTES_MAX 192u /* of one, besides its strings */

void outbox_office_init(struct outbox_office *office)
{
    office->epoch = 1;
    office->entries_away = 0;
    office->bytes = 0;
    list_init(&office->writers);
}

void outbox_writer_init(struct outbox_writer *writer, struct outbox_office *office)
{
    *writer = (struct outbox_writer){.office = office};
    entry_init(&writer->entry, office->budget);
}

void outbox_writer_deinit(struct outbox_writer *writer)
{
    ASSERT(!writer->is_away || list_is_linked(&writer->waiting));
    if (writer->is_away) {
        list_remove(&writer->waiting); /* the journal has refused it to the end */
    }
    entry_deinit(&writer->entry);
}

static enum err writer_add(struct outbox_writer *writer, const struct record *record)
{
    ASSERT(!writer->is_away);
    const size_t size = record_size_max(record);
    struct entry *entry = &writer->entry;
    const bool is_reserved = entry->capacity - entry->size >= size;
    const enum err err = is_reserved ? ERR_OK : entry_reserve(entry, size);
    if (err == ERR_OK) {
        entry_add(entry, record);
    }
    return err;
}

enum err outbox_writer_reserve(struct outbox_writer *writer, uint32_t count, size_t bytes)
{
    ASSERT(!writer->is_away);
    return entry_reserve(&writer->entry, count * RECORD_BYTES_MAX + bytes);
}

enum err outbox_writer_put(struct outbox_writer *writer, const struct outbox_key *key,
                           const struct outbox_row *row)
{
    const struct record record = {
        .kind = RECORD_OUTBOX_PUT,
        .outbox = {.key = *key, .made = row},
    };
    return writer_add(writer, &record);
}

enum err outbox_writer_drop(struct outbox_writer *writer, const struct outbox_key *key,
                            uint64_t cost)
{
    const struct record record = {.kind = RECORD_OUTBOX_DROP, .outbox = {.key = *key}};
    const enum err err = writer_add(writer, &record);
    writer->bytes_dropped += err == ERR_OK ? cost : 0;
    return err;
}

void outbox_writer_forget(struct outbox_writer *writer)
{
    ASSERT(!writer->is_away);
    entry_clear(&writer->entry);
    writer->bytes_dropped = 0;
}

void outbox_writer_rest(struct outbox_writer *writer)
{
    if (!writer->is_away && writer->entry.size == 0) {
        entry_deinit(&writer->entry);
        entry_init(&writer->entry, writer->office->budget);
    }
}

static void entry_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct entry *entry = CONTAINER_OF(letter, struct entry, letter);
    struct outbox_writer *writer = CONTAINER_OF(entry, struct outbox_writer, entry);
    struct outbox_office *office = writer->office;
    office->entries_away--;
    if (entry->result != ERR_OK) {
        /* By journal.h (3) what was appended in this epoch is refused as well. */
        office->epoch += entry->epoch == office->epoch ? 1 : 0;
        writer->retry_at_ns = office->now_ns + RETRY_NS;
        list_push_back(&office->writers, &writer->waiting);
        return;
    }
    office->bytes += entry->outbox_bytes;
    office->bytes -= office->bytes > writer->bytes_dropped ? writer->bytes_dropped : office->bytes;
    entry_clear(entry);
    writer->bytes_dropped = 0;
    writer->is_away = false;
    writer->done(writer);
}

static void writer_append(struct outbox_writer *writer)
{
    struct outbox_office *office = writer->office;
    struct entry *entry = &writer->entry;
    entry->letter.receive = entry_comes_home;
    entry->home = office->mailbox;
    entry->shard = JOURNAL_WRITER_WEBHOOK;
    entry->epoch = office->epoch;
    office->entries_away++;
    journal_append(office->journal, office->mailer, entry);
}

void outbox_writer_send(struct outbox_writer *writer)
{
    ASSERT(!writer->is_away);
    writer->is_away = true;
    writer_append(writer);
}

uint64_t outbox_office_run(struct outbox_office *office)
{
    while (!list_is_empty(&office->writers)) {
        struct outbox_writer *writer =
            CONTAINER_OF(office->writers.next, struct outbox_writer, waiting);
        if (writer->retry_at_ns > office->now_ns) {
            return writer->retry_at_ns;
        }
        list_remove(&writer->waiting);
        writer_append(writer);
    }
    return UINT64_MAX;
}
