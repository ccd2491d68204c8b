#include "chat/names.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/utf8.h"

bool name_is_special(struct bytes name)
{
    return bytes_contain(name, '@') || bytes_contain(name, '#') || bytes_contain(name, '&');
}

/* The blanks of Unicode beyond ASCII, in UTF-8: U+0085, U+00A0, U+1680, U+2000 to U+200A, U+2028,
 * U+2029, U+202F, U+205F, U+3000. */
static const char *const wide_blanks[] = {
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
    "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
    "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
    "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
};

/* The size of the blank at the start of some text, or 0. */
static size_t blank_size(struct bytes text)
{
    const uint8_t first = text.data[0];
    if (first < 0x80) {
        return first == ' ' || (first >= '\t' && first <= '\r') ? 1 : 0;
    }
    if (first != 0xc2 && (first < 0xe1 || first > 0xe3)) {
        return 0; /* most scripts end here */
    }
    for (size_t i = 0; i < COUNT_OF(wide_blanks); i++) {
        const struct bytes blank = bytes_of_string(wide_blanks[i]);
        if (bytes_begin_with(text, blank)) {
            return blank.size;
        }
    }
    return 0;
}

bool name_is_blank(struct bytes name)
{
    while (name.size > 0) {
        const size_t size = blank_size(name);
        if (size == 0) {
            return false;
        }
        name = bytes_skip(name, size);
    }
    return true;
}

static bool name_has_control(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] < 0x20 || name.data[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

bool name_is_plain(struct bytes name)
{
    return name.size <= NAME_BYTES_MAX && !name_is_blank(name) && !name_is_special(name) &&
           !name_has_control(name) && utf8_is_valid(name);
}

static size_t name_join(struct bytes first, struct bytes second, uint8_t *area)
{
    ASSERT(first.size + second.size < NAME_PAIR_BYTES_MAX);
    struct writer writer = writer_of(area, NAME_PAIR_BYTES_MAX);
    writer_bytes_add(&writer, first);
    writer_u8(&writer, '@');
    writer_bytes_add(&writer, second);
    return writer_size(&writer);
}

size_t name_pair(struct bytes uid_a, struct bytes uid_b, uint8_t *area)
{
    const uint32_t crc_a = hash_crc32(uid_a);
    const uint32_t crc_b = hash_crc32(uid_b);
    const bool is_a_first = crc_a != crc_b ? crc_a > crc_b : bytes_compare(uid_a, uid_b) > 0;
    return is_a_first ? name_join(uid_a, uid_b, area) : name_join(uid_b, uid_a, area);
}

enum err name_split_pair(struct bytes pair, struct bytes *out_first, struct bytes *out_second)
{
    const uint8_t *at = pair.size > 0 ? memchr(pair.data, '@', pair.size) : NULL;
    if (at == NULL) {
        return ERR_PROTOCOL;
    }
    const struct bytes first = {.data = pair.data, .size = (size_t)(at - pair.data)};
    const struct bytes second = bytes_skip(pair, first.size + 1);
    if (bytes_contain(second, '@')) {
        return ERR_PROTOCOL;
    }
    *out_first = first;
    *out_second = second;
    return ERR_OK;
}

/* `user@agent`. Either may be the sender: the user writes to the bare agent uid; who gives the full
 * id is taken at his word if he is one of the two (semantics 2.1, remark 2). */
static enum err name_internal_agent(struct bytes uid, struct bytes channel_id, uint8_t *area,
                                    struct bytes *out_internal)
{
    struct bytes user;
    struct bytes agent;
    if (name_split_pair(channel_id, &user, &agent) != ERR_OK) {
        if (!name_is_plain(channel_id)) {
            return ERR_PROTOCOL;
        }
        *out_internal = (struct bytes){.data = area, .size = name_join(uid, channel_id, area)};
        return ERR_OK;
    }
    if (!name_is_plain(user) || !name_is_plain(agent)) {
        return ERR_PROTOCOL;
    }
    memcpy(area, channel_id.data, channel_id.size);
    *out_internal = (struct bytes){.data = area, .size = channel_id.size};
    return ERR_OK;
}

enum err name_internal(struct bytes uid, struct bytes channel_id, uint8_t type, uint8_t *area,
                       struct bytes *out_internal)
{
    if (bytes_end_with(channel_id, NAME_COMMAND_SUFFIX)) {
        return ERR_PROTOCOL; /* webhooks and some answers show command logs so */
    }
    if (type == CHANNEL_AGENT) {
        return name_internal_agent(uid, channel_id, area, out_internal);
    }
    if (type == CHANNEL_PERSON) {
        if (!name_is_plain(channel_id)) {
            return ERR_PROTOCOL;
        }
        *out_internal = (struct bytes){.data = area, .size = name_pair(uid, channel_id, area)};
        return ERR_OK;
    }
    /* A community topic is `parent@topic` by convention (semantics 2.1). */
    const bool is_plain = type == CHANNEL_COMMUNITY_TOPIC
                              ? channel_id.size <= NAME_BYTES_MAX && !name_is_blank(channel_id) &&
                                    utf8_is_valid(channel_id)
                              : name_is_plain(channel_id);
    if (!is_plain) {
        return ERR_PROTOCOL;
    }
    memcpy(area, channel_id.data, channel_id.size);
    *out_internal = (struct bytes){.data = area, .size = channel_id.size};
    return ERR_OK;
}

struct bytes name_visitor(struct bytes internal_id, uint8_t type)
{
    if (type == CHANNEL_VISITORS) {
        return internal_id;
    }
    if (type != CHANNEL_CUSTOMER_SERVICE || !bytes_contain(internal_id, '|')) {
        return BYTES_EMPTY;
    }
    const uint8_t *bar = memchr(internal_id.data, '|', internal_id.size);
    return (struct bytes){.data = internal_id.data, .size = (size_t)(bar - internal_id.data)};
}

struct bytes name_as_seen(struct bytes internal_id, uint8_t type, struct bytes uid)
{
    struct bytes first;
    struct bytes second;
    if (!channel_type_is_pair(type) || name_split_pair(internal_id, &first, &second) != ERR_OK) {
        return internal_id;
    }
    if (type == CHANNEL_AGENT) {
        return second;
    }
    return bytes_equal(first, uid) ? second : first;
}
