/*
 * wal_check.h -- tells a torn tail of the write-ahead log from a hole in it.
 *
 * Whatever ends a process or a machine in the middle of a write leaves a last record that
 * is cut, torn or zeroed; nobody was promised what it holds, and dropping it is right. A
 * damaged record that intact ones follow is something else: with a sync before each
 * answer, the writer only went on after that record was safe. RocksDB cannot tell the
 * two apart, or drops what follows without a word (engine.c has the choice of its modes). So we
 * read the log before RocksDB does.
 *
 * The format, as RocksDB documents it: blocks of 32 KiB; in them records
 * crc u32 | size u16 | type u8 | payload, little-endian, the crc (a rotated CRC-32C)
 * over type and payload; types 1 whole, 2 first, 3 middle, 4 last; a block's last six
 * bytes or less are zeros. Joined, they make a write batch: sequence u64 | count u32 | …,
 * and the next batch's sequence is this one's plus its count.
 *
 * Promises:
 *   (1) damage is reported if and only if RocksDB would stop or go wrong there;
 *   (2) "proven" only if a batch begins, intact and with a later sequence, behind it;
 *   (3) damage that an earlier opening has passed already (the next file goes on with the
 *       sequence of the damaged record) is none.
 *
 * Private to the store layer; for the thread that opens, while nobody writes.
 */
#pragma once

#include "base/err.h"
#include "store/store.h"

struct wal_report {
    bool is_damaged;
    bool is_loss_proven;    /* intact records lie behind the damage */
    uint64_t file_number;   /* NNNNNN.log */
    uint64_t file_last;     /* the last file that was read */
    uint64_t offset;        /* of the damaged record in that file */
    uint64_t dropped_bytes; /* from the damage on, in all files; zeros at the end do not count */
};

/* Reads all of the log of the database in the directory `path`. ERR_IO: cannot be read;
 * ERR_LIMIT: too many files. */
MUST_USE enum err wal_check(const char *path, struct wal_report *out_report,
                            struct store_fault *out_fault);

/* Takes the damage away, and all that is behind it, when RocksDB has opened and has what is before
 * it in tables: the next records go to a new file, and with the damage in front of them they might
 * look like intact ones behind a hole. RocksDB goes first, since it may refuse (its tables are
 * ahead of the damage), and then nothing may be missing. Files are cut from the last to the
 * damaged one: an end in between leaves the damage, and less behind it. */
MUST_USE enum err wal_cut(const char *path, const struct wal_report *report,
                          struct store_fault *out_fault);

/* Makes sure that RocksDB stops at the damage: it takes zeros for room that was reserved, and does
 * not miss whole records, and would go on behind either. Overwrites only bytes of the damage. */
MUST_USE enum err wal_mark_end(const char *path, const struct wal_report *report,
                               struct store_fault *out_fault);
