#include "edge/api_page.h"

#include "edge/api.h"
#include "edge/http_reading.h"
#include "edge/survey.h"

#include <string.h>

#define SECONDS_MAX 60u

struct page_work {
    const struct http_page *page;
    struct http_page_query query;
};

static const struct http_page *find_page(const struct http_request *request)
{
    const struct http_options *options = &request->http->options;
    for (uint32_t i = 0; i < options->pages_count; i++) {
        if (strcmp(options->pages[i].path, request->route->path) == 0) {
            return &options->pages[i];
        }
    }
    return NULL;
}

static enum err write_page(struct http_request *request)
{
    const struct page_work *work = request->work;
    return work->page->write(request->http->options.expose_context, &work->query, &request->out);
}

/* False: it was answered. */
static bool is_allowed(struct http_request *request)
{
    if (http_is_trusted(request)) {
        return true;
    }
    metric_add(request->http->options.slot, METRIC_HTTP_DENIED, 1);
    http_answer_text(request, 403, HTTP_TEXT_TYPE,
                     BYTES_OF("only from this machine, or with the manager's token\n"));
    return false;
}

void api_page(struct http_request *request)
{
    const struct http_page *page = find_page(request);
    if (page == NULL) {
        http_answer_status(request, 404);
        return;
    }
    if (!is_allowed(request)) {
        return;
    }
    struct page_work *work = http_acquire(request, sizeof(*work));
    if (work == NULL) {
        return;
    }
    work->page = page;
    work->query.seconds = http_query_number(request, "seconds", SECONDS_MAX);
    work->query.base = http_query(request, "base");
    work->query.body = (struct bytes){.data = request->body, .size = request->body_size};
    request->work = work;
    request->read_type = page->content_type;
    const char *failure = "this cannot be shown now";
    if (page->is_slow) {
        http_read_slowly(request, write_page, page->size, failure);
    } else {
        http_read_first(request, write_page, page->size, failure);
    }
}

/* ---- Who holds the most: survey.h. ---- */

#define ENTRY_BYTES (SURVEY_NAME_BYTES_MAX * 6 + 96u) /* escaped, with what is around it */
#define TOP_BYTES   ((size_t)SURVEY_KINDS_COUNT * (SURVEY_TOP * ENTRY_BYTES + 32u))

static void write_entry(struct json_text *json, const struct survey_entry *entry,
                        const char *detail)
{
    json_text_object_begin(json);
    json_text_key(json, "name");
    json_text_string(json, (struct bytes){.data = entry->name, .size = entry->name_size});
    if (detail != NULL) {
        json_text_key(json, detail);
        json_text_unsigned(json, entry->detail);
    }
    json_text_key(json, "shard");
    json_text_unsigned(json, entry->shard);
    json_text_key(json, "bytes");
    json_text_unsigned(json, entry->bytes);
    json_text_object_end(json);
}

static void write_survey(struct json_text *json, const struct survey *survey)
{
    static const struct {
        const char *name;
        const char *detail;
    } kinds[SURVEY_KINDS_COUNT] = {
        [SURVEY_CONNECTIONS] = {"connections", "device_flag"},
        [SURVEY_USERS] = {"users", NULL},
        [SURVEY_CHANNELS] = {"channels", "channel_type"},
    };
    json_text_object_begin(json);
    for (uint32_t kind = 0; kind < SURVEY_KINDS_COUNT; kind++) {
        json_text_key(json, kinds[kind].name);
        json_text_array_begin(json);
        for (uint32_t i = 0; i < survey->lists[kind].count; i++) {
            write_entry(json, &survey->lists[kind].entries[i], kinds[kind].detail);
        }
        json_text_array_end(json);
    }
    json_text_object_end(json);
}

static void survey_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct survey *survey = CONTAINER_OF(letter, struct survey, letter);
    struct http_request *request = survey->context;
    if (http_out_open(request, TOP_BYTES)) {
        write_survey(&request->json, survey);
        http_answer_out(request, 200, HTTP_JSON_TYPE);
    }
    survey_release(survey);
}

void api_ledger_top(struct http_request *request)
{
    struct http *http = request->http;
    if (!is_allowed(request)) {
        return;
    }
    struct survey *survey = survey_acquire(&http->requests_budget);
    if (survey == NULL) {
        http_answer_busy(request);
        return;
    }
    survey->home = &http->mailbox;
    survey->on_home = survey_comes_home;
    survey->context = request;
    survey_post(survey, &http->mailer, http->options.shards);
}
