/* Any bytes as an entry of the journal: what decodes is encoded, and is the same bytes again. */
#include "base/assert.h"
#include "journal/record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bytes encode(const struct record *record, uint8_t *area, size_t size)
{
    struct writer writer = writer_of(area, size);
    record_encode(record, &writer);
    ASSERT(!writer.is_full);
    return writer_bytes(&writer);
}

static void check_round_trip(const struct record *record)
{
    const size_t size = record_size_max(record);
    uint8_t *area = malloc(size);
    uint8_t *again = malloc(size);
    ASSERT(area != NULL);
    ASSERT(again != NULL);
    const struct bytes encoded = encode(record, area, size);
    struct reader reader = reader_of(encoded);
    struct record second;
    const enum err err = record_decode(&reader, &second);
    ASSERT(err == ERR_OK);
    ASSERT(reader_left(&reader) == 0);
    ASSERT(second.kind == record->kind);
    ASSERT(record_size_max(&second) == size);
    ASSERT(bytes_equal(encode(&second, again, size), encoded));
    free(area);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader reader = reader_of((struct bytes){.data = data, .size = size});
    while (reader_left(&reader) > 0) {
        const size_t left = reader_left(&reader);
        struct record record;
        if (record_decode(&reader, &record) != ERR_OK) {
            return 0;
        }
        ASSERT(reader_left(&reader) < left);
        check_round_trip(&record);
    }
    return 0;
}
