// SPDX-License-Identifier: Apache-2.0
// libcurl's calls with variable arguments, which Swift cannot import. Each function is one call.
#pragma once
#include <curl/curl.h>

/// curl_easy_setopt with a number.
CURLcode curl_set_number(CURL *handle, CURLoption option, long number);

/// curl_easy_setopt with a text, which is copied; NULL takes the option back.
CURLcode curl_set_text(CURL *handle, CURLoption option, const char *text);

/// curl_easy_setopt with a list, which must live as long as the transfer.
CURLcode curl_set_list(CURL *handle, CURLoption option, struct curl_slist *list);

/// curl_easy_setopt with bytes, which are copied (CURL_BLOB_COPY).
CURLcode curl_set_bytes(CURL *handle, CURLoption option, const void *bytes, size_t count);

/// CURLOPT_WRITEFUNCTION and CURLOPT_WRITEDATA.
CURLcode curl_set_receiver(CURL *handle, size_t (*receive)(char *, size_t, size_t, void *),
                           void *context);

/// CURLOPT_XFERINFOFUNCTION and CURLOPT_XFERINFODATA: a result that is not 0 ends the transfer.
CURLcode curl_set_watcher(CURL *handle,
                          int (*watch)(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t),
                          void *context);

/// curl_easy_getinfo of a number.
CURLcode curl_get_number(CURL *handle, CURLINFO info, long *number);

/// curl_easy_getinfo of a text, which lives until the next transfer.
CURLcode curl_get_text(CURL *handle, CURLINFO info, char **text);

/// curl_easy_getinfo of CURLINFO_CERTINFO, which lives until the next transfer.
CURLcode curl_get_certificates(CURL *handle, struct curl_certinfo **certificates);
