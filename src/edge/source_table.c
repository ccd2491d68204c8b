#include "edge/source_table.h"

#include "base/assert.h"
#include "memory/allocator.h"

#define TABLE_BYTES ((size_t)SOURCE_TABLE_ROWS * SOURCE_TABLE_WAYS * sizeof(struct source_entry))

enum err source_table_init(struct source_table *table, struct budget *budget)
{
    *table = (struct source_table){.budget = budget};
    table->entries = memory_acquire_zeroed(budget, MEMORY_RANK_DELIVER, TABLE_BYTES);
    return table->entries != NULL ? ERR_OK : ERR_BUDGET;
}

void source_table_deinit(struct source_table *table)
{
    memory_release(table->budget, table->entries, TABLE_BYTES);
    table->entries = NULL;
}

static struct source_entry *row_of(const struct source_table *table, uint64_t hash)
{
    return &table->entries[(hash & (SOURCE_TABLE_ROWS - 1)) * SOURCE_TABLE_WAYS];
}

const struct source_entry *source_table_find(const struct source_table *table, uint64_t hash)
{
    const struct source_entry *row = row_of(table, hash);
    for (uint32_t i = 0; i < SOURCE_TABLE_WAYS; i++) {
        if (row[i].at_ns > 0 && row[i].hash == hash) {
            return &row[i];
        }
    }
    return NULL;
}

void source_table_put(struct source_table *table, uint64_t hash, uint64_t at_ns, bool is_good)
{
    ASSERT(at_ns > 0);
    struct source_entry *row = row_of(table, hash);
    struct source_entry *place = row;
    for (uint32_t i = 0; i < SOURCE_TABLE_WAYS; i++) {
        if (row[i].at_ns > 0 && row[i].hash == hash) {
            place = &row[i];
            break;
        }
        place = row[i].at_ns < place->at_ns ? &row[i] : place;
    }
    *place = (struct source_entry){.hash = hash, .at_ns = at_ns, .is_good = is_good};
}
