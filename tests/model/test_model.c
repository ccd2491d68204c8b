/* Random commands against a server and a plain model of it; see script.h. */
#include "memory/allocator.h"
#include "model/script.h"

#include "support/test.h"

/* Seconds, not minutes: a sanitizer makes each command several times dearer. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COMMANDS 2000u
#else
#define COMMANDS 10000u
#endif

static void run(struct prng *prng, uint32_t shards_count)
{
    struct script *script = memory_table_acquire(sizeof(*script));
    CHECK(script != NULL);
    script_run(script, prng_next(prng), shards_count, COMMANDS);
    memory_table_release(script, sizeof(*script));
}

TEST(a_server_with_one_shard_does_what_the_model_does)
{
    run(prng, 1);
}

TEST(a_server_with_four_shards_does_what_the_model_does)
{
    run(prng, 4);
}

TEST(a_server_that_gets_another_number_of_shards_at_each_start_does_what_the_model_does)
{
    run(prng, 0);
}
