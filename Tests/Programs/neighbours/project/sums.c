/* SPDX-License-Identifier: Apache-2.0 */
#include "project.h"

unsigned long sum_of_squares(unsigned int last) {
    unsigned long sum = 0;
    for (unsigned int number = 1; number <= last; number++) sum += (unsigned long)number * number;
    return sum;
}
