#include "system/image.h"

#include "system/file.h"

#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static uintptr_t round_up(uintptr_t address, uintptr_t page)
{
    return (address + page - 1) / page * page;
}

/* Whole pages of segments that nobody may write to. What the loader has changed in a library before
 * it was made read-only lies in segments that may be written. The loader lets nobody load or unload
 * anything meanwhile. */
static int give_back(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    const uintptr_t page = *(const uintptr_t *)context;
    for (uint32_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0) {
            continue;
        }
        const uintptr_t at = info->dlpi_addr + segment->p_vaddr;
        const uintptr_t begin = round_up(at, page);
        const uintptr_t end = (at + segment->p_filesz) / page * page;
        if (begin < end) {
            /* NOLINTNEXTLINE(performance-no-int-to-ptr): the loader gives addresses as numbers */
            (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
        }
    }
    return 0;
}

void image_give_back(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    if (!file_is_traced()) {
        (void)dl_iterate_phdr(give_back, &page);
    }
}
