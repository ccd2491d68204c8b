#include "edge/source_answer.h"

#include "base/assert.h"
#include "chat/names.h"
#include "memory/allocator.h"
#include "wire/json_token.h"

#include <stdlib.h>

/* The one value of a text. */
static enum err take_value(struct bytes text, struct json_token *out_token)
{
    const enum err err = json_token_take(&text, out_token);
    return err == ERR_OK && text.size == 0 ? ERR_OK : ERR_PROTOCOL;
}

/* ---- Uids. ---- */

static enum err count_uids(struct json_token list, uint32_t *out_count)
{
    struct json_token_walk walk = json_token_walk_of(list);
    struct json_token element;
    uint32_t count = 0;
    while (json_token_walk_element(&walk, &element)) {
        if (element.kind != JSON_TOKEN_STRING || count == UINT32_MAX) {
            return ERR_PROTOCOL;
        }
        count++;
    }
    *out_count = count;
    return ERR_OK;
}

/* Decodes each in its own place, which the walk has left behind. */
static enum err take_uids(struct source_uids *uids, struct json_token list)
{
    struct json_token_walk walk = json_token_walk_of(list);
    struct json_token element;
    while (json_token_walk_element(&walk, &element)) {
        uint8_t *place = (uint8_t *)(uintptr_t)element.text.data; /* the text is the caller's */
        const struct bytes uid = json_token_string(element, place);
        if (name_is_blank(uid)) {
            continue;
        }
        if (uid.size > NAME_BYTES_MAX) {
            return ERR_PROTOCOL;
        }
        ASSERT(uids->count < uids->capacity);
        uids->items[uids->count++] = uid;
    }
    return ERR_OK;
}

static int compare_uids(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* The C library takes as much again while it sorts. */
static enum err sort_uids(struct source_uids *uids)
{
    const size_t size = uids->count * sizeof(*uids->items);
    if (budget_charge(uids->budget, MEMORY_RANK_READ, size) != ERR_OK) {
        return ERR_BUDGET;
    }
    qsort(uids->items, uids->count, sizeof(*uids->items), compare_uids);
    budget_refund(uids->budget, size);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < uids->count; i++) {
        if (kept == 0 || !bytes_equal(uids->items[kept - 1], uids->items[i])) {
            uids->items[kept++] = uids->items[i];
        }
    }
    uids->count = kept;
    return ERR_OK;
}

enum err source_uids_read(struct source_uids *uids, struct source_text text)
{
    ASSERT(uids->items == NULL);
    struct json_token list;
    enum err err = take_value((struct bytes){.data = text.data, .size = text.size}, &list);
    if (err != ERR_OK) {
        return err;
    }
    if (list.kind == JSON_TOKEN_NULL) {
        return ERR_OK;
    }
    uint32_t count = 0;
    err = list.kind == JSON_TOKEN_ARRAY ? count_uids(list, &count) : ERR_PROTOCOL;
    if (err != ERR_OK || count == 0) {
        return err;
    }
    uids->items = memory_acquire(uids->budget, MEMORY_RANK_READ, count * sizeof(*uids->items));
    if (uids->items == NULL) {
        return ERR_BUDGET;
    }
    uids->capacity = count;
    err = take_uids(uids, list);
    if (err == ERR_OK) {
        err = sort_uids(uids);
    }
    if (err != ERR_OK) {
        source_uids_clear(uids);
    }
    return err;
}

void source_uids_clear(struct source_uids *uids)
{
    memory_release(uids->budget, uids->items, uids->capacity * sizeof(*uids->items));
    *uids = (struct source_uids){.budget = uids->budget};
}

/* ---- Flags. ---- */

/* What an answer has said so far. */
struct flags_read {
    uint32_t set;
    bool is_any; /* has it said anything? */
};

static enum err read_flag(struct json_token value, uint32_t flag, struct flags_read *flags)
{
    uint64_t number = value.kind == JSON_TOKEN_TRUE ? 1 : 0;
    enum err err = ERR_PROTOCOL;
    if (value.kind == JSON_TOKEN_NUMBER) {
        err = json_token_unsigned(value, &number);
    } else if (value.kind == JSON_TOKEN_TRUE || value.kind == JSON_TOKEN_FALSE ||
               value.kind == JSON_TOKEN_NULL) {
        err = ERR_OK;
    }
    if (err != ERR_OK || number > 1) {
        return ERR_PROTOCOL;
    }
    /* The last of a repeated one counts. */
    flags->set = number == 1 ? flags->set | flag : flags->set & ~flag;
    flags->is_any = true;
    return ERR_OK;
}

static enum err read_member(struct json_token name, struct json_token value,
                            struct flags_read *flags)
{
    if (json_token_is(name, BYTES_OF("large"))) {
        return read_flag(value, CHANNEL_FLAG_LARGE, flags);
    }
    if (json_token_is(name, BYTES_OF("ban"))) {
        return read_flag(value, CHANNEL_FLAG_BAN, flags);
    }
    if (json_token_is(name, BYTES_OF("disband"))) {
        return read_flag(value, CHANNEL_FLAG_DISBAND, flags);
    }
    return ERR_OK;
}

enum err source_flags_read(struct bytes text, uint32_t *out_flags)
{
    struct json_token object;
    enum err err = take_value(text, &object);
    if (err != ERR_OK || object.kind != JSON_TOKEN_OBJECT) {
        return ERR_PROTOCOL;
    }
    struct flags_read flags = {.set = 0};
    struct json_token_walk walk = json_token_walk_of(object);
    struct json_token name;
    struct json_token value;
    while (err == ERR_OK && json_token_walk_member(&walk, &name, &value)) {
        err = read_member(name, value, &flags);
    }
    if (err != ERR_OK || !flags.is_any) {
        return ERR_PROTOCOL;
    }
    *out_flags = flags.set;
    return ERR_OK;
}
