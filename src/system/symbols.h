/*
 * symbols.h -- the names of functions in this process, for profiles that others read.
 *
 * The program's own, also those that no other file sees, come from the symbol table
 * of its file, which is mapped while it is asked; a library's from what it exports.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Private to symbols.c. */
struct symbols {
    const uint8_t *file; /* mapped */
    size_t file_size;
    const void *table; /* of Elf64_Sym; NULL: the program was stripped */
    size_t table_count;
    const char *names;
    size_t names_size;
    uintptr_t base; /* where the program lies */
};

/* Without a symbol table it finds exported names only. */
void symbols_open(struct symbols *symbols);
void symbols_close(struct symbols *symbols);

/* The function that an address lies in, or NULL. Valid until symbols_close. */
const char *symbols_find(const struct symbols *symbols, uintptr_t address);
