#include "chat/user.h"

#include "base/assert.h"
#include "memory/allocator.h"

#define USERS_FIRST_BUCKETS 256

static struct user **users_bucket(const struct users *users, uint64_t hash)
{
    return &users->buckets[hash & (users->buckets_count - 1)];
}

enum err users_init(struct users *users, struct budget *budget)
{
    struct user **buckets = memory_acquire_zeroed(budget, MEMORY_RANK_DRAIN,
                                                  USERS_FIRST_BUCKETS * sizeof(struct user *));
    if (buckets == NULL) {
        return ERR_BUDGET;
    }
    *users =
        (struct users){.buckets = buckets, .buckets_count = USERS_FIRST_BUCKETS, .budget = budget};
    list_init(&users->by_arrival);
    return ERR_OK;
}

void users_deinit(struct users *users)
{
    ASSERT(users->count == 0);
    memory_release(users->budget, users->buckets, users->buckets_count * sizeof(struct user *));
    users->buckets = NULL;
}

struct user *users_find(const struct users *users, uint64_t hash)
{
    struct user *user = *users_bucket(users, hash);
    while (user != NULL && user->hash != hash) {
        user = user->next_in_bucket;
    }
    return user;
}

/* Moves everybody into `buckets_count` new buckets; without memory for them the old ones do. */
static void users_rehash(struct users *users, uint32_t buckets_count)
{
    struct user **buckets = memory_acquire_zeroed(users->budget, MEMORY_RANK_CACHE,
                                                  buckets_count * sizeof(struct user *));
    if (buckets == NULL) {
        return;
    }
    struct users grown = {.buckets = buckets, .buckets_count = buckets_count};
    for (uint32_t i = 0; i < users->buckets_count; i++) {
        while (users->buckets[i] != NULL) {
            struct user *user = users->buckets[i];
            users->buckets[i] = user->next_in_bucket;
            struct user **bucket = users_bucket(&grown, user->hash);
            user->next_in_bucket = *bucket;
            *bucket = user;
        }
    }
    memory_release(users->budget, users->buckets, users->buckets_count * sizeof(struct user *));
    users->buckets = buckets;
    users->buckets_count = buckets_count;
}

struct user *users_add(struct users *users, uint64_t hash, struct bytes uid)
{
    struct user *user = users_find(users, hash);
    if (user != NULL) {
        return user;
    }
    user = memory_acquire_zeroed(users->budget, MEMORY_RANK_ADMIT, sizeof(*user) + uid.size);
    if (user == NULL) {
        return NULL;
    }
    if (users->count >= users->buckets_count) {
        users_rehash(users, users->buckets_count * 2);
    }
    user->hash = hash;
    user->uid_size = (uint16_t)uid.size;
    memcpy(user->uid, uid.data, uid.size);
    list_init(&user->sessions);
    user->arrival = ++users->arrivals;
    list_push_back(&users->by_arrival, &user->by_arrival);
    struct user **bucket = users_bucket(users, hash);
    user->next_in_bucket = *bucket;
    *bucket = user;
    users->count++;
    return user;
}

void users_remove(struct users *users, struct user *user)
{
    ASSERT(user->sessions_count == 0);
    struct user **place = users_bucket(users, user->hash);
    while (*place != user) {
        place = &(*place)->next_in_bucket;
    }
    *place = user->next_in_bucket;
    if (users->scan == &user->by_arrival) {
        users->scan = user->by_arrival.next;
    }
    list_remove(&user->by_arrival);
    memory_release(users->budget, user, sizeof(*user) + user->uid_size);
    users->count--;
    if (users->buckets_count > USERS_FIRST_BUCKETS && users->count < users->buckets_count / 8) {
        users_rehash(users, users->buckets_count / 2);
    }
}

void users_scan_begin(struct users *users, uint64_t arrival)
{
    struct list *item = &users->by_arrival;
    if (arrival == 0) { /* everybody */
        users->scan = item->next;
        return;
    }
    while (item->prev != &users->by_arrival &&
           CONTAINER_OF(item->prev, struct user, by_arrival)->arrival > arrival) {
        item = item->prev;
    }
    users->scan = item;
}

struct user *users_scan_at(const struct users *users)
{
    ASSERT(users->scan != NULL);
    return users->scan == &users->by_arrival ? NULL
                                             : CONTAINER_OF(users->scan, struct user, by_arrival);
}

void users_scan_next(struct users *users)
{
    ASSERT(users->scan != NULL && users->scan != &users->by_arrival);
    users->scan = users->scan->next;
}
