#include "system/symbols.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first object that the loader tells of is the program. */
static int take_base(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    uintptr_t *base = context;
    *base = info->dlpi_addr;
    return 1;
}

/* A part of the file, or NULL if it does not lie in it. */
static const void *part_of(const struct symbols *symbols, uint64_t offset, uint64_t size)
{
    const bool is_inside = offset <= symbols->file_size && size <= symbols->file_size - offset;
    return is_inside ? symbols->file + offset : NULL;
}

static void find_table(struct symbols *symbols)
{
    const Elf64_Ehdr *head = part_of(symbols, 0, sizeof(*head));
    if (head == NULL || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
        head->e_ident[EI_CLASS] != ELFCLASS64) {
        return;
    }
    const Elf64_Shdr *sections =
        part_of(symbols, head->e_shoff, (uint64_t)head->e_shnum * sizeof(*sections));
    for (size_t i = 0; sections != NULL && i < head->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB || sections[i].sh_link >= head->e_shnum) {
            continue;
        }
        const Elf64_Shdr *names = &sections[sections[i].sh_link];
        symbols->table = part_of(symbols, sections[i].sh_offset, sections[i].sh_size);
        symbols->table_count = sections[i].sh_size / sizeof(Elf64_Sym);
        symbols->names = part_of(symbols, names->sh_offset, names->sh_size);
        symbols->names_size = names->sh_size;
        if (symbols->names == NULL || symbols->names_size == 0 ||
            symbols->names[symbols->names_size - 1] != '\0') {
            symbols->table = NULL;
        }
        return;
    }
}

void symbols_open(struct symbols *symbols)
{
    *symbols = (struct symbols){.file = NULL};
    dl_iterate_phdr(take_base, &symbols->base);
    const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0) {
        return;
    }
    if (fstat(fd, &status) == 0 && status.st_size > 0) {
        void *file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (file != MAP_FAILED) {
            symbols->file = file;
            symbols->file_size = (size_t)status.st_size;
            find_table(symbols);
        }
    }
    close(fd);
}

void symbols_close(struct symbols *symbols)
{
    if (symbols->file != NULL) {
        munmap((void *)(uintptr_t)symbols->file, symbols->file_size);
    }
    *symbols = (struct symbols){.file = NULL};
}

const char *symbols_find(const struct symbols *symbols, uintptr_t address)
{
    const Elf64_Sym *table = symbols->table;
    for (size_t i = 0; table != NULL && i < symbols->table_count; i++) {
        const bool is_function = ELF64_ST_TYPE(table[i].st_info) == STT_FUNC;
        if (is_function && address - symbols->base - table[i].st_value < table[i].st_size &&
            table[i].st_name < symbols->names_size) {
            return symbols->names + table[i].st_name;
        }
    }
    Dl_info info;
    return dladdr((void *)address, &info) != 0 ? info.dli_sname
                                               : NULL; /* NOLINT(performance-no-int-to-ptr) */
}
