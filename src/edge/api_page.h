/*
 * api_page.h -- pages that show the server itself: the ledger and the profiles.
 *
 * What is on them is written by whoever started the HTTP thread (http_options.pages);
 * here is who may see them, and on which thread they are written.
 */
#pragma once

struct http_request;

void api_page(struct http_request *request);

/* The connections, users and channels that hold the most memory. */
void api_ledger_top(struct http_request *request);
