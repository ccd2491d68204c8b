/*
 * image.h -- the pages of the program and its libraries, which are pages of files.
 *
 * A page of code counts as resident once it has been used, for as long as the process
 * lives. Giving such pages back costs nothing but a short fault when one is used again:
 * the system has them in its cache of files, and may drop them from there when it needs
 * the memory for others, which it does less readily while they count as in use.
 *
 * Only what can never have been written to is given back. A breakpoint that a debugger
 * has set is a written page and would be lost, so nothing is given back under one.
 *
 * Any thread.
 */
#pragma once

#include <stdint.h>

#define IMAGE_PIECE_BYTES 262144u

/* Gives back code and constants of what is loaded, piece after piece, until no more than
 * `resident_bytes` of the process are resident or there is no more. Begins with `*inout_piece` and
 * leaves the next one there, so that pieces that come back at once do not always go first. */
void image_give_back(uint64_t resident_bytes, uint32_t *inout_piece);
