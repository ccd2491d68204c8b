#include "system/cut.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum err cut_keep(const char *path, const char *kept)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return errno == ENOENT ? ERR_OK : ERR_IO; /* gone already */
    }
    if (status.st_nlink > 1 || link(path, kept) == 0) {
        return ERR_OK;
    }
    return errno == EEXIST || errno == ENOENT ? ERR_OK : ERR_IO;
}

enum err cut_piece(const char *kept, uint64_t piece_bytes, uint64_t *out_left)
{
    struct stat status;
    if (stat(kept, &status) != 0) {
        return ERR_IO;
    }
    if (status.st_nlink > 1) {
        return ERR_AGAIN;
    }
    const uint64_t size = (uint64_t)status.st_size;
    *out_left = size > piece_bytes ? size - piece_bytes : 0;
    const int result = *out_left > 0 ? truncate(kept, (off_t)*out_left) : unlink(kept);
    return result == 0 ? ERR_OK : ERR_IO;
}

uint64_t cut_waiting_bytes(const char *kept)
{
    struct stat status;
    if (stat(kept, &status) != 0 || status.st_nlink > 1) {
        return 0;
    }
    return (uint64_t)status.st_size;
}
