#include "wire/websocket.h"

#include "wire/base64.h"
#include "wire/writer_room.h"

#define HEADER_FINAL    0x80u
#define HEADER_RESERVED 0x70u
#define HEADER_OPCODE   0x0fu
#define HEADER_MASKED   0x80u
#define HEADER_LENGTH   0x7fu
#define LENGTH_16       126u
#define LENGTH_64       127u

/* ---- Heads: a first line and header fields, ending in an empty line. ---- */

struct head_field {
    struct bytes name;
    struct bytes value; /* without blanks around it */
};

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

/* `word` is in lower case. */
static bool equal_fold(struct bytes text, struct bytes word)
{
    if (text.size != word.size) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (lower(text.data[i]) != word.data[i]) {
            return false;
        }
    }
    return true;
}

static struct bytes trim(struct bytes text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = bytes_skip(text, 1);
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

/* Is `word`, in lower case, one of the words between the commas of `list`? */
static bool list_has(struct bytes list, struct bytes word)
{
    while (list.size > 0) {
        const uint8_t *comma = memchr(list.data, ',', list.size);
        const size_t size = comma == NULL ? list.size : (size_t)(comma - list.data);
        if (equal_fold(trim((struct bytes){.data = list.data, .size = size}), word)) {
            return true;
        }
        list = bytes_skip(list, comma == NULL ? size : size + 1);
    }
    return false;
}

/* Finds the end of the head, the empty line included. ERR_PROTOCOL as soon as the first bytes are
 * not `begin`: whoever speaks something else is not waited for. */
static enum err head_size(struct bytes input, struct bytes begin, size_t *out_size)
{
    const struct bytes seen = {.data = input.data,
                               .size = input.size < begin.size ? input.size : begin.size};
    if (!bytes_begin_with(begin, seen)) {
        return ERR_PROTOCOL;
    }
    const size_t limit =
        input.size < WEBSOCKET_HEAD_BYTES_MAX ? input.size : WEBSOCKET_HEAD_BYTES_MAX;
    const uint8_t *end = limit == 0 ? NULL : memmem(input.data, limit, "\r\n\r\n", 4);
    if (end != NULL) {
        *out_size = (size_t)(end - input.data) + 4;
        return ERR_OK;
    }
    return input.size < WEBSOCKET_HEAD_BYTES_MAX ? ERR_AGAIN : ERR_LIMIT;
}

/* Takes a line off the front of `head`, which ends in CR LF. ERR_PROTOCOL: it has a control
 * character. */
static enum err head_line(struct bytes *head, struct bytes *out_line)
{
    const uint8_t *end = memmem(head->data, head->size, "\r\n", 2);
    if (end == NULL) {
        return ERR_PROTOCOL;
    }
    const struct bytes line = {.data = head->data, .size = (size_t)(end - head->data)};
    for (size_t i = 0; i < line.size; i++) {
        const uint8_t byte = line.data[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            return ERR_PROTOCOL;
        }
    }
    *head = bytes_skip(*head, line.size + 2);
    *out_line = line;
    return ERR_OK;
}

static bool name_is_token(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        const uint8_t byte = name.data[i];
        const bool is_letter = lower(byte) >= 'a' && lower(byte) <= 'z';
        const bool is_digit = byte >= '0' && byte <= '9';
        if (!is_letter && !is_digit && !bytes_contain(BYTES_OF("!#$%&'*+-.^_`|~"), byte)) {
            return false;
        }
    }
    return name.size > 0;
}

/* Splits a line into name and value; a continued line has no name and is refused. */
static enum err field_decode(struct bytes line, struct head_field *out_field)
{
    const uint8_t *colon = line.size == 0 ? NULL : memchr(line.data, ':', line.size);
    if (colon == NULL) {
        return ERR_PROTOCOL;
    }
    const struct bytes name = {.data = line.data, .size = (size_t)(colon - line.data)};
    if (!name_is_token(name)) {
        return ERR_PROTOCOL;
    }
    *out_field = (struct head_field){
        .name = name,
        .value = trim(bytes_skip(line, name.size + 1)),
    };
    return ERR_OK;
}

/* What the fields of a head say, in either direction. */
struct head_facts {
    uint32_t hosts_count;
    uint32_t keys_count;
    uint32_t versions_count;
    uint32_t accepts_count;
    bool is_upgrade;    /* Upgrade: websocket */
    bool is_connection; /* Connection: ..., upgrade, ... */
    bool is_version_13;
    struct bytes key;
    struct bytes accept;
    struct bytes forwarded_for;
    struct bytes real_ip;
    struct bytes real_port;
};

static void facts_add(struct head_facts *facts, const struct head_field *field)
{
    const struct bytes name = field->name;
    if (equal_fold(name, BYTES_OF("host"))) {
        facts->hosts_count++;
    } else if (equal_fold(name, BYTES_OF("upgrade"))) {
        facts->is_upgrade |= list_has(field->value, BYTES_OF("websocket"));
    } else if (equal_fold(name, BYTES_OF("connection"))) {
        facts->is_connection |= list_has(field->value, BYTES_OF("upgrade"));
    } else if (equal_fold(name, BYTES_OF("sec-websocket-version"))) {
        facts->versions_count++;
        facts->is_version_13 = bytes_equal(field->value, BYTES_OF("13"));
    } else if (equal_fold(name, BYTES_OF("sec-websocket-key"))) {
        facts->keys_count++;
        facts->key = field->value;
    } else if (equal_fold(name, BYTES_OF("sec-websocket-accept"))) {
        facts->accepts_count++;
        facts->accept = field->value;
    } else if (equal_fold(name, BYTES_OF("x-forwarded-for"))) {
        facts->forwarded_for = field->value;
    } else if (equal_fold(name, BYTES_OF("x-real-ip"))) {
        facts->real_ip = field->value;
    } else if (equal_fold(name, BYTES_OF("x-real-port"))) {
        facts->real_port = field->value;
    }
}

/* Reads the fields behind the first line, up to the empty line that ends the head. */
static enum err facts_decode(struct bytes head, struct head_facts *out_facts)
{
    struct head_facts facts = {0};
    for (;;) {
        struct bytes line;
        struct head_field field;
        enum err err = head_line(&head, &line);
        if (err != ERR_OK) {
            return err;
        }
        if (line.size == 0) {
            *out_facts = facts;
            return ERR_OK;
        }
        err = field_decode(line, &field);
        if (err != ERR_OK) {
            return err;
        }
        facts_add(&facts, &field);
    }
}

/* ---- The upgrade. ---- */

/* `GET <path> HTTP/1.<1 or more>`. */
static bool request_line_is_good(struct bytes line)
{
    if (!bytes_begin_with(line, BYTES_OF("GET "))) {
        return false;
    }
    line = bytes_skip(line, 4);
    const uint8_t *blank = line.size == 0 ? NULL : memchr(line.data, ' ', line.size);
    if (blank == NULL || blank == line.data) {
        return false;
    }
    const struct bytes version = bytes_skip(line, (size_t)(blank - line.data) + 1);
    return version.size == 8 && bytes_begin_with(version, BYTES_OF("HTTP/1.")) &&
           version.data[7] >= '1' && version.data[7] <= '9';
}

enum err websocket_upgrade_decode(struct bytes input, struct websocket_upgrade *out_upgrade)
{
    size_t size = 0;
    enum err err = head_size(input, BYTES_OF("GET "), &size);
    if (err != ERR_OK) {
        return err;
    }
    struct bytes head = {.data = input.data, .size = size};
    struct bytes line;
    err = head_line(&head, &line);
    if (err != ERR_OK || !request_line_is_good(line)) {
        return ERR_PROTOCOL;
    }
    struct head_facts facts;
    err = facts_decode(head, &facts);
    if (err != ERR_OK) {
        return err;
    }
    if (facts.hosts_count != 1 || !facts.is_upgrade || !facts.is_connection ||
        facts.versions_count != 1 || !facts.is_version_13 || facts.keys_count != 1 ||
        facts.key.size != WEBSOCKET_KEY_CHARS) {
        return ERR_PROTOCOL;
    }
    *out_upgrade = (struct websocket_upgrade){
        .size = size,
        .key = facts.key,
        .forwarded_for = facts.forwarded_for,
        .real_ip = facts.real_ip,
        .real_port = facts.real_port,
    };
    return ERR_OK;
}

void websocket_accept_text(const uint8_t digest[WEBSOCKET_DIGEST_BYTES],
                           uint8_t out_text[WEBSOCKET_ACCEPT_CHARS])
{
    base64_encode((struct bytes){.data = digest, .size = WEBSOCKET_DIGEST_BYTES}, out_text);
}

void websocket_accept_encode(const uint8_t digest[WEBSOCKET_DIGEST_BYTES], struct writer *writer)
{
    writer_bytes_add(writer, BYTES_OF("HTTP/1.1 101 Switching Protocols\r\n"
                                      "Upgrade: websocket\r\n"
                                      "Connection: Upgrade\r\n"
                                      "Sec-WebSocket-Accept: "));
    uint8_t *text = writer_room(writer, WEBSOCKET_ACCEPT_CHARS);
    if (text != NULL) {
        websocket_accept_text(digest, text);
    }
    writer_bytes_add(writer, BYTES_OF("\r\n\r\n"));
}

void websocket_request_encode(struct bytes host, struct bytes path, struct bytes key,
                              struct writer *writer)
{
    writer_bytes_add(writer, BYTES_OF("GET "));
    writer_bytes_add(writer, path);
    writer_bytes_add(writer, BYTES_OF(" HTTP/1.1\r\nHost: "));
    writer_bytes_add(writer, host);
    writer_bytes_add(writer, BYTES_OF("\r\nUpgrade: websocket\r\n"
                                      "Connection: Upgrade\r\n"
                                      "Sec-WebSocket-Version: 13\r\n"
                                      "Sec-WebSocket-Key: "));
    writer_bytes_add(writer, key);
    writer_bytes_add(writer, BYTES_OF("\r\n\r\n"));
}

enum err websocket_response_decode(struct bytes input, const uint8_t digest[WEBSOCKET_DIGEST_BYTES],
                                   size_t *out_size)
{
    size_t size = 0;
    enum err err = head_size(input, BYTES_OF("HTTP/1.1 101"), &size);
    if (err != ERR_OK) {
        return err;
    }
    struct bytes head = {.data = input.data, .size = size};
    struct bytes line;
    err = head_line(&head, &line);
    if (err != ERR_OK || (line.size > 12 && line.data[12] != ' ')) {
        return ERR_PROTOCOL;
    }
    struct head_facts facts;
    err = facts_decode(head, &facts);
    if (err != ERR_OK) {
        return err;
    }
    uint8_t accept[WEBSOCKET_ACCEPT_CHARS];
    websocket_accept_text(digest, accept);
    const struct bytes expected = {.data = accept, .size = sizeof(accept)};
    if (!facts.is_upgrade || !facts.is_connection || facts.accepts_count != 1 ||
        !bytes_equal(facts.accept, expected)) {
        return ERR_PROTOCOL;
    }
    *out_size = size;
    return ERR_OK;
}

/* ---- Frames. ---- */

static bool opcode_is_known(uint8_t opcode)
{
    return opcode <= WEBSOCKET_OPCODE_BINARY ||
           (opcode >= WEBSOCKET_OPCODE_CLOSE && opcode <= WEBSOCKET_OPCODE_PONG);
}

static bool opcode_is_control(uint8_t opcode)
{
    return opcode >= WEBSOCKET_OPCODE_CLOSE;
}

/* The length field, of which `size` bytes are there. */
static enum err length_decode(const uint8_t *data, size_t size, uint8_t code, uint64_t *out_length)
{
    uint64_t length = code;
    if (code == LENGTH_16) {
        if (size < 2) {
            return ERR_AGAIN;
        }
        length = bytes_u16_be(data);
        if (length < LENGTH_16) {
            return ERR_PROTOCOL;
        }
    } else if (code == LENGTH_64) {
        if (size < 8) {
            return ERR_AGAIN;
        }
        length = bytes_u64_be(data);
        if (length <= UINT16_MAX || length > INT64_MAX) {
            return ERR_PROTOCOL;
        }
    }
    *out_length = length;
    return ERR_OK;
}

enum err websocket_header_decode(struct bytes input, struct websocket_header *out_header)
{
    if (input.size == 0) {
        return ERR_AGAIN;
    }
    const uint8_t first = input.data[0];
    const uint8_t opcode = first & HEADER_OPCODE;
    const bool is_final = (first & HEADER_FINAL) != 0;
    if ((first & HEADER_RESERVED) != 0 || !opcode_is_known(opcode) ||
        (opcode_is_control(opcode) && !is_final)) {
        return ERR_PROTOCOL;
    }
    if (input.size < 2) {
        return ERR_AGAIN;
    }
    const uint8_t code = input.data[1] & HEADER_LENGTH;
    if (opcode_is_control(opcode) && code > WEBSOCKET_CONTROL_BYTES_MAX) {
        return ERR_PROTOCOL;
    }
    struct websocket_header header = {
        .opcode = opcode,
        .is_final = is_final,
        .is_masked = (input.data[1] & HEADER_MASKED) != 0,
    };
    const enum err err = length_decode(input.data + 2, input.size - 2, code, &header.payload_size);
    if (err != ERR_OK) {
        return err;
    }
    header.size = (uint8_t)websocket_header_size(header.payload_size);
    if (header.is_masked) {
        if (input.size < header.size + sizeof(header.mask)) {
            return ERR_AGAIN;
        }
        memcpy(header.mask, input.data + header.size, sizeof(header.mask));
        header.size = (uint8_t)(header.size + sizeof(header.mask));
    }
    *out_header = header;
    return ERR_OK;
}

static void header_encode(uint8_t opcode, uint64_t payload_size, uint8_t masked,
                          struct writer *writer)
{
    writer_u8(writer, (uint8_t)(HEADER_FINAL | opcode));
    if (payload_size < LENGTH_16) {
        writer_u8(writer, (uint8_t)(masked | payload_size));
    } else if (payload_size <= UINT16_MAX) {
        writer_u8(writer, (uint8_t)(masked | LENGTH_16));
        writer_u16(writer, (uint16_t)payload_size);
    } else {
        writer_u8(writer, (uint8_t)(masked | LENGTH_64));
        writer_u64(writer, payload_size);
    }
}

void websocket_header_encode(uint8_t opcode, uint64_t payload_size, struct writer *writer)
{
    header_encode(opcode, payload_size, 0, writer);
}

void websocket_masked_header_encode(uint8_t opcode, uint64_t payload_size,
                                    const uint8_t mask[WEBSOCKET_MASK_BYTES], struct writer *writer)
{
    header_encode(opcode, payload_size, HEADER_MASKED, writer);
    writer_bytes_add(writer, (struct bytes){.data = mask, .size = WEBSOCKET_MASK_BYTES});
}

/* Masks `size` bytes on their way from `source` to `target`, which may overlap if it lies before
 * or at it. */
static void mask_move(uint8_t *target, const uint8_t *source, size_t size, const uint8_t mask[8])
{
    uint64_t mask_word;
    memcpy(&mask_word, mask, sizeof(mask_word));
    size_t i = 0;
    for (; size - i >= sizeof(mask_word); i += sizeof(mask_word)) {
        uint64_t word; /* is read before anything of it is overwritten */
        memcpy(&word, source + i, sizeof(word));
        word ^= mask_word;
        memcpy(target + i, &word, sizeof(word));
    }
    for (; i < size; i++) {
        target[i] = source[i] ^ mask[i % WEBSOCKET_MASK_BYTES];
    }
}

/* The mask twice, beginning with its byte `offset`. */
static void mask_turn(const uint8_t mask[WEBSOCKET_MASK_BYTES], uint64_t offset,
                      uint8_t out_mask[8])
{
    for (size_t i = 0; i < 8; i++) {
        out_mask[i] = mask[(offset + i) % WEBSOCKET_MASK_BYTES];
    }
}

void websocket_mask(uint8_t *data, size_t size, const uint8_t mask[WEBSOCKET_MASK_BYTES],
                    uint64_t offset)
{
    uint8_t turned[8];
    mask_turn(mask, offset, turned);
    mask_move(data, data, size, turned);
}

/* ---- The stream. ---- */

/* Moves what is there of the current data frame behind the bytes produced so far. */
static void data_consume(struct websocket_state *state, uint8_t *data, size_t size,
                         struct websocket_event *event)
{
    const size_t there = size - event->consumed;
    const size_t part = state->payload_left < there ? (size_t)state->payload_left : there;
    uint8_t turned[8];
    mask_turn(state->mask, state->mask_offset, turned);
    mask_move(data + event->produced, data + event->consumed, part, turned);
    state->mask_offset = (uint8_t)((state->mask_offset + part) % WEBSOCKET_MASK_BYTES);
    state->payload_left -= part;
    event->consumed += part;
    event->produced += part;
}

/* A continuation needs a message, anything else must not be within one (RFC 6455, 5.4). */
static enum err data_begin(struct websocket_state *state, const struct websocket_header *header)
{
    const bool is_continuation = header->opcode == WEBSOCKET_OPCODE_CONTINUATION;
    if (is_continuation != state->is_in_message) {
        return ERR_PROTOCOL;
    }
    state->payload_left = header->payload_size;
    memcpy(state->mask, header->mask, sizeof(state->mask));
    state->mask_offset = 0;
    state->is_in_message = !header->is_final;
    return ERR_OK;
}

/* A close frame is empty or begins with a code that may be sent (RFC 6455, 7.4). */
static bool close_is_good(struct bytes payload)
{
    if (payload.size == 0) {
        return true;
    }
    if (payload.size == 1) {
        return false;
    }
    const uint16_t code = bytes_u16_be(payload.data);
    return (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) ||
           (code >= 3000 && code <= 4999);
}

/* A control frame is taken as a whole or not yet. */
static enum err control_consume(const struct websocket_header *header, uint8_t *data, size_t size,
                                struct websocket_event *event)
{
    const size_t frame_size = header->size + (size_t)header->payload_size;
    if (size - event->consumed < frame_size) {
        return ERR_AGAIN;
    }
    uint8_t *payload = data + event->consumed + header->size;
    websocket_mask(payload, (size_t)header->payload_size, header->mask, 0);
    event->payload = (struct bytes){.data = payload, .size = (size_t)header->payload_size};
    event->consumed += frame_size;
    event->kind = WEBSOCKET_EVENT_PONG;
    if (header->opcode == WEBSOCKET_OPCODE_PING) {
        event->kind = WEBSOCKET_EVENT_PING;
    } else if (header->opcode == WEBSOCKET_OPCODE_CLOSE) {
        event->kind = WEBSOCKET_EVENT_CLOSE;
        return close_is_good(event->payload) ? ERR_OK : ERR_PROTOCOL;
    }
    return ERR_OK;
}

HOT enum err websocket_consume(struct websocket_state *state, uint8_t *data, size_t size,
                               struct websocket_event *out_event)
{
    struct websocket_event event = {.kind = WEBSOCKET_EVENT_NONE};
    enum err err = ERR_OK;
    while (err == ERR_OK && event.kind == WEBSOCKET_EVENT_NONE) {
        if (state->payload_left > 0) {
            data_consume(state, data, size, &event);
        }
        struct websocket_header header;
        const struct bytes rest = {.data = data + event.consumed, .size = size - event.consumed};
        err = websocket_header_decode(rest, &header);
        if (err != ERR_OK) {
            break;
        }
        if (header.is_masked == state->is_client) {
            err = ERR_PROTOCOL;
        } else if (opcode_is_control(header.opcode)) {
            err = control_consume(&header, data, size, &event);
        } else {
            err = data_begin(state, &header);
            event.consumed += header.size;
        }
    }
    if (err == ERR_PROTOCOL) {
        event.kind = WEBSOCKET_EVENT_NONE;
    }
    *out_event = event;
    return err;
}
