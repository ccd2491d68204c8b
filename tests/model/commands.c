/* What can be asked of a server, at random. */
#include "base/assert.h"
#include "model/payload.h"
#include "model/script.h"

#include "support/test.h"

#include <stdio.h>

static uint32_t below(struct script *script, uint32_t bound)
{
    return (uint32_t)prng_below(&script->prng, bound);
}

static bool chance(struct script *script, uint32_t percent)
{
    return below(script, 100) < percent;
}

static struct task *new_task(struct script *script, enum task_kind kind)
{
    CHECK(script->tasks_count < TASKS_MAX);
    struct task *task = &script->tasks[script->tasks_count++];
    *task = (struct task){.script = script, .kind = kind, .posted_step = script->world.step};
    script->world.asked++;
    return task;
}

/* What comes home after the server was cut off, nobody hears. */
static void task_home(struct task *task)
{
    struct script *script = task->script;
    script->world.asked--;
    if (!script->is_cut_off) {
        task->is_home = true;
        task->home_step = script->world.step;
        task->home_place = script->home_count++;
    }
}

/* ---- Connections. ---- */

static bool is_any(const struct connection *connection, uint8_t uid)
{
    return connection->state == CONNECTION_OPEN && (uid == UID_NONE || connection->uid == uid);
}

/* One that is open, at random; of this user, if one is named. */
struct connection *command_find_live(struct script *script, uint8_t uid)
{
    const uint32_t shards_count = script->world.options.shards_count;
    const uint32_t places = shards_count * CONNECTIONS_MAX;
    const uint32_t first = below(script, places);
    for (uint32_t i = 0; i < places; i++) {
        const uint32_t place = (first + i) % places;
        struct side *side = &script->world.sides[place % shards_count];
        struct connection *connection = &side->connections[place / shards_count];
        if (is_any(connection, uid)) {
            return connection;
        }
    }
    return NULL;
}

static uint8_t pick_login_uid(struct script *script)
{
    const uint32_t dice = below(script, 100);
    if (dice < 85) {
        return (uint8_t)below(script, PEOPLE_COUNT);
    }
    return (uint8_t)(UID_VISITOR + below(script, UID_SYSTEM - UID_VISITOR));
}

void command_login(struct script *script)
{
    const uint8_t uid = pick_login_uid(script);
    const struct bytes name = name_of_uid(uid);
    const uint32_t shard = world_home(&script->world, name);
    struct connection *connection = connection_take(&script->world, shard);
    if (connection == NULL) {
        return;
    }
    struct task *task = new_task(script, TASK_LOGIN);
    task->uid = uid;
    task->device_flag = (int16_t)below(script, FLAGS_COUNT);
    task->token = chance(script, 80) ? script->model.devices[uid][task->device_flag].token
                                     : (uint8_t)below(script, TOKENS_COUNT);
    task->has_token = chance(script, 95);
    task->connection = connection;
    task->connection_serial = connection->serial;
    connection->uid = uid;
    connection->device = (uint8_t)below(script, DEVICES_COUNT);
    connection->device_flag = (uint8_t)task->device_flag;
    connection->open_round = script->round;
    connection->login_step = script->world.step;
    if (chance(script, 40)) {
        connection->room_max = 1 + below(script, 20);
        connection->early_percent = below(script, 60);
    }
    deliveries_begin(script, connection);
    char text[TEXT_BYTES_MAX];
    struct login_request request = {
        .uid = name,
        .device_id = text_of_number(text, "device", connection->device),
        .device_flag = connection->device_flag,
        .has_token = task->has_token,
    };
    hash_of_token(task->token, request.token_hash);
    struct side *side = world_enter(&script->world, shard);
    CHECK_OK(session_login(&side->chat, &connection->session, &request));
}

static void command_logout(struct script *script)
{
    struct connection *connection = command_find_live(script, UID_NONE);
    if (connection != NULL) {
        connection_doom(connection);
    }
}

void command_close_all(struct script *script)
{
    for (uint32_t shard = 0; shard < script->world.options.shards_count; shard++) {
        for (uint32_t i = 0; i < CONNECTIONS_MAX; i++) {
            struct connection *connection = &script->world.sides[shard].connections[i];
            if (connection->state == CONNECTION_OPEN) {
                connection_doom(connection);
            }
        }
    }
}

static void command_reading(struct script *script)
{
    struct connection *connection = command_find_live(script, UID_NONE);
    if (connection == NULL) {
        return;
    }
    connection->had_room_all_round = false;
    connection->is_reading = !connection->is_reading;
    if (!connection->is_reading || chance(script, 50)) {
        connection->room_max = 1 + below(script, connection->is_reading ? 20 : 6);
    } else {
        connection->room_max = UINT32_MAX;
    }
    connection->early_percent = chance(script, 50) ? below(script, 60) : 0;
}

static void command_acknowledge(struct script *script)
{
    struct connection *connection = command_find_live(script, UID_NONE);
    if (connection == NULL) {
        return;
    }
    struct side *side = world_enter(&script->world, connection->session.id.shard);
    struct seen *seen = deliveries_seen(script, connection);
    const uint32_t habit = below(script, 4);
    if (habit == 0) { /* nothing that there is */
        session_received(&side->chat, &connection->session, prng_next(&script->prng));
        session_received(&side->chat, &connection->session, 0);
        return;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < seen->window_count; i++) {
        const struct window_entry entry = seen->window[i];
        if (habit == 1 && chance(script, 50)) {
            seen->window[kept++] = entry;
            continue;
        }
        deliveries_acknowledge(script, connection, &entry);
        if (habit == 2) { /* twice */
            deliveries_acknowledge(script, connection, &entry);
        }
    }
    seen->window_count = kept;
}

/* ---- Sends. ---- */

static void sent_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct send *send = CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct send, op);
    struct task *task = send->op.context;
    task->reason = send->reason;
    task->message_id = send->message_id;
    task->seq = send->seq;
    task_home(task);
    send_release(send);
}

/* Which channel somebody means. */
struct meaning {
    uint8_t type;
    struct bytes id;
    char text[2 * TEXT_BYTES_MAX];
};

static void mean(struct meaning *meaning, uint8_t type, const char *id)
{
    meaning->type = type;
    snprintf(meaning->text, sizeof(meaning->text), "%s", id);
    meaning->id = bytes_of_string(meaning->text);
}

static const struct {
    uint8_t type;
    const char *id;
} groups[] = {
    {CHANNEL_GROUP, "g0"},
    {CHANNEL_GROUP, "g1"},
    {CHANNEL_GROUP, "g2"},
    {CHANNEL_GROUP, "big"},
    {CHANNEL_COMMUNITY, "g0"}, /* the type is part of the name */
    {CHANNEL_COMMUNITY_TOPIC, "parent@topic"},
    {CHANNEL_INFO, "news"},
    {CHANNEL_DATA, "data"},
    {CHANNEL_LIVE, "stage"},
    {CHANNEL_AGENT_GROUP, "bots"},
    {77, "unheard-of"},
    {CHANNEL_CUSTOMER_SERVICE, "guest16___vstr|desk"},
    {CHANNEL_CUSTOMER_SERVICE, "desk"},
    {CHANNEL_VISITORS, "guest17___vstr"},
};

static void mean_group(struct script *script, struct meaning *meaning)
{
    const uint32_t place = chance(script, 50) ? below(script, 4) : below(script, COUNT_OF(groups));
    mean(meaning, groups[place].type, groups[place].id);
}

static void mean_uid(struct meaning *meaning, uint8_t type, uint8_t uid)
{
    meaning->type = type;
    meaning->id = name_of_uid(uid);
}

static void mean_any(struct script *script, struct meaning *meaning)
{
    static const struct {
        uint8_t type;
        const char *id;
    } wrong[] = {
        {CHANNEL_GROUP, "g0____cmd"}, {CHANNEL_GROUP, "a@b"},
        {CHANNEL_PERSON, "x#y"},      {CHANNEL_GROUP, ""},
        {CHANNEL_AGENT, "a@b@c"},     {CHANNEL_PERSON, "a&b"},
        {CHANNEL_DATA, "\x01"},       {CHANNEL_COMMUNITY_TOPIC, "p@t____cmd"},
    };
    const uint32_t dice = below(script, 100);
    if (dice < 45) {
        mean_group(script, meaning);
    } else if (dice < 80) {
        mean_uid(meaning, CHANNEL_PERSON,
                 (uint8_t)below(script, chance(script, 70) ? 6 : UIDS_COUNT));
    } else if (dice < 86) {
        mean_uid(meaning, CHANNEL_AGENT, (uint8_t)(UID_AGENT + below(script, 2)));
    } else if (dice < 91) {
        char text[2 * TEXT_BYTES_MAX];
        snprintf(text, sizeof(text), "person-%u@bot.%u", below(script, 3),
                 UID_AGENT + below(script, 2));
        mean(meaning, CHANNEL_AGENT, text);
    } else if (dice < 93) {
        mean(meaning, CHANNEL_TEMP, "passing");
    } else if (dice < 96) {
        const uint32_t place = below(script, COUNT_OF(wrong));
        mean(meaning, wrong[place].type, wrong[place].id);
    } else {
        mean_uid(meaning, CHANNEL_VISITORS, (uint8_t)(UID_VISITOR + below(script, 2)));
    }
}

static uint32_t pick_size(struct script *script)
{
    const uint32_t dice = below(script, 1000);
    if (dice < 930) {
        return PAYLOAD_BYTES_MIN + below(script, 200);
    }
    return dice < 994 ? 200 + below(script, 4000) : 30000 + below(script, 30000);
}

static uint8_t pick_flags(struct script *script)
{
    uint8_t flags = 0;
    flags |= chance(script, 12) ? MESSAGE_NO_PERSIST : 0;
    flags |= chance(script, 50) ? MESSAGE_RED_DOT : 0;
    flags |= chance(script, 15) ? MESSAGE_SYNC_ONCE : 0;
    flags |= chance(script, 10) ? MESSAGE_DUP : 0;
    return flags;
}

/* An earlier send of the same sender, or NULL. */
static const struct asked *pick_earlier(struct script *script, uint8_t from)
{
    const struct model *model = &script->model;
    const bool is_recent = chance(script, 50);
    for (uint32_t tries = 0; tries < 40 && model->asked_count > 1; tries++) {
        const uint32_t range = is_recent && model->asked_count > 30 ? 30 : model->asked_count - 1;
        const struct asked *asked = &model->asked[model->asked_count - 1 - below(script, range)];
        if (asked->from == from && asked->client_msg_no != 0 && asked->recipients == 0) {
            return asked;
        }
    }
    return NULL;
}

/* The channel that somebody means with a send. CHANNELS_MAX: it was none. */
static uint32_t mean_channel(struct script *script, uint8_t from)
{
    struct model *model = &script->model;
    struct meaning meaning;
    mean_any(script, &meaning);
    const struct model_channel *channel =
        model_channel_meant(model, from, meaning.type, meaning.id);
    return channel != NULL ? model_channel_number(model, channel) : CHANNELS_MAX;
}

/* The next send of somebody, to a channel with this number; CHANNELS_MAX: to any that is his to
 * name. NULL: it was no channel. */
static struct asked *ask_new(struct script *script, uint8_t from, uint32_t channel)
{
    struct model *model = &script->model;
    CHECK(model->asked_count < SENDS_MAX);
    struct asked asked = {
        .from = from,
        .flags = pick_flags(script),
        .setting = chance(script, 20) ? 0x80 : 0,
        .expire_s = chance(script, 10) ? below(script, 1000) : 0,
        .client_msg_no = chance(script, 90) ? model->asked_count : 0,
        .payload_size = pick_size(script),
    };
    const struct asked *earlier = chance(script, 25) ? pick_earlier(script, from) : NULL;
    if (earlier != NULL) {
        asked.client_msg_no = earlier->client_msg_no;
        asked.channel = earlier->channel;
        asked.flags = chance(script, 90) ? earlier->flags : asked.flags;
    }
    if (channel != CHANNELS_MAX) {
        asked.channel = channel;
    } else if (earlier == NULL || chance(script, 10)) {
        asked.channel = mean_channel(script, from);
        if (asked.channel == CHANNELS_MAX) {
            return NULL;
        }
    }
    asked.log = (asked.flags & MESSAGE_SYNC_ONCE) != 0 ? LOG_COMMAND : LOG_CHAT;
    model->asked[model->asked_count] = asked;
    return &model->asked[model->asked_count++];
}

static struct send *make_send(struct script *script, const struct asked *asked)
{
    const uint32_t serial = (uint32_t)(asked - script->model.asked);
    const struct model_channel *channel = &script->model.channels[asked->channel];
    char number[TEXT_BYTES_MAX];
    char topic[TEXT_BYTES_MAX];
    const struct send_input input = {
        .from_uid = name_of_uid(asked->from),
        .channel_id = model_channel_name(channel).id,
        .client_msg_no = text_of_number(number, "number-", asked->client_msg_no),
        .topic = text_of_number(topic, "topic", serial % 3),
        .payload_size = asked->payload_size,
    };
    struct send *send = send_acquire(&script->model.budget, &input);
    CHECK(send != NULL);
    payload_write(serial, send_payload(send), asked->payload_size);
    send->flags = asked->flags;
    send->setting = asked->setting;
    send->channel_type = channel->type;
    send->client_seq = serial;
    send->expire_s = asked->expire_s;
    send->is_privileged = asked->is_privileged;
    return send;
}

static void post(struct script *script, struct send *send, struct mailbox *home,
                 struct mailer *mailer)
{
    send->op.home = home;
    send->op.on_home = sent_comes_home;
    send_post(send, mailer, script->world.shards, script->world.options.shards_count);
}

/* Is anything under way that the connection sent? */
static bool waits_for_answers(const struct script *script, const struct connection *connection)
{
    for (uint32_t i = 0; i < script->tasks_count; i++) {
        const struct task *task = &script->tasks[i];
        if (task->kind == TASK_SEND && !task->is_home &&
            script->model.asked[task->serial].origin == connection->serial) {
            return true;
        }
    }
    return false;
}

static bool is_changing(const struct script *script, uint32_t channel)
{
    for (uint32_t i = 0; i < script->tasks_count; i++) {
        const struct task *task = &script->tasks[i];
        if (task->kind == TASK_CHANGE && !task->is_home && task->channel == channel) {
            return true;
        }
    }
    return false;
}

/* As edge/gate.c does it for a client. */
static void send_from(struct script *script, struct connection *connection, uint32_t channel)
{
    struct side *side = world_enter(&script->world, connection->session.id.shard);
    const bool waits = waits_for_answers(script, connection);
    struct asked *asked = ask_new(script, connection->uid, channel);
    if (asked == NULL) {
        return; /* reason 16, at the door */
    }
    asked->origin = connection->serial;
    struct task *task = new_task(script, TASK_SEND);
    task->serial = (uint32_t)(asked - script->model.asked);
    task->is_mute = session_is_mute(&connection->session);
    if (task->is_mute) {
        task->reason = CHAT_REASON_SEND_BAN;
        task->message_id = 1;
        task_home(task);
        return;
    }
    /* Of one that passed a change of its channel we would not know what was true for it. */
    task->is_alone = !waits && !is_changing(script, asked->channel);
    struct send *send = make_send(script, asked);
    send->origin = connection->session.id;
    send->is_alone = task->is_alone;
    send->op.context = task;
    post(script, send, &side->shard.mailbox, &side->shard.mailer);
}

static void command_send(struct script *script)
{
    const uint8_t uid = chance(script, 60) ? (uint8_t)below(script, 6) : UID_NONE;
    struct connection *connection = command_find_live(script, uid);
    if (connection != NULL) {
        send_from(script, connection, CHANNELS_MAX);
    }
}

/* So many write before the next turn comes that it has more to begin than it may have time for. */
#define WRITERS_MIN 4u
#define WRITERS_MAX 14u
#define WRITTEN_MAX 3u
#define TASKS_REST  40u /* for the other commands of a round */

/* Somebody who may write to this group, if one is soon found. */
static struct connection *find_writer(struct script *script, uint32_t group)
{
    const uint32_t members = script->model.channels[group].now.members[LIST_SUBSCRIBER];
    struct connection *connection = command_find_live(script, UID_NONE);
    for (uint32_t i = 0; i < 8 && connection != NULL && !set_has(members, connection->uid); i++) {
        connection = command_find_live(script, UID_NONE);
    }
    return connection;
}

/* A crowd writes at once, to one group or each to whom he likes: most of them one message, some
 * more than one in one write. */
static void command_sends_at_once(struct script *script)
{
    if (script->tasks_count + WRITERS_MAX * WRITTEN_MAX + TASKS_REST > TASKS_MAX) {
        return;
    }
    struct meaning meaning;
    mean_group(script, &meaning);
    struct model *model = &script->model;
    const bool is_one = chance(script, 70);
    const uint32_t group =
        model_channel_number(model, model_channel(model, meaning.type, meaning.id));
    const uint32_t before = script->tasks_count;
    for (uint32_t i = WRITERS_MIN + below(script, WRITERS_MAX - WRITERS_MIN + 1); i > 0; i--) {
        struct connection *connection = find_writer(script, group);
        if (connection == NULL) {
            return;
        }
        const uint32_t channel = is_one ? group : mean_channel(script, connection->uid);
        for (uint32_t j = chance(script, 75) ? 1 : 2 + below(script, WRITTEN_MAX - 1); j > 0; j--) {
            send_from(script, connection, channel);
        }
    }
    script->commands += script->tasks_count - before;
}

static void command_api_send(struct script *script)
{
    const uint8_t from = chance(script, 40) ? UID_SYSTEM : (uint8_t)below(script, UIDS_COUNT);
    struct asked *asked = ask_new(script, from, CHANNELS_MAX);
    if (asked == NULL) {
        return;
    }
    asked->is_privileged = true;
    struct task *task = new_task(script, TASK_SEND);
    task->serial = (uint32_t)(asked - script->model.asked);
    struct send *send = make_send(script, asked);
    send->op.context = task;
    post(script, send, &script->world.asker, &script->world.asker_mailer);
}

void command_probe(struct script *script)
{
    struct model *model = &script->model;
    const struct model_channel *channel = model_channel(model, CHANNEL_GROUP, BYTES_OF("probe"));
    struct asked *asked = &model->asked[model->asked_count++];
    *asked = (struct asked){
        .channel = model_channel_number(model, channel),
        .from = UID_SYSTEM,
        .is_privileged = true,
        .client_msg_no = model->asked_count - 1,
        .payload_size = PAYLOAD_BYTES_MIN,
    };
    struct task *task = new_task(script, TASK_SEND);
    task->serial = model->asked_count - 1;
    struct send *send = make_send(script, asked);
    send->op.context = task;
    post(script, send, &script->world.asker, &script->world.asker_mailer);
}

static uint32_t pick_people(struct script *script, uint32_t percent)
{
    uint32_t set = 0;
    for (uint32_t i = 0; i < UID_MANAGER; i++) {
        set |= chance(script, percent) ? 1u << i : 0;
    }
    return set != 0 ? set : 1u << below(script, PEOPLE_COUNT);
}

static uint32_t list_names(struct task *task, uint32_t set)
{
    uint32_t count = 0;
    for (uint8_t i = 0; i < UIDS_COUNT; i++) {
        if (set_has(set, i)) {
            task->uid_names[count++] = name_of_uid(i);
        }
    }
    return count;
}

/* Semantics 2.4: an explicit list of people, who have one command log among them. */
static void command_send_to_people(struct script *script)
{
    struct model *model = &script->model;
    const uint32_t set = 3u << below(script, 8);
    const bool is_stored = chance(script, 60);
    char text[TEXT_BYTES_MAX];
    const struct bytes id =
        is_stored ? text_of_number(text, "people", set) : BYTES_OF("systemcmdonline");
    const struct model_channel *channel = model_channel(model, CHANNEL_TEMP, id);
    struct asked *asked = &model->asked[model->asked_count++];
    *asked = (struct asked){
        .channel = model_channel_number(model, channel),
        .log = LOG_COMMAND,
        .from = UID_SYSTEM,
        .flags = (uint8_t)(MESSAGE_SYNC_ONCE | (is_stored ? 0 : MESSAGE_NO_PERSIST)),
        .is_privileged = true,
        .client_msg_no = model->asked_count - 1,
        .payload_size = PAYLOAD_BYTES_MIN,
        .recipients = set,
    };
    struct task *task = new_task(script, TASK_SEND);
    task->serial = model->asked_count - 1;
    struct send *send = make_send(script, asked);
    send->recipients = task->uid_names;
    send->recipients_count = list_names(task, set);
    send->op.context = task;
    post(script, send, &script->world.asker, &script->world.asker_mailer);
}

/* ---- Changes. ---- */

static void change_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct change *change =
        CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct change, op);
    struct task *task = change->op.context;
    task->result = change->result;
    task_home(task);
    change_release(change);
}

static void post_change(struct script *script, struct task *task, const struct bytes *uids,
                        uint32_t uids_count)
{
    struct world *world = &script->world;
    struct change *change = change_acquire(&script->model.budget, world->options.shards_count);
    CHECK(change != NULL);
    change->kind = task->change_kind;
    change->list = task->list;
    change->is_reset = task->is_reset;
    change->flags = task->flags;
    change->name = model_channel_name(&script->model.channels[task->channel]);
    change->uids = uids;
    change->uids_count = uids_count;
    change->op.home = &world->asker;
    change->op.on_home = change_comes_home;
    change->op.context = task;
    change_post(change, &world->asker_mailer, world->shards, world->options.shards_count);
}

static void fill_change(struct script *script, struct task *task, bool is_person)
{
    const uint32_t dice = below(script, 100);
    task->list = is_person || chance(script, 40) ? (chance(script, 50) ? LIST_DENY : LIST_ALLOW)
                                                 : LIST_SUBSCRIBER;
    if (dice < 50) {
        task->change_kind = CHANGE_ADD;
        task->is_reset = chance(script, 15);
        task->uids = pick_people(script, task->list == LIST_SUBSCRIBER ? 45 : 8);
    } else if (dice < 72) {
        task->change_kind = CHANGE_REMOVE;
        task->uids = pick_people(script, task->list == LIST_SUBSCRIBER ? 10 : 40);
    } else if (dice < 82) {
        task->change_kind = CHANGE_CLEAR;
        task->list = task->list == LIST_SUBSCRIBER && chance(script, 70) ? LIST_DENY : task->list;
    } else if (dice < 98 || is_person) {
        task->change_kind = CHANGE_PUT;
        task->list = LIST_SUBSCRIBER;
        task->is_reset = !is_person && chance(script, 10);
        task->uids = !is_person && chance(script, 30) ? pick_people(script, 30) : 0;
    } else {
        task->change_kind = CHANGE_DISBAND;
        task->list = LIST_SUBSCRIBER;
    }
}

static uint32_t pick_channel_flags(struct script *script)
{
    uint32_t flags = 0;
    flags |= chance(script, 6) ? CHANNEL_FLAG_BAN : 0;
    flags |= chance(script, 3) ? CHANNEL_FLAG_DISBAND : 0;
    flags |= chance(script, 5) ? CHANNEL_FLAG_SEND_BAN : 0;
    flags |= chance(script, 30) ? CHANNEL_FLAG_ALLOW_STRANGER : 0;
    flags |= chance(script, 20) ? CHANNEL_FLAG_LARGE : 0;
    return flags;
}

/* Of one that may have failed there are three states after it for each before it, so there are
 * few enough of them: STATES_MAX. */
#define CHANGES_OF_ONE_MAX 4u

static uint32_t count_changes(const struct script *script, uint32_t channel)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < script->tasks_count; i++) {
        const struct task *task = &script->tasks[i];
        count += task->kind == TASK_CHANGE && task->channel == channel ? 1 : 0;
    }
    return count;
}

void command_change(struct script *script)
{
    const bool is_person = chance(script, 30);
    struct meaning meaning;
    if (is_person) {
        mean_uid(&meaning, CHANNEL_PERSON,
                 (uint8_t)below(script, chance(script, 70) ? 6 : PEOPLE_COUNT));
    } else {
        mean_group(script, &meaning);
    }
    struct model *model = &script->model;
    const uint32_t channel =
        model_channel_number(model, model_channel(model, meaning.type, meaning.id));
    if (count_changes(script, channel) == CHANGES_OF_ONE_MAX) {
        return;
    }
    struct task *task = new_task(script, TASK_CHANGE);
    task->channel = channel;
    fill_change(script, task, is_person);
    if (task->change_kind == CHANGE_PUT) {
        task->flags = pick_channel_flags(script);
    }
    post_change(script, task, task->uid_names, list_names(task, task->uids));
}

/* Many people join the big group, and never come. */
void command_crowd(struct script *script)
{
    static struct bytes crowd[CROWD_COUNT]; /* the same names for every asker, at rest */
    for (uint32_t i = 0; i < CROWD_COUNT; i++) {
        crowd[i] = name_of_crowd(i);
    }
    struct task *task = new_task(script, TASK_CHANGE);
    task->channel = model_channel_number(&script->model,
                                         model_channel(&script->model, CHANNEL_GROUP, BIG_GROUP));
    task->change_kind = CHANGE_ADD;
    task->list = LIST_SUBSCRIBER;
    task->is_crowd = true;
    post_change(script, task, crowd, CROWD_COUNT);
}

static void device_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct device_change *change = CONTAINER_OF(letter, struct device_change, letter);
    struct task *task = change->context;
    task->result = change->result;
    task->reason = change->reason;
    task_home(task);
    device_change_release(change);
}

static void post_device(struct script *script, struct task *task)
{
    struct world *world = &script->world;
    struct device_change *change = device_change_acquire(&script->model.budget);
    CHECK(change != NULL);
    change->kind = task->is_quit ? DEVICE_CHANGE_QUIT : DEVICE_CHANGE_SET;
    change->uid = name_of_uid(task->uid);
    change->device_flag = task->device_flag;
    change->level = task->level;
    hash_of_token(task->token, change->token_hash);
    change->home = &world->asker;
    change->on_home = device_comes_home;
    change->context = task;
    device_change_post(change, &world->asker_mailer, world->shards, world->options.shards_count);
}

static void command_device(struct script *script)
{
    struct task *task = new_task(script, TASK_DEVICE);
    task->is_quit = chance(script, 15);
    task->uid = (uint8_t)below(script, UID_MANAGER);
    task->device_flag = (int16_t)below(script, FLAGS_COUNT);
    if (task->is_quit && chance(script, 40)) {
        task->device_flag = DEVICE_FLAG_ALL;
    }
    task->token = (uint8_t)below(script, TOKENS_COUNT);
    task->level = chance(script, 50) ? DEVICE_MASTER : DEVICE_SLAVE;
    post_device(script, task);
}

void command_tokens(struct script *script, uint8_t uid)
{
    for (uint32_t flag = 0; flag < FLAGS_COUNT; flag++) {
        struct task *task = new_task(script, TASK_DEVICE);
        task->uid = uid;
        task->device_flag = (int16_t)flag;
        task->level = (uid + flag) % 2 == 0 ? DEVICE_MASTER : DEVICE_SLAVE;
        post_device(script, task);
    }
}

static void system_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct system_change *change = CONTAINER_OF(letter, struct system_change, letter);
    struct task *task = change->context;
    task->result = change->result;
    task_home(task);
    system_change_release(change);
}

static void command_system(struct script *script)
{
    struct world *world = &script->world;
    struct task *task = new_task(script, TASK_SYSTEM);
    task->is_removal = chance(script, 50);
    task->uids = 1u << (PEOPLE_COUNT - 1 - below(script, 3)) | (chance(script, 30) ? 1u << 3 : 0);
    struct system_change *change =
        system_change_acquire(&script->model.budget, world->options.shards_count);
    CHECK(change != NULL);
    change->is_removal = task->is_removal;
    change->uids = task->uid_names;
    change->uids_count = list_names(task, task->uids);
    change->home = &world->asker;
    change->on_home = system_comes_home;
    change->context = task;
    system_change_post(change, &world->asker_mailer, world->shards);
}

/* ---- Any. ---- */

static void command_forget(struct script *script)
{
    const uint32_t shard = below(script, script->world.options.shards_count);
    struct side *side = world_enter(&script->world, shard);
    channels_shrink(&side->chat, UINT64_MAX);
}

static void command_time(struct script *script)
{
    const uint32_t passed_ms = below(script, 300);
    script->world.now_ms += passed_ms;
    script->world.wall_ms += passed_ms;
    if (chance(script, 20)) { /* somebody sets the clock */
        const uint32_t step_ms = below(script, 3600000);
        script->world.wall_ms += chance(script, 50) ? step_ms : 0ull - step_ms;
    }
}

void command_any(struct script *script)
{
    static const struct {
        uint32_t weight;
        void (*run)(struct script *script);
    } commands[] = {
        {60, command_send},         {9, command_api_send}, {3, command_send_to_people},
        {13, command_change},       {3, command_device},   {2, command_system},
        {9, command_login},         {3, command_logout},   {8, command_reading},
        {6, command_acknowledge},   {2, command_forget},   {3, command_time},
        {3, command_sends_at_once},
    };
    uint32_t total = 0;
    for (uint32_t i = 0; i < COUNT_OF(commands); i++) {
        total += commands[i].weight;
    }
    uint32_t dice = below(script, total);
    uint32_t place = 0;
    while (dice >= commands[place].weight) {
        dice -= commands[place].weight;
        place++;
    }
    commands[place].run(script);
    script->commands++;
}
