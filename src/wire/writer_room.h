/*
 * writer_room.h -- room in a writer that is filled by something else than a writer.
 *
 * Base64, encryption and the like write through a plain pointer; this gives them
 * one into the writer's area and counts it as written.
 */
#pragma once

#include "base/bytes.h"

/* The next `size` bytes of the area, which the caller fills, or NULL: the writer is full. */
static inline uint8_t *writer_room(struct writer *writer, size_t size)
{
    if (!writer_has(writer, size)) {
        return NULL;
    }
    uint8_t *room = writer->at;
    writer->at += size;
    return room;
}
