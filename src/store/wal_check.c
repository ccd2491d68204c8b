#include "store/wal_check.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "store/engine.h"
#include "store/home.h"
#include "system/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define WAL_BLOCK_BYTES  32768u
#define WAL_HEADER_BYTES 7u
#define WAL_BATCH_BYTES  12u /* sequence and count, which every batch begins with */
#define WAL_FILES_MAX    1024u
/* A batch behind the damage counts as such only if its sequence is later by at most so much: more
 * rows do not fit into the log between two flushes. */
#define WAL_SEQUENCE_STEP_MAX (1ull << 28)

enum wal_type {
    WAL_TYPE_WHOLE = 1,
    WAL_TYPE_FIRST = 2,
    WAL_TYPE_MIDDLE = 3,
    WAL_TYPE_LAST = 4,
};

struct wal_files {
    uint64_t numbers[WAL_FILES_MAX];
    uint32_t count;
    bool has_more;
};

struct wal_record {
    uint32_t type;
    struct bytes payload;
};

/* The walk over the log. `sequence_next` is what the next batch must have; 0: anything. */
struct wal_scan {
    struct wal_report report;
    uint64_t sequence_next;
    uint64_t sequence_damaged; /* what the damaged batch had, or would have had; 0: unknown */
    uint64_t file_number;
    uint64_t block_offset; /* of the block in hand */
    bool is_file_begin;    /* no batch of this file was seen yet */
    /* The batch being joined from its records. */
    bool is_in_batch;
    uint64_t batch_offset;
    uint64_t batch_sequence;
    bool is_joined; /* of more than one record */
    uint32_t head_size;
    uint8_t head[WAL_BATCH_BYTES];
    /* The batch before it. */
    bool was_joined;
    uint64_t previous_offset;
    uint64_t previous_sequence;
};

static uint32_t u32_le(const uint8_t *data)
{
    return (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 |
           (uint32_t)data[3] << 24;
}

static uint64_t u64_le(const uint8_t *data)
{
    return u32_le(data) | (uint64_t)u32_le(data + 4) << 32;
}

static uint32_t crc_mask(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* Is there an intact record at the beginning of `bytes`? */
static bool record_read(struct bytes bytes, struct wal_record *out_record)
{
    if (bytes.size < WAL_HEADER_BYTES) {
        return false;
    }
    const uint32_t size = (uint32_t)bytes.data[4] | (uint32_t)bytes.data[5] << 8;
    const uint32_t type = bytes.data[6];
    if (type < WAL_TYPE_WHOLE || type > WAL_TYPE_LAST || WAL_HEADER_BYTES + size > bytes.size) {
        return false;
    }
    const struct bytes checked = {.data = bytes.data + 6, .size = 1 + size};
    if (crc_mask(hash_crc32c(0, checked)) != u32_le(bytes.data)) {
        return false;
    }
    out_record->type = type;
    out_record->payload = (struct bytes){.data = bytes.data + WAL_HEADER_BYTES, .size = size};
    return true;
}

static void scan_damage(struct wal_scan *scan, uint64_t offset, uint64_t sequence)
{
    scan->is_in_batch = false;
    if (scan->report.is_damaged) {
        return; /* the first damage decides */
    }
    scan->report.is_damaged = true;
    scan->report.file_number = scan->file_number;
    scan->report.offset = offset;
    scan->sequence_damaged = sequence;
}

/* At a record that cannot be read: the batch that it belongs to is damaged. */
static void scan_damage_at(struct wal_scan *scan, uint64_t offset)
{
    if (!scan->is_in_batch) {
        scan_damage(scan, offset, scan->sequence_next);
    } else if (scan->head_size == WAL_BATCH_BYTES) {
        scan_damage(scan, scan->batch_offset, scan->batch_sequence);
    } else {
        scan_damage(scan, scan->batch_offset, scan->sequence_next);
    }
}

/* Batches are missing, although each record is intact. One that was joined from several records may
 * have got its end from another. */
static void scan_hole(struct wal_scan *scan)
{
    if (scan->was_joined) {
        scan_damage(scan, scan->previous_offset, scan->previous_sequence);
    } else {
        scan_damage(scan, scan->batch_offset, scan->sequence_next);
    }
    scan->report.is_loss_proven = true;
}

/* The head of a batch is complete: is it the one that must follow? */
static void scan_batch(struct wal_scan *scan)
{
    const uint64_t sequence = u64_le(scan->head);
    const uint32_t count = u32_le(scan->head + 8);
    if (scan->report.is_damaged) {
        if (scan->is_file_begin && sequence == scan->sequence_damaged) {
            scan->report = (struct wal_report){0}; /* promise (3) */
        } else if (sequence > scan->sequence_damaged &&
                   (scan->sequence_damaged == 0 ||
                    sequence - scan->sequence_damaged < WAL_SEQUENCE_STEP_MAX)) {
            scan->report.is_loss_proven = true;
        }
    } else if (!scan->is_file_begin && sequence != scan->sequence_next) {
        scan_hole(scan);
        return;
    }
    scan->is_file_begin = false;
    scan->batch_sequence = sequence;
    scan->sequence_next = sequence + count;
}

static void scan_record(struct wal_scan *scan, uint64_t offset, const struct wal_record *record)
{
    const bool is_begin = record->type == WAL_TYPE_WHOLE || record->type == WAL_TYPE_FIRST;
    const bool is_end = record->type == WAL_TYPE_WHOLE || record->type == WAL_TYPE_LAST;
    if (is_begin == scan->is_in_batch) { /* a batch without an end, or without a beginning */
        scan_damage_at(scan, offset);
    }
    if (is_begin) {
        scan->is_in_batch = true;
        scan->is_joined = record->type == WAL_TYPE_FIRST;
        scan->batch_offset = offset;
        scan->head_size = 0;
    }
    if (!scan->is_in_batch) {
        return;
    }
    if (scan->head_size < WAL_BATCH_BYTES) {
        const size_t room = WAL_BATCH_BYTES - scan->head_size;
        const size_t size = record->payload.size < room ? record->payload.size : room;
        memcpy(scan->head + scan->head_size, record->payload.data, size);
        scan->head_size += (uint32_t)size;
        if (scan->head_size == WAL_BATCH_BYTES) {
            scan_batch(scan);
        }
    }
    if (is_end && scan->head_size < WAL_BATCH_BYTES) {
        scan_damage_at(scan, offset);
    } else if (is_end) {
        scan->is_in_batch = false;
        scan->was_joined = scan->is_joined;
        scan->previous_offset = scan->batch_offset;
        scan->previous_sequence = scan->batch_sequence;
    }
}

/* Behind a record that cannot be read its size cannot be believed either: looks at every place in
 * the rest of the block for one that begins a batch. Gives where to go on. */
static uint32_t scan_search(const struct wal_scan *scan, struct bytes block, uint32_t at)
{
    struct wal_record record;
    for (; at + WAL_HEADER_BYTES + WAL_BATCH_BYTES <= block.size; at++) {
        const uint8_t type = block.data[at + 6];
        if (type != WAL_TYPE_WHOLE && type != WAL_TYPE_FIRST) {
            continue;
        }
        if (record_read(bytes_skip(block, at), &record) && record.payload.size >= WAL_BATCH_BYTES &&
            u64_le(record.payload.data) > scan->sequence_damaged) {
            return at;
        }
    }
    return (uint32_t)block.size;
}

static void scan_block(struct wal_scan *scan, struct bytes block)
{
    uint32_t at = 0;
    while (at < block.size) {
        const uint64_t offset = scan->block_offset + at;
        struct wal_record record;
        if (block.size - at < WAL_HEADER_BYTES) {
            if (block.size < WAL_BLOCK_BYTES) {
                scan_damage_at(scan, offset); /* a header that is cut */
            }
            return;
        }
        if (record_read(bytes_skip(block, at), &record)) {
            scan_record(scan, offset, &record);
            at += WAL_HEADER_BYTES + (uint32_t)record.payload.size;
        } else {
            scan_damage_at(scan, offset);
            at = scan_search(scan, block, at + 1);
        }
    }
}

/* The size of `block` without the zeros at its end. */
static size_t size_without_zeros(struct bytes block)
{
    size_t size = block.size;
    while (size > 0 && block.data[size - 1] == 0) {
        size--;
    }
    return size;
}

/* Bytes of this file from the damage on. */
static uint64_t bytes_dropped(const struct wal_scan *scan, uint64_t file_bytes)
{
    if (!scan->report.is_damaged) {
        return 0;
    }
    const uint64_t begin = scan->report.file_number == scan->file_number ? scan->report.offset : 0;
    return file_bytes > begin ? file_bytes - begin : 0;
}

static void file_path_of(char path[HOME_PATH_BYTES_MAX], const char *directory, uint64_t number)
{
    char name[32];
    snprintf(name, sizeof(name), "%06" PRIu64 ".log", number);
    home_path(path, directory, name);
}

static enum err scan_file(struct wal_scan *scan, const char *directory, uint64_t number,
                          struct store_fault *out_fault)
{
    char path[HOME_PATH_BYTES_MAX];
    file_path_of(path, directory, number);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fault_set(out_fault, "%s: %s", path, strerror(errno));
        return ERR_IO;
    }
    scan->file_number = number;
    scan->block_offset = 0;
    scan->is_file_begin = true;
    scan->is_in_batch = false;
    uint64_t file_bytes = 0; /* up to the last that is not zero */
    uint8_t area[WAL_BLOCK_BYTES];
    for (;;) {
        const struct bytes block = {.data = area, .size = fread(area, 1, sizeof(area), file)};
        if (block.size == 0) {
            break;
        }
        scan_block(scan, block);
        const size_t size = size_without_zeros(block);
        file_bytes = size > 0 ? scan->block_offset + size : file_bytes;
        scan->block_offset += block.size;
    }
    const bool is_read = ferror(file) == 0;
    fclose(file);
    if (scan->is_in_batch) {
        scan_damage_at(scan, scan->block_offset); /* the file ends inside of a batch */
    }
    scan->report.dropped_bytes += bytes_dropped(scan, file_bytes);
    if (!is_read) {
        fault_set(out_fault, "%s: cannot be read", path);
        return ERR_IO;
    }
    return ERR_OK;
}

/* Collects the numbers of the files of the log. */
static bool collect(void *context, const char *name)
{
    struct wal_files *files = context;
    char *end = NULL;
    const uint64_t number = strtoull(name, &end, 10);
    if (end == name || strcmp(end, ".log") != 0) {
        return true;
    }
    if (files->count == WAL_FILES_MAX) {
        files->has_more = true;
        return false;
    }
    files->numbers[files->count++] = number;
    return true;
}

static int number_compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : (x > y ? 1 : 0);
}

enum err wal_check(const char *path, struct wal_report *out_report, struct store_fault *out_fault)
{
    struct wal_files files = {.count = 0};
    home_visit(path, collect, &files);
    if (files.has_more) {
        fault_set(out_fault, "%s: more than %u log files", path, WAL_FILES_MAX);
        return ERR_LIMIT;
    }
    qsort(files.numbers, files.count, sizeof(files.numbers[0]), number_compare);
    struct wal_scan scan = {.sequence_next = 0};
    for (uint32_t i = 0; i < files.count; i++) {
        const enum err err = scan_file(&scan, path, files.numbers[i], out_fault);
        if (err != ERR_OK) {
            return err;
        }
    }
    *out_report = scan.report;
    out_report->file_last = files.count > 0 ? files.numbers[files.count - 1] : 0;
    return ERR_OK;
}

enum err wal_cut(const char *path, const struct wal_report *report, struct store_fault *out_fault)
{
    ASSERT(report->is_damaged && report->file_number <= report->file_last);
    struct wal_files files = {.count = 0};
    home_visit(path, collect, &files);
    qsort(files.numbers, files.count, sizeof(files.numbers[0]), number_compare);
    for (uint32_t i = files.count; i-- > 0;) {
        const uint64_t number = files.numbers[i];
        if (number < report->file_number || number > report->file_last) {
            continue;
        }
        char file_path[HOME_PATH_BYTES_MAX];
        file_path_of(file_path, path, number);
        if (file_cut(file_path, number == report->file_number ? report->offset : 0) != ERR_OK) {
            fault_set(out_fault, "%s: cannot be cut where it is damaged: %s", file_path,
                      strerror(errno));
            return ERR_IO;
        }
    }
    return ERR_OK;
}

enum err wal_mark_end(const char *path, const struct wal_report *report,
                      struct store_fault *out_fault)
{
    ASSERT(report->is_damaged);
    char file_path[HOME_PATH_BYTES_MAX];
    file_path_of(file_path, path, report->file_number);
    FILE *file = fopen(file_path, "r+e");
    /* A header of a size that no block has. Behind the end of the file it makes no difference. */
    uint8_t header[WAL_HEADER_BYTES];
    memset(header, 0xff, sizeof(header));
    const bool is_marked = file != NULL && fseek(file, (long)report->offset, SEEK_SET) == 0 &&
                           fwrite(header, 1, sizeof(header), file) == sizeof(header);
    const bool is_closed = file != NULL && fclose(file) == 0;
    if (!is_marked || !is_closed) {
        fault_set(out_fault, "%s: cannot mark the damage: %s", file_path, strerror(errno));
        return ERR_IO;
    }
    return ERR_OK;
}
