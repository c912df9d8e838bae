/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

size_t count_words(const char *text);
unsigned long sum_of_squares(unsigned int last);
