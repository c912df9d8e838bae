/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "project.h"

int main(int count, char **arguments) {
    char *copy = strdup(count > 1 ? arguments[1] : "one two three");
    if (copy == NULL) return EXIT_FAILURE;
    printf("%zu words, %lu\n", count_words(copy), sum_of_squares(10));
    free(copy);
    return EXIT_SUCCESS;
}
