#include "edge/courier.h"

#include "base/assert.h"
#include "system/clock.h"
#include "system/crypto.h"

#include <curl/curl.h>
#include <stdio.h>

#define REDIRECTS_MAX   10L
#define CONNECTIONS_MAX 32L /* kept open when nothing is under way */
#define BUFFER_BYTES    16384L
#define HEADER_CHARS    160
#define UNREAD_BYTES    65536u /* of an unwanted answer that are read to keep its connection */

enum err courier_global_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? ERR_OK : ERR_IO;
}

void courier_global_deinit(void)
{
    curl_global_cleanup();
}

enum err courier_open(struct courier *courier, struct budget *budget)
{
    CURLM *multi = curl_multi_init();
    if (multi == NULL) {
        return ERR_BUDGET;
    }
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
    *courier = (struct courier){.multi = multi, .budget = budget};
    return ERR_OK;
}

void courier_close(struct courier *courier)
{
    if (courier->multi != NULL) {
        curl_multi_cleanup(courier->multi);
        courier->multi = NULL;
    }
}

static bool is_wanted(const struct courier_call *call)
{
    return call->area != NULL || call->room != NULL;
}

/* libcurl gives a line of a head: of the answer, and of what came before it (100, redirects). */
static size_t take_head(char *line, size_t unit, size_t count, void *context)
{
    struct courier_call *call = context;
    const size_t size = unit * count;
    long status = 0;
    if (size > 0 && (line[0] == '\r' || line[0] == '\n')) {
        curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
        call->head_status = status;
        call->head_ns = clock_now_ns();
    } else if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        call->head_status = 0;
    }
    return size;
}

/* libcurl gives a piece of the answer. What does not fit is read and dropped, so that the
 * connection can be used again; of an answer that is not wanted, only a short one is. */
static size_t take_answer(char *data, size_t unit, size_t count, void *context)
{
    struct courier_call *call = context;
    const size_t size = unit * count;
    if (!is_wanted(call)) {
        call->unread += size;
        return call->unread <= UNREAD_BYTES ? size : CURL_WRITEFUNC_ERROR;
    }
    if (call->is_cut || size == 0) {
        return size;
    }
    const size_t wanted = call->answer.size + size;
    if (wanted > call->area_size && (call->room == NULL || !call->room(call, wanted))) {
        call->is_cut = true;
        return size;
    }
    ASSERT(call->area != NULL);
    memcpy(call->area + call->answer.size, data, size);
    call->answer = (struct bytes){.data = call->area, .size = wanted};
    return size;
}

/* A redirect is no answer: what stands at its end was not reached. */
static bool has_head(const struct courier_call *call)
{
    return call->head_status >= 200 && (call->head_status < 300 || call->head_status >= 400);
}

/* libcurl asks whenever it is run. Ends a body that is not wanted and does not come to its end. */
static int watch(void *context, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                 curl_off_t up)
{
    (void)down_all, (void)down, (void)up_all, (void)up;
    const struct courier_call *call = context;
    const bool is_enough = !is_wanted(call) && has_head(call) &&
                           clock_now_ns() - call->head_ns > (uint64_t)COURIER_UNREAD_MS * 1000000;
    return is_enough ? 1 : 0;
}

static bool set_options(CURL *easy, struct courier_call *call, const char *url)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, url);
    code |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    code |= curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    code |= curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* whatever the environment says */
    code |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    code |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "jingu/" JINGU_VERSION);
    code |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)COURIER_CONNECT_MS);
    code |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    code |= curl_easy_setopt(easy, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    code |= curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    code |= curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES);
    code |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    code |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head);
    code |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    code |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
    code |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    code |= curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, watch);
    code |= curl_easy_setopt(easy, CURLOPT_XFERINFODATA, call);
    code |= curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    code |= curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    return code == CURLE_OK;
}

bool courier_url_is_good(const char *url)
{
    CURLU *parsed = curl_url();
    const bool is_good = parsed != NULL && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK;
    curl_url_cleanup(parsed);
    return is_good;
}

enum err courier_call_open(struct courier_call *call, struct courier *courier, const char *url)
{
    if (!courier_url_is_good(url)) {
        return ERR_DENIED;
    }
    if (budget_charge(courier->budget, MEMORY_RANK_DELIVER, COURIER_CALL_BYTES) != ERR_OK) {
        return ERR_BUDGET;
    }
    CURL *easy = curl_easy_init();
    if (easy == NULL || !set_options(easy, call, url)) {
        curl_easy_cleanup(easy);
        budget_refund(courier->budget, COURIER_CALL_BYTES);
        return ERR_BUDGET;
    }
    call->courier = courier;
    call->easy = easy;
    return ERR_OK;
}

enum err courier_call_readdress(struct courier_call *call, const char *url)
{
    ASSERT(!call->is_under_way);
    return curl_easy_setopt(call->easy, CURLOPT_URL, url) == CURLE_OK ? ERR_OK : ERR_BUDGET;
}

static void call_end(struct courier_call *call)
{
    curl_multi_remove_handle(call->courier->multi, call->easy);
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(call->headers);
    call->headers = NULL;
    call->is_under_way = false;
}

void courier_cancel(struct courier_call *call)
{
    if (call->is_under_way) {
        call_end(call);
    }
}

void courier_call_close(struct courier_call *call)
{
    if (call->easy == NULL) {
        return;
    }
    courier_cancel(call);
    curl_easy_cleanup(call->easy);
    call->easy = NULL;
    budget_refund(call->courier->budget, COURIER_CALL_BYTES);
}

void courier_sign(uint8_t *buffer, size_t size, struct bytes secret, uint64_t time_s,
                  char out_text[COURIER_SIGNATURE_CHARS + 1])
{
    uint8_t digits[COURIER_HEADROOM];
    struct writer writer = writer_of(digits, sizeof(digits));
    writer_decimal(&writer, time_s);
    writer_u8(&writer, '.');
    ASSERT(!writer.is_full);
    const struct bytes time = writer_bytes(&writer);
    uint8_t *begin = buffer + COURIER_HEADROOM - time.size;
    memcpy(begin, time.data, time.size);
    uint8_t digest[CRYPTO_SHA256_BYTES];
    crypto_hmac_sha256(secret, (struct bytes){.data = begin, .size = time.size + size}, digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        snprintf(out_text + 2 * i, 3, "%02x", digest[i]);
    }
}

static bool add_header(struct courier_call *call, const char *header)
{
    struct curl_slist *longer = curl_slist_append(call->headers, header);
    call->headers = longer != NULL ? longer : call->headers;
    return longer != NULL;
}

static bool add_headers(struct courier_call *call, uint8_t *buffer, size_t size,
                        struct bytes secret, uint64_t time_s)
{
    /* libcurl would wait a second for "100 Continue" before a larger body. */
    bool is_good =
        add_header(call, "Content-Type: application/json") && add_header(call, "Expect:");
    if (secret.size > 0) {
        char signature[COURIER_SIGNATURE_CHARS + 1];
        char header[HEADER_CHARS];
        courier_sign(buffer, size, secret, time_s, signature);
        snprintf(header, sizeof(header), "X-Jingu-Timestamp: %llu", (unsigned long long)time_s);
        is_good = is_good && add_header(call, header);
        snprintf(header, sizeof(header), "X-Jingu-Signature: sha256=%s", signature);
        is_good = is_good && add_header(call, header);
    }
    return is_good;
}

enum err courier_post(struct courier_call *call, uint8_t *buffer, size_t size, struct bytes secret,
                      uint64_t time_s)
{
    ASSERT(!call->is_under_way);
    ASSERT(call->headers == NULL);
    call->status = 0;
    call->head_status = 0;
    call->unread = 0;
    call->is_cut = false;
    call->fault = "";
    call->answer = (struct bytes){.data = call->area, .size = 0};
    bool is_good = add_headers(call, buffer, size, secret, time_s);
    const uint32_t timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : COURIER_TOTAL_MS;
    CURLcode code = curl_easy_setopt(call->easy, CURLOPT_POST, 1L);
    code |= curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    code |= curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
    code |= curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
    code |= curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, (char *)buffer + COURIER_HEADROOM);
    is_good = is_good && code == CURLE_OK &&
              curl_multi_add_handle(call->courier->multi, call->easy) == CURLM_OK;
    if (!is_good) {
        curl_slist_free_all(call->headers);
        call->headers = NULL;
        return ERR_BUDGET;
    }
    call->is_under_way = true;
    return ERR_OK;
}

void courier_wait(struct courier *courier, const struct wakeup *const wakeups[2], int timeout_ms)
{
    struct curl_waitfd fds[2];
    unsigned count = 0;
    while (count < COUNT_OF(fds) && wakeups[count] != NULL) {
        fds[count] = (struct curl_waitfd){.fd = wakeups[count]->fd, .events = CURL_WAIT_POLLIN};
        count++;
    }
    curl_multi_poll(courier->multi, fds, count, timeout_ms, NULL);
}

/* Where only the status is wanted, what becomes of the body behind it does not matter. */
static bool has_answered(const struct courier_call *call, CURLcode result)
{
    return result == CURLE_OK || (!is_wanted(call) && has_head(call));
}

static void take_outcome(CURL *easy, CURLcode result)
{
    char *private = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    struct courier_call *call = (struct courier_call *)(void *)private;
    long status = 0;
    if (has_answered(call, result)) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    } else {
        call->fault = curl_easy_strerror(result);
    }
    call->status = status > 0 && status < 1000 ? (uint32_t)status : 0;
    call_end(call);
    call->done(call);
}

void courier_run(struct courier *courier)
{
    int running = 0;
    curl_multi_perform(courier->multi, &running);
    CURLMsg *message;
    int left = 0;
    while ((message = curl_multi_info_read(courier->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            take_outcome(message->easy_handle, message->data.result);
        }
    }
}
