/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "project.h"

size_t count_words(const char *text) {
    size_t words = 0;
    int inside = 0;
    for (; *text != 0; text++) {
        if (!isspace((unsigned char)*text) && !inside) words++;
        inside = !isspace((unsigned char)*text);
    }
    return words;
}
