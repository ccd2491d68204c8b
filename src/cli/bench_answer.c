#include "cli/bench_answer.h"

#include "base/assert.h"
#include "wire/json_token.h"

/* The member of that name; its text is empty if there is none. */
static struct json_token member(struct json_token object, const char *name)
{
    struct json_token key;
    struct json_token value;
    if (object.kind == JSON_TOKEN_OBJECT) {
        struct json_token_walk walk = json_token_walk_of(object);
        while (json_token_walk_member(&walk, &key, &value)) {
            if (json_token_is(key, bytes_of_string(name))) {
                return value;
            }
        }
    }
    return (struct json_token){.kind = JSON_TOKEN_INVALID};
}

static bool number_of(struct json_token object, const char *name, uint64_t *out_value)
{
    const struct json_token value = member(object, name);
    return value.kind == JSON_TOKEN_NUMBER && json_token_unsigned(value, out_value) == ERR_OK;
}

/* The string of that name, if it has no escapes: ours have none. */
static struct bytes text_of(struct json_token object, const char *name)
{
    const struct json_token value = member(object, name);
    if (value.kind != JSON_TOKEN_STRING || bytes_contain(value.text, '\\')) {
        return BYTES_EMPTY;
    }
    return (struct bytes){.data = value.text.data + 1, .size = value.text.size - 2};
}

static bool take_whole(struct bytes body, enum json_token_kind kind, struct json_token *out_token)
{
    return json_token_take(&body, out_token) == ERR_OK && body.size == 0 && out_token->kind == kind;
}

/* ---- A page of history. ---- */

/* The newest message_seq of the elements; 0 if there are none. */
static uint64_t newest_of(struct json_token messages)
{
    uint64_t newest = 0;
    struct json_token message;
    struct json_token_walk walk = json_token_walk_of(messages);
    while (json_token_walk_element(&walk, &message)) {
        uint64_t seq = 0;
        if (number_of(message, "message_seq", &seq) && seq > newest) {
            newest = seq;
        }
    }
    return newest;
}

static bool is_of_channel(const struct bench_fill *fill, struct json_token message,
                          uint32_t channel)
{
    struct bench_message_id id;
    return bench_message_no_read(fill->engine->run, text_of(message, "client_msg_no"), &id) &&
           id.channel == channel;
}

/* What the page must hold: `count` messages from `first`. */
struct span {
    uint64_t first;
    uint64_t count;
};

static void count_messages(struct bench_answers *answers, const struct bench_fill *fill,
                           const struct bench_page *page, struct json_token messages,
                           struct span span)
{
    uint8_t is_seen[BENCH_PAGE_MAX] = {0};
    uint64_t highest = 0;
    struct json_token message;
    struct json_token_walk walk = json_token_walk_of(messages);
    while (json_token_walk_element(&walk, &message)) {
        uint64_t seq = 0;
        if (!number_of(message, "message_seq", &seq) || seq < span.first ||
            seq - span.first >= span.count || !is_of_channel(fill, message, page->channel)) {
            answers->counts[BENCH_ANSWER_STRAY]++;
            continue;
        }
        if (is_seen[seq - span.first]++ > 0) {
            answers->counts[BENCH_ANSWER_DOUBLED]++;
        } else if (seq < highest) {
            answers->counts[BENCH_ANSWER_OUT_OF_ORDER]++;
        }
        highest = seq > highest ? seq : highest;
    }
    for (uint64_t i = 0; i < span.count; i++) {
        answers->counts[BENCH_ANSWER_LOST] += is_seen[i] == 0;
    }
}

void bench_answer_page(struct bench_answers *answers, struct bench_fill *fill,
                       const struct bench_page *page, struct bytes body)
{
    ASSERT(page->limit <= BENCH_PAGE_MAX);
    struct json_token answer;
    struct json_token messages = {.kind = JSON_TOKEN_INVALID};
    if (take_whole(body, JSON_TOKEN_OBJECT, &answer)) {
        messages = member(answer, "messages");
    }
    if (messages.kind != JSON_TOKEN_ARRAY) {
        answers->counts[BENCH_ANSWER_MALFORMED]++;
        return;
    }
    uint64_t last = page->start_seq;
    if (last == 0) {
        const uint64_t newest = newest_of(messages);
        uint64_t *known = &fill->seqs[page->channel];
        *known = newest > *known ? newest : *known;
        last = *known;
    }
    const uint64_t count = last < page->limit ? last : page->limit;
    const struct span span = {.first = last - count + 1, .count = count};
    count_messages(answers, fill, page, messages, span);
}

/* ---- Conversations. ---- */

/* Should the list have the conversation of that channel? */
static bool is_asked_for(const struct bench_fill *fill, uint32_t channel,
                         const struct bench_list *list)
{
    const uint32_t place = channel / fill->users_count;
    return channel % fill->users_count == list->user &&
           (!list->is_changed || place < fill->writers_count);
}

static void count_conversation(struct bench_answers *answers, const struct bench_fill *fill,
                               struct json_token entry, uint32_t channel, uint8_t *seen)
{
    uint64_t last_seq = 0;
    if ((*seen)++ > 0) {
        answers->counts[BENCH_ANSWER_DOUBLED]++;
    }
    const struct json_token recents = member(entry, "recents");
    if (!number_of(entry, "last_msg_seq", &last_seq) || recents.kind != JSON_TOKEN_ARRAY) {
        answers->counts[BENCH_ANSWER_MALFORMED]++;
    } else if (last_seq < fill->seqs[channel] || newest_of(recents) != last_seq) {
        answers->counts[BENCH_ANSWER_STALE]++;
    }
}

void bench_answer_conversations(struct bench_answers *answers, const struct bench_fill *fill,
                                const struct bench_list *list, struct bytes body, uint8_t *seen)
{
    struct json_token entries;
    if (!take_whole(body, JSON_TOKEN_ARRAY, &entries)) {
        answers->counts[BENCH_ANSWER_MALFORMED]++;
        return;
    }
    const uint32_t channels_count = bench_fill_user_channels(fill, list->user);
    memset(seen, 0, channels_count);
    struct json_token entry;
    struct json_token_walk walk = json_token_walk_of(entries);
    while (json_token_walk_element(&walk, &entry)) {
        uint32_t channel = 0;
        if (!bench_fill_channel_of(fill, text_of(entry, "channel_id"), &channel) ||
            !is_asked_for(fill, channel, list)) {
            answers->counts[BENCH_ANSWER_STRAY]++;
            continue;
        }
        count_conversation(answers, fill, entry, channel, &seen[channel / fill->users_count]);
    }
    const uint32_t wanted_count = list->is_changed ? fill->writers_count : channels_count;
    for (uint32_t i = 0; i < wanted_count; i++) {
        answers->counts[BENCH_ANSWER_LOST] += seen[i] == 0;
    }
}
