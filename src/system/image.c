#include "system/image.h"

#include "system/file.h"

#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* One walk over all pieces; they are numbered in the order of the loader's list. */
struct walk {
    uintptr_t page;
    uint64_t resident_bytes;
    uint32_t first; /* of those that are given back, and behind the last */
    uint32_t end;
    uint32_t piece; /* that comes next */
    bool is_enough;
};

static uintptr_t at_most(uintptr_t a, uintptr_t b)
{
    return a < b ? a : b;
}

static void give_back_piece(struct walk *walk, uintptr_t begin, uintptr_t end)
{
    if (walk->piece >= walk->first && walk->piece < walk->end && !walk->is_enough) {
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): the loader gives addresses as numbers */
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
        walk->is_enough = file_resident_bytes() <= walk->resident_bytes;
        walk->first = walk->piece + 1;
    }
    walk->piece++;
}

/* Whole pages of segments that nobody may write to. What the loader has changed in a library before
 * it was made read-only lies in segments that may be written. The loader lets nobody load or unload
 * anything meanwhile. */
static int visit_object(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    struct walk *walk = context;
    for (uint32_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0) {
            continue;
        }
        const uintptr_t at = info->dlpi_addr + segment->p_vaddr;
        const uintptr_t end = (at + segment->p_filesz) / walk->page * walk->page;
        uintptr_t begin = (at + walk->page - 1) / walk->page * walk->page;
        for (; begin < end; begin += IMAGE_PIECE_BYTES) {
            give_back_piece(walk, begin, at_most(begin + IMAGE_PIECE_BYTES, end));
        }
    }
    return 0;
}

void image_give_back(uint64_t resident_bytes, uint32_t *inout_piece)
{
    struct walk walk = {
        .page = (uintptr_t)sysconf(_SC_PAGESIZE),
        .resident_bytes = resident_bytes,
        .first = *inout_piece,
        .end = UINT32_MAX,
    };
    if (file_is_traced()) {
        return;
    }
    (void)dl_iterate_phdr(visit_object, &walk);
    if (!walk.is_enough) { /* those before the first */
        walk.first = 0;
        walk.end = *inout_piece;
        walk.piece = 0;
        (void)dl_iterate_phdr(visit_object, &walk);
    }
    *inout_piece = walk.first;
}
