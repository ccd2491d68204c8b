#include "model/stored.h"

#include "model/payload.h"
#include "store/message_log.h"

#include "support/test.h"

enum err stored_load(struct script *script, const struct model_channel *channel,
                     struct channel_state *out_state)
{
    const enum err err =
        store_load_channel(script->store, STORE_MAY_BLOCK, model_channel_name(channel), out_state);
    CHECK(err == ERR_OK || err == ERR_ABSENT);
    if (err == ERR_ABSENT) {
        *out_state = (struct channel_state){.ref = {.number = 0}};
    }
    return err;
}

static void check_stored(const struct stored *stored, const struct message_view *view)
{
    const struct asked *asked = &stored->model->asked[stored->serial];
    char number[TEXT_BYTES_MAX];
    char topic[TEXT_BYTES_MAX];
    CHECK(stored->serial > 0);
    CHECK(stored->serial < stored->model->asked_count);
    CHECK_EQ(asked->channel, model_channel_number(stored->model, stored->channel));
    CHECK_EQ(asked->log, stored->log);
    CHECK_EQ(view->payload.size, asked->payload_size);
    CHECK_EQ(view->channel_type, stored->channel->type);
    CHECK_BYTES(view->channel_id, model_channel_name(stored->channel).id);
    CHECK_BYTES(view->from_uid, name_of_uid(asked->from));
    CHECK_BYTES(view->client_msg_no, text_of_number(number, "number-", asked->client_msg_no));
    CHECK_BYTES(view->topic, text_of_number(topic, "topic", stored->serial % 3));
    CHECK_EQ(view->flags, asked->flags & ~MESSAGE_DUP);
    CHECK_EQ(view->setting, asked->setting);
    CHECK_EQ(view->expire_s, asked->expire_s);
    CHECK_EQ(view->client_seq, stored->serial);
}

bool stored_visit(void *context, const struct message_view *view, struct bytes row)
{
    (void)row;
    struct stored *stored = context;
    stored->is_found = true;
    stored->seq = view->seq;
    stored->message_id = view->message_id;
    stored->timestamp_s = view->timestamp_s;
    stored->serial = payload_read(view->payload);
    check_stored(stored, view);
    return false;
}

struct stored stored_read_next(struct script *script, const struct model_channel *channel,
                               enum log_kind log)
{
    struct stored stored = {.model = &script->model, .channel = channel, .log = log};
    struct channel_state state;
    if (stored_load(script, channel, &state) == ERR_OK) {
        const struct message_range range = {
            .log = {.channel = state.ref, .kind = log},
            .seq_min = channel->logs[log].count + 1u,
            .seq_max = UINT64_MAX,
            .order = MESSAGES_OLDEST_ASCENDING,
            .count_max = 1,
            .bytes_max = MESSAGE_ROW_BYTES_MAX,
            .visit = stored_visit,
            .context = &stored,
        };
        CHECK_OK(store_read_messages(script->store, STORE_MAY_BLOCK, &range));
    }
    return stored;
}
