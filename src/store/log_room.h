/*
 * log_room.h -- room at the end of the write-ahead log, so that a sync only overwrites.
 *
 * RocksDB lets the log grow with each commit. A sync then has to put the file's new size
 * on the disk as well, which on a journalling file system is a second write, by another
 * thread, behind whatever else the file system has to do at that moment: files that
 * compactions make and remove, other programs. A sync of bytes that were there before is
 * one write and waits for nobody.
 *
 * So zeros are put at the end of the newest log file before a commit that would not fit,
 * some hundreds of kilobytes at a time, and RocksDB writes over them; it knows its place
 * in the file, and cuts the file there when it closes it. After a crash the zeros are
 * still there; RocksDB and wal_check.h take zeros for the end.
 *
 * Promises:
 *   (1) nothing that RocksDB wrote is overwritten: zeros are only ever added behind the
 *       end of the file, wherever that is at the moment of adding;
 *   (2) what goes wrong costs speed and nothing else.
 *
 * What a power cut leaves of the one commit that was being synced may be any of its parts,
 * as always; so no commit may begin before the one before it is on the disk, not even one
 * that nobody waits for (sends.c), or an intact one might be found behind a torn one.
 *
 * Private to the store layer; for the thread that commits.
 */
#pragma once

#include <stdint.h>

#define LOG_ROOM_BYTES (256u * 1024u) /* added at once: room for some hundred commits */

/* Private to log_room.c. */
struct log_room {
    const char *path;        /* the database's; borrowed */
    int directory_fd;        /* or -1: there is never room */
    uint64_t directory_time; /* of its last change that we have looked at */
    uint64_t number;         /* of the log file; 0: none */
    int fd;                  /* or -1 */
    uint64_t left_bytes;     /* that RocksDB can overwrite, if nobody else writes */
};

void log_room_open(struct log_room *room, const char *path);
void log_room_close(struct log_room *room);

/* A commit of `bytes` follows. */
void log_room_make(struct log_room *room, uint64_t bytes);
