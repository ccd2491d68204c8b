#include "store/home.h"
#include "store/wal_check.h"

#include "unit/store/fixture.h"

#include <sys/mman.h>
#include <time.h>

static const struct log_ref chat = {.channel = {.slot = 5, .number = 1}, .kind = LOG_CHAT};

/* The newest file of the write-ahead log, whole. */
struct log_file {
    char path[192];
    uint64_t number;
    size_t size;
    uint8_t bytes[4u * 1024 * 1024];
};

static bool find_newest(void *context, const char *name)
{
    struct log_file *file = context;
    char *end = NULL;
    const uint64_t number = strtoull(name, &end, 10);
    if (end != name && strcmp(end, ".log") == 0 && number > file->number) {
        file->number = number;
    }
    return true;
}

/* Where the records end: behind them is room for more (log_room.h). */
static size_t records_size(const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    while (at + 7 <= size && bytes[at + 6] != 0) {
        at += 7 + (size_t)bytes[at + 4] + ((size_t)bytes[at + 5] << 8);
        if (32768 - at % 32768 < 7) {
            at += 32768 - at % 32768;
        }
    }
    return at;
}

static void log_file_read(struct log_file *file, const struct fixture *fixture)
{
    file->number = 0;
    CHECK(home_visit(fixture->path, find_newest, file));
    snprintf(file->path, sizeof(file->path), "%s/%06llu.log", fixture->path,
             (unsigned long long)file->number);
    FILE *stream = fopen(file->path, "r");
    CHECK(stream != NULL);
    file->size = records_size(file->bytes, fread(file->bytes, 1, sizeof(file->bytes), stream));
    fclose(stream);
}

static void log_file_write(const struct log_file *file, size_t size)
{
    FILE *stream = fopen(file->path, "w");
    CHECK(stream != NULL);
    CHECK_EQ(fwrite(file->bytes, 1, size, stream), size);
    CHECK_EQ(fclose(stream), 0);
}

#define MESSAGES_COUNT 60

/* What a test and its children share: one breaks the log, others write and read. */
struct round {
    struct fixture fixture;
    struct log_file file;
    enum err open_err; /* of the reader */
    uint64_t count;    /* messages that the reader found, 1 … count */
    uint64_t dropped;
};

static struct round *round_begin(void)
{
    struct round *round =
        mmap(NULL, sizeof(*round), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(round != MAP_FAILED);
    fixture_init(&round->fixture);
    return round;
}

static void round_end(struct round *round)
{
    fixture_deinit(&round->fixture);
    munmap(round, sizeof(*round));
}

/* Commits of one message each, of sizes that cross blocks of the log; ends without closing. What
 * makes the database is in a log of its own. */
static void write_some(struct round *round, uint32_t count)
{
    static struct fixture fixture;
    fixture_copy(&fixture, &round->fixture);
    fixture_open(&fixture);
    fixture_restart(&fixture);
    for (uint32_t i = 0; i < count; i++) {
        fixture_append(&fixture, chat, 1, 50 + i * 97 % 3000);
    }
    _exit(0);
}

static void write_sixty(void *context)
{
    write_some(context, MESSAGES_COUNT);
}

static void write_two_hundred(void *context)
{
    write_some(context, 200);
}

static bool count_visit(void *context, const struct message_view *view, struct bytes row)
{
    uint64_t *count = context;
    (void)row;
    CHECK(view->seq == ++*count);
    return true;
}

static void read_all(void *context)
{
    struct round *round = context;
    static struct fixture fixture;
    fixture_copy(&fixture, &round->fixture);
    round->count = 0;
    round->open_err = fixture_try_open(&fixture);
    round->fixture.fault = fixture.fault;
    if (round->open_err != ERR_OK) {
        return;
    }
    uint64_t last = 0;
    round->dropped = store_dropped_bytes(fixture.store);
    const struct message_range range = {.log = chat,
                                        .seq_max = UINT64_MAX,
                                        .count_max = 1000,
                                        .bytes_max = UINT32_MAX,
                                        .visit = count_visit,
                                        .context = &round->count};
    CHECK_OK(store_read_messages(fixture.store, STORE_MAY_BLOCK, &range));
    CHECK_OK(store_last_seq(fixture.store, STORE_MAY_BLOCK, chat, &last));
    CHECK(round->count == last);
    store_close(fixture.store);
}

static void append_three_and_read(void *context)
{
    struct round *round = context;
    static struct fixture fixture;
    fixture_copy(&fixture, &round->fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, chat, 3, 100);
    fixture_close(&fixture);
    read_all(context);
}

/* A database, and a log with sixty messages, as a process leaves it that is killed. */
static struct round *round_of_sixty(void)
{
    struct round *round = round_begin();
    in_child(write_sixty, round);
    log_file_read(&round->file, &round->fixture);
    CHECK(round->file.size > 32768);
    return round;
}

/* What lies behind a cut. */
enum tail {
    TAIL_NONE,
    TAIL_ZEROS, /* a file system that had given room to the file, and not yet its bytes */
    TAIL_NOISE, /* a disk that was writing when the power went */
    TAIL_KINDS_COUNT,
};

#define TAIL_BYTES_MAX 3000u

static size_t add_tail(struct prng *prng, uint8_t *bytes, enum tail tail)
{
    const size_t size = tail == TAIL_NONE ? 0 : 1 + prng_below(prng, TAIL_BYTES_MAX);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = tail == TAIL_ZEROS ? 0 : (uint8_t)prng_next(prng);
    }
    return size;
}

/* Cuts the log at `size`. Whoever opens it then finds what is whole before the cut, and goes on;
 * and the opening after that finds both, and nothing that is damaged. */
static void check_cut(struct prng *prng, size_t size, enum tail tail)
{
    struct round *round = round_of_sixty();
    struct log_file *file = &round->file;
    CHECK(size <= file->size);
    const bool is_whole = size == file->size;
    const size_t tail_size = add_tail(prng, file->bytes + size, tail);
    log_file_write(file, size + tail_size);
    in_child(read_all, round);
    CHECK_OK(round->open_err);
    CHECK(round->dropped < 8192 + tail_size); /* a part of one record at most */
    if (is_whole) {
        CHECK_EQ(round->count, MESSAGES_COUNT);
    }
    /* A message is some 100 bytes more than its text in the log. */
    uint64_t sum = 0;
    for (uint32_t k = 0; k < round->count; k++) {
        sum += 50 + k * 97 % 3000;
    }
    CHECK(sum <= size);
    CHECK(sum + (round->count + 1) * 250 + 3050 >= size);

    const uint64_t before = round->count;
    in_child(append_three_and_read, round);
    CHECK_OK(round->open_err);
    CHECK_EQ(round->count, before + 3);
    CHECK_EQ(round->dropped, 0);
    round_end(round);
}

TEST(a_log_that_is_cut_anywhere_opens_with_what_is_whole_before_the_cut)
{
    for (uint32_t i = 0; i < 12; i++) {
        struct round *round = round_of_sixty();
        const size_t size = i == 0 ? round->file.size : prng_below(prng, round->file.size);
        round_end(round);
        check_cut(prng, size, (enum tail)(i % TAIL_KINDS_COUNT));
    }
}

/* Nothing is before it that would tell which sequence it had. */
TEST(a_first_record_that_is_cut_does_not_look_like_a_hole_to_later_openings)
{
    /* Nothing of it; in the checksum, the size, the type; in a batch's sequence, count and rows. */
    static const size_t sizes[] = {0, 1, 4, 5, 6, 7, 8, 14, 15, 18, 19, 20, 60};
    for (uint32_t i = 0; i < COUNT_OF(sizes); i++) {
        check_cut(prng, sizes[i], (enum tail)(i % TAIL_KINDS_COUNT));
        check_cut(prng, sizes[i], (enum tail)((i + 1) % TAIL_KINDS_COUNT));
    }
}

TEST(a_log_that_is_cut_where_its_blocks_meet_opens)
{
    static const int distances[] = {-19, -8, -7, -6, -1, 0, 1, 6, 7, 8};
    for (uint32_t i = 0; i < COUNT_OF(distances); i++) {
        const uint32_t tail = (uint32_t)prng_below(prng, TAIL_KINDS_COUNT);
        check_cut(prng, (size_t)(32768 + distances[i]), (enum tail)tail);
    }
}

TEST(a_flipped_byte_with_intact_records_behind_it_is_refused_and_named)
{
    for (uint32_t i = 0; i < 6; i++) {
        struct round *round = round_of_sixty();
        struct log_file *file = &round->file;
        /* The last records are some kilobytes: up to there intact ones follow. */
        const size_t at = prng_below(prng, file->size - 12000);
        const uint8_t before = file->bytes[at];
        file->bytes[at] ^= (uint8_t)(1u << prng_below(prng, 8));
        log_file_write(file, file->size);
        char name[32];
        snprintf(name, sizeof(name), "%06llu.log", (unsigned long long)file->number);
        in_child(read_all, round);
        CHECK_EQ(round->open_err, ERR_CORRUPT);
        CHECK(strstr(round->fixture.fault.text, name) != NULL);
        CHECK(strstr(round->fixture.fault.text, "damaged at byte") != NULL);
        /* Nothing was changed: with the byte as it was, all is there. */
        file->bytes[at] = before;
        log_file_write(file, file->size);
        in_child(read_all, round);
        CHECK_OK(round->open_err);
        CHECK_EQ(round->count, MESSAGES_COUNT);
        round_end(round);
    }
}

TEST(zeros_in_the_middle_are_a_hole_and_zeros_at_the_end_are_not)
{
    for (uint32_t i = 0; i < 3; i++) {
        struct round *round = round_of_sixty();
        struct log_file *file = &round->file;
        const size_t at = prng_below(prng, file->size - 20000);
        uint8_t saved[4096];
        memcpy(saved, file->bytes + at, sizeof(saved));
        memset(file->bytes + at, 0, sizeof(saved));
        log_file_write(file, file->size);
        in_child(read_all, round);
        CHECK_EQ(round->open_err, ERR_CORRUPT);

        memcpy(file->bytes + at, saved, sizeof(saved));
        memset(file->bytes + file->size, 0, 50000); /* a file system may leave this behind */
        log_file_write(file, file->size + 50000);
        in_child(read_all, round);
        CHECK_OK(round->open_err);
        CHECK_EQ(round->count, MESSAGES_COUNT);
        CHECK_EQ(round->dropped, 0);
        round_end(round);
    }
}

TEST(who_accepts_a_loss_gets_what_was_before_the_damage_and_is_told_the_rest)
{
    for (uint32_t i = 0; i < 6; i++) {
        struct round *round = round_of_sixty();
        struct log_file *file = &round->file;
        const size_t at = i < 2 ? 0 : prng_below(prng, file->size - 20000);
        memset(file->bytes + at, i % 3 == 0 ? 0 : 0x55, 2000);
        log_file_write(file, file->size);
        in_child(read_all, round);
        CHECK_EQ(round->open_err, ERR_CORRUPT);
        round->fixture.options.is_loss_accepted = i % 2 != 0;
        round->fixture.options.is_tail_unsynced = i % 2 == 0;
        in_child(read_all, round);
        CHECK_OK(round->open_err);
        CHECK(round->count < MESSAGES_COUNT);
        CHECK(round->dropped >= file->size - at);
        CHECK(round->dropped < file->size - at + 8192);
        const uint64_t before = round->count;
        round->fixture.options.is_loss_accepted = false;
        round->fixture.options.is_tail_unsynced = false;
        in_child(append_three_and_read, round);
        CHECK_OK(round->open_err);
        CHECK_EQ(round->count, before + 3);
        CHECK_EQ(round->dropped, 0);
        round_end(round);
    }
}

/* A block that is missing as a whole leaves records that are each intact. RocksDB does not notice.
 */
TEST(a_missing_block_is_a_hole_although_each_record_is_intact)
{
    struct round *round = round_of_sixty();
    struct log_file *file = &round->file;
    in_child(write_two_hundred, round);
    log_file_read(file, &round->fixture);
    CHECK(file->size > 4 * 32768);
    memmove(file->bytes + 32768, file->bytes + 65536, file->size - 65536);
    log_file_write(file, file->size - 32768);
    in_child(read_all, round);
    CHECK_EQ(round->open_err, ERR_CORRUPT);
    round->fixture.options.is_loss_accepted = true;
    in_child(read_all, round);
    CHECK_OK(round->open_err);
    CHECK(round->count >= MESSAGES_COUNT);
    CHECK(round->count < MESSAGES_COUNT + 50);
    round_end(round);
}

static uint32_t tables_count(const struct fixture *fixture)
{
    struct store_statistics statistics;
    store_statistics(fixture->store, &statistics);
    return (uint32_t)statistics.files_count;
}

/* So many that the log goes on in another file, and the one before is still needed; the messages of
 * the one before have come into a table. */
static void write_two_files(void *context)
{
    const struct round *round = context;
    static struct fixture fixture;
    fixture_copy(&fixture, &round->fixture);
    fixture_open(&fixture);
    fixture_restart(&fixture);
    const uint32_t before = tables_count(&fixture);
    for (uint32_t i = 0; i < 700; i++) {
        fixture_append(&fixture, chat, 1, 50 + i * 97 % 3000);
    }
    while (tables_count(&fixture) == before) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    _exit(0);
}

static void flip_last_byte(const struct round *round, uint64_t number)
{
    char path[192];
    snprintf(path, sizeof(path), "%s/%06llu.log", round->fixture.path, (unsigned long long)number);
    FILE *file = fopen(path, "r+");
    CHECK(file != NULL);
    static uint8_t bytes[4u * 1024 * 1024];
    const size_t end = records_size(bytes, fread(bytes, 1, sizeof(bytes), file));
    CHECK(end > 0);
    const uint8_t byte = bytes[end - 1];
    CHECK_EQ(fseek(file, (long)end - 1, SEEK_SET), 0);
    CHECK_EQ(fputc(byte ^ 1, file), byte ^ 1);
    CHECK_EQ(fclose(file), 0);
}

static bool find_before(void *context, const char *name)
{
    struct log_file *file = context;
    char *end = NULL;
    const uint64_t number = strtoull(name, &end, 10);
    if (end != name && strcmp(end, ".log") == 0 && number < file->number && number > file->size) {
        file->size = number;
    }
    return true;
}

/* Nothing intact lies behind it, so that the log alone would not tell it from a torn tail; but
 * tables were written that are ahead of it. */
TEST(a_damaged_end_of_a_file_that_was_synced_and_left_is_refused)
{
    struct round *round = round_begin();
    in_child(write_two_files, round);
    log_file_read(&round->file, &round->fixture);
    log_file_write(&round->file, 0);
    round->file.size = 0;
    home_visit(round->fixture.path, find_before, &round->file);
    CHECK(round->file.size > 0); /* the number of the file before */
    flip_last_byte(round, round->file.size);
    in_child(read_all, round);
    CHECK_EQ(round->open_err, ERR_CORRUPT);
    /* Nothing was changed: with the byte as it was, all of that file is there. */
    flip_last_byte(round, round->file.size);
    in_child(read_all, round);
    CHECK_OK(round->open_err);
    CHECK(round->count > 0);
    CHECK_EQ(round->dropped, 0);
    round_end(round);
}

/* A payload that looks like the log itself must not be taken for it. */
static void write_log_in_log(void *context)
{
    struct round *round = context;
    static struct fixture fixture;
    fixture_copy(&fixture, &round->fixture);
    fixture_open(&fixture);
    fixture_restart(&fixture);
    fixture_append(&fixture, chat, 20, 300);
    log_file_read(&round->file, &fixture);
    static uint8_t row[9000];
    const struct message_view view = {.seq = 1,
                                      .payload = {.data = round->file.bytes, .size = 7000}};
    message_row_encode(&view, row);
    const struct store_message message = {.log = {.channel = {.slot = 9, .number = 9}},
                                          .seq = 1,
                                          .row = {.data = row, .size = message_row_size(&view)}};
    CHECK_OK(store_batch_add_message(fixture.batch, &message));
    fixture_commit(&fixture);
    _exit(0);
}

TEST(a_torn_message_that_quotes_the_log_is_torn_not_a_hole)
{
    struct round *round = round_begin();
    in_child(write_log_in_log, round);
    log_file_read(&round->file, &round->fixture);
    log_file_write(&round->file, round->file.size - 100);
    in_child(read_all, round);
    CHECK_OK(round->open_err);
    CHECK_EQ(round->count, 20);
    CHECK(round->dropped > 6000);
    round_end(round);
}

TEST(a_damaged_table_is_an_error_and_never_an_answer)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, chat, 40, 500);
    CHECK_OK(store_flush(fixture.store));
    fixture_close(&fixture);
    uint32_t refused_count = 0;
    DIR *directory = opendir(fixture.path);
    CHECK(directory != NULL);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strstr(entry->d_name, ".sst") == NULL) {
            continue;
        }
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", fixture.path, entry->d_name);
        FILE *file = fopen(path, "r+");
        CHECK(file != NULL);
        CHECK_EQ(fseek(file, 30, SEEK_SET), 0);
        CHECK_EQ(fputc(0x5a, file), 0x5a);
        CHECK_EQ(fclose(file), 0);
    }
    closedir(directory);
    if (fixture_try_open(&fixture) != ERR_OK) {
        refused_count++; /* the row that names the database may be among the damaged */
    } else {
        uint64_t count = 0;
        const struct message_range range = {.log = chat,
                                            .seq_max = UINT64_MAX,
                                            .count_max = 1000,
                                            .bytes_max = UINT32_MAX,
                                            .visit = count_visit,
                                            .context = &count};
        CHECK_EQ(store_read_messages(fixture.store, STORE_MAY_BLOCK, &range), ERR_CORRUPT);
        CHECK_EQ(count, 0);
        store_last_fault(fixture.store, &fixture.fault);
        refused_count++;
    }
    CHECK_EQ(refused_count, 1);
    CHECK(fixture.fault.text[0] != '\0');
    fixture_deinit(&fixture);
}
