/*
 * api_docs.h -- the API described: an OpenAPI document, and a page that shows it (http-api 14.5).
 *
 * The document is openapi.json, the page docs.html; both become part of the program. A test
 * holds the document against the routing table: a new route needs its block there.
 */
#pragma once

#include "base/bytes.h"

struct http_request;

/* Made from the files when the program is built. */
extern const struct bytes api_docs_json;
extern const struct bytes api_docs_html;

void api_docs(struct http_request *request);
void api_docs_openapi(struct http_request *request);
void api_docs_health(struct http_request *request);
