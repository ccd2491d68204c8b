#include "model/payload.h"

#include "support/test.h"

static uint8_t filler(uint32_t serial, size_t place)
{
    return (uint8_t)(serial * 31u + place * 7u);
}

void payload_write(uint32_t serial, uint8_t *area, size_t size)
{
    CHECK(size >= PAYLOAD_BYTES_MIN);
    struct writer writer = writer_of(area, size);
    writer_decimal(&writer, serial);
    writer_u8(&writer, ':');
    for (size_t i = writer_size(&writer); i < size; i++) {
        writer_u8(&writer, filler(serial, i));
    }
    CHECK(!writer.is_full);
}

uint32_t payload_read(struct bytes payload)
{
    uint32_t serial = 0;
    size_t i = 0;
    while (i < payload.size && payload.data[i] != ':') {
        serial = serial * 10 + (uint32_t)(payload.data[i] - '0');
        i++;
    }
    CHECK(i < payload.size);
    for (i++; i < payload.size; i++) {
        CHECK_EQ(payload.data[i], filler(serial, i));
    }
    return serial;
}
