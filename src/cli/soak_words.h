/*
 * soak_words.h -- the beginnings of conversations that an attack breaks off or falsifies.
 *
 * Each writes into a writer and says true things only: what follows is the caller's.
 */
#pragma once

#include "base/bytes.h"

/* A request for an upgrade to WebSocket, whole. */
void soak_words_upgrade(struct writer *writer);

/* The header of a binary frame that declares `size` bytes, with the mask that changes nothing. */
void soak_words_frame(struct writer *writer, uint64_t size);

/* A CONNECT of that user. */
void soak_words_connect(struct writer *writer, const char *uid);

/* The fixed header of a packet: type and flags, and a remaining length of up to four bytes. */
void soak_words_packet(struct writer *writer, uint8_t type_and_flags, uint32_t length);

/* The beginning of a TLS ClientHello that declares more than there is. */
void soak_words_client_hello(struct writer *writer);

/* A whole ClientHello of TLS 1.3, whose key belongs to nobody: the handshake cannot go on. */
void soak_words_client_hello_whole(struct writer *writer);

/* The head of a POST with that declared length of body. */
void soak_words_post(struct writer *writer, const char *path, uint64_t length);
