// SPDX-License-Identifier: Apache-2.0
#include "CCurlShims.h"

CURLcode curl_set_number(CURL *handle, CURLoption option, long number) {
    return curl_easy_setopt(handle, option, number);
}

CURLcode curl_set_text(CURL *handle, CURLoption option, const char *text) {
    return curl_easy_setopt(handle, option, text);
}

CURLcode curl_set_list(CURL *handle, CURLoption option, struct curl_slist *list) {
    return curl_easy_setopt(handle, option, list);
}

CURLcode curl_set_bytes(CURL *handle, CURLoption option, const void *bytes, size_t count) {
    struct curl_blob blob = {.data = (void *)bytes, .len = count, .flags = CURL_BLOB_COPY};
    return curl_easy_setopt(handle, option, &blob);
}

CURLcode curl_set_receiver(CURL *handle, size_t (*receive)(char *, size_t, size_t, void *),
                           void *context) {
    CURLcode code = curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, receive);
    return code ? code : curl_easy_setopt(handle, CURLOPT_WRITEDATA, context);
}

CURLcode curl_set_watcher(CURL *handle,
                          int (*watch)(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t),
                          void *context) {
    CURLcode code = curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, watch);
    return code ? code : curl_easy_setopt(handle, CURLOPT_XFERINFODATA, context);
}

CURLcode curl_get_number(CURL *handle, CURLINFO info, long *number) {
    return curl_easy_getinfo(handle, info, number);
}

CURLcode curl_get_text(CURL *handle, CURLINFO info, char **text) {
    return curl_easy_getinfo(handle, info, text);
}

CURLcode curl_get_certificates(CURL *handle, struct curl_certinfo **certificates) {
    return curl_easy_getinfo(handle, CURLINFO_CERTINFO, certificates);
}
