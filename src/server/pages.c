#include "server/pages.h"

#include "memory/heap.h"
#include "server/ledger_text.h"
#include "system/file.h"
#include "system/profiler.h"
#include "system/symbols.h"
#include "telemetry/heap_text.h"

#include <stdio.h>

#define HTML_TYPE         "text/html; charset=utf-8"
#define TEXT_TYPE         "text/plain; charset=utf-8"
#define BINARY_TYPE       "application/octet-stream"
#define PAGE_BYTES        (16u * 1024u)
#define HEAP_BYTES        (256u * 1024u)
#define MAPS_BYTES        (64u * 1024u)
#define SECONDS_BY_ITSELF 30u
#define SYMBOLS_MAX       8192u /* of one question; a search is a walk */

/* ledger.html, as the build has put it into the program. */
extern const struct bytes page_ledger_html;

static const char index_text[] =
    "Profiles of this server. They need nothing but curl, or `go tool pprof`, or jeprof.\n"
    "\n"
    "  /debug/pprof/heap                  who allocated what is allocated now (sampled)\n"
    "      go tool pprof -symbolize=remote -top http://HOST:PORT/debug/pprof/heap\n"
    "      curl -s http://HOST:PORT/debug/pprof/heap >heap; jeprof --text /path/to/jingu heap\n"
    "  /debug/pprof/heap?base=mark        remembers how it is now, and shows it\n"
    "  /debug/pprof/heap?base=last        what has grown or shrunk since then\n"
    "  /debug/pprof/profile?seconds=30    who uses the CPU, for 1 to 60 seconds\n"
    "      go tool pprof -symbolize=remote -top 'http://HOST:PORT/debug/pprof/profile?seconds=10'\n"
    "  /debug/pprof/threads               the stack, state and CPU time of each thread\n"
    "      go tool pprof -symbolize=remote -traces http://HOST:PORT/debug/pprof/threads\n"
    "\n"
    "`go tool pprof` asks the server for names (/debug/pprof/symbol); jeprof and pprof find them\n"
    "in the program's file. With a manager token: curl -H 'token: ...' to a file, and jeprof.\n"
    "\n"
    "  /ledger  /ledger/page              who has the memory, holder by holder\n";

void pages_init(struct pages *pages, struct ledger *ledger, const struct alarms *alarms)
{
    *pages = (struct pages){.ledger = ledger, .alarms = alarms, .base_fd = -1};
    monitor_init(&pages->monitor);
}

void pages_deinit(struct pages *pages)
{
    file_memory_close(pages->base_fd);
    monitor_deinit(&pages->monitor);
}

void pages_expose(void *context, struct writer *writer)
{
    struct pages *pages = context;
    ledger_write_metrics(pages->ledger, pages->alarms, writer);
}

/* ---- The ledger. ---- */

static enum err show_ledger(void *context, const struct http_page_query *query, struct writer *out)
{
    (void)query;
    struct pages *pages = context;
    ledger_write_json(pages->ledger, pages->alarms, out);
    return ERR_OK;
}

static enum err show_history(void *context, const struct http_page_query *query, struct writer *out)
{
    (void)query;
    struct pages *pages = context;
    ledger_write_history(pages->ledger, out);
    return ERR_OK;
}

static enum err show_page(void *context, const struct http_page_query *query, struct writer *out)
{
    (void)context;
    (void)query;
    writer_bytes_add(out, page_ledger_html);
    return ERR_OK;
}

/* ---- Profiles. ---- */

static enum err show_index(void *context, const struct http_page_query *query, struct writer *out)
{
    (void)context;
    (void)query;
    writer_bytes_add(out, bytes_of_string(index_text));
    return ERR_OK;
}

/* A profile of now, in a file in memory. */
static enum err take_dump(int *out_fd)
{
    enum err err = file_memory_open("heap-profile", out_fd);
    if (err != ERR_OK) {
        return err;
    }
    char path[FILE_MEMORY_PATH_MAX];
    file_memory_path(*out_fd, path);
    err = heap_profile_dump(path);
    if (err != ERR_OK) {
        file_memory_close(*out_fd);
    }
    return err;
}

/* Another descriptor of the same file, so that closing one leaves the other. */
static FILE *open_dump(int fd)
{
    char path[FILE_MEMORY_PATH_MAX];
    file_memory_path(fd, path);
    return fopen(path, "re");
}

/* What has changed from `base_fd` to `fd`; without a base (-1), what is there. */
static enum err write_dumps(int fd, int base_fd, struct writer *out)
{
    FILE *dump = open_dump(fd);
    if (dump == NULL) {
        return ERR_IO;
    }
    enum err err = heap_text_begin(dump, out);
    if (err == ERR_OK) {
        err = heap_text_stacks(dump, false, out);
    }
    fclose(dump);
    FILE *base = err == ERR_OK && base_fd >= 0 ? open_dump(base_fd) : NULL;
    if (base != NULL) {
        err = heap_text_stacks(base, true, out);
        fclose(base);
    }
    writer_bytes_add(out, BYTES_OF("\nMAPPED_LIBRARIES:\n"));
    profiler_write_maps(out);
    return err;
}

static enum err show_heap(void *context, const struct http_page_query *query, struct writer *out)
{
    struct pages *pages = context;
    int fd = -1;
    enum err err = take_dump(&fd);
    if (err == ERR_ABSENT) {
        writer_bytes_add(out, BYTES_OF("this build, or MALLOC_CONF, has no heap profile\n"));
        return ERR_OK;
    }
    if (err != ERR_OK) {
        return err;
    }
    monitor_enter(&pages->monitor);
    const bool is_since = bytes_equal(query->base, BYTES_OF("last"));
    err = write_dumps(fd, is_since ? pages->base_fd : -1, out);
    if (err == ERR_OK && !out->is_full && bytes_equal(query->base, BYTES_OF("mark"))) {
        file_memory_close(pages->base_fd);
        pages->base_fd = fd;
        fd = -1;
    }
    monitor_leave(&pages->monitor);
    file_memory_close(fd);
    return err;
}

static enum err show_profile(void *context, const struct http_page_query *query, struct writer *out)
{
    (void)context;
    const uint64_t seconds = query->seconds != 0 ? query->seconds : SECONDS_BY_ITSELF;
    return profiler_run((uint32_t)seconds, out);
}

static enum err show_threads(void *context, const struct http_page_query *query, struct writer *out)
{
    (void)context;
    (void)query;
    return profiler_threads(out);
}

static uintptr_t hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return (uintptr_t)(byte - '0');
    }
    const char lower = (char)(byte | 0x20);
    return lower >= 'a' && lower <= 'f' ? (uintptr_t)(lower - 'a' + 10) : 0;
}

static void write_symbol(struct writer *out, const struct symbols *symbols, uintptr_t address)
{
    const char *name = symbols_find(symbols, address);
    if (name != NULL) {
        char text[24];
        snprintf(text, sizeof(text), "%#llx ", (unsigned long long)address);
        writer_bytes_add(out, bytes_of_string(text));
        writer_bytes_add(out, bytes_of_string(name));
        writer_u8(out, '\n');
    }
}

/* What `go tool pprof` asks for addresses that it has no names for: "0x12+0x34", or nothing to ask
 * whether there are names at all. */
static enum err show_symbols(void *context, const struct http_page_query *query, struct writer *out)
{
    (void)context;
    if (query->body.size == 0) {
        writer_bytes_add(out, BYTES_OF("num_symbols: 1\n"));
        return ERR_OK;
    }
    struct symbols symbols;
    symbols_open(&symbols);
    uintptr_t address = 0;
    uint32_t count = 0;
    for (size_t i = 0; i <= query->body.size && count < SYMBOLS_MAX; i++) {
        const uint8_t byte = i < query->body.size ? query->body.data[i] : (uint8_t)'+';
        if (byte == '+') {
            write_symbol(out, &symbols, address);
            address = 0;
            count++;
        } else if (byte == 'x') {
            address = 0; /* what was before it is the zero of "0x" */
        } else {
            address = address << 4 | hex_digit((char)byte);
        }
    }
    symbols_close(&symbols);
    return ERR_OK;
}

static const struct http_page list[] = {
    {.path = "/ledger", .write = show_ledger, .size = LEDGER_JSON_BYTES},
    {.path = "/ledger/history", .write = show_history, .size = LEDGER_HISTORY_BYTES},
    {.path = "/ledger/page", .write = show_page, .content_type = HTML_TYPE, .size = PAGE_BYTES},
    {.path = "/debug/pprof/", .write = show_index, .content_type = TEXT_TYPE, .size = PAGE_BYTES},
    {.path = "/debug/pprof/heap",
     .write = show_heap,
     .content_type = BINARY_TYPE,
     .size = HEAP_BYTES},
    {.path = "/debug/pprof/profile",
     .write = show_profile,
     .content_type = BINARY_TYPE,
     .size = PROFILER_SAMPLES_BYTES + MAPS_BYTES,
     .is_slow = true},
    {.path = "/debug/pprof/threads",
     .write = show_threads,
     .content_type = TEXT_TYPE,
     .size = HEAP_BYTES},
    {.path = "/debug/pprof/symbol",
     .write = show_symbols,
     .content_type = TEXT_TYPE,
     .size = MAPS_BYTES},
};

const struct http_page *pages_list(uint32_t *out_count)
{
    *out_count = COUNT_OF(list);
    return list;
}
