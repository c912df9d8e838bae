// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinuxProcess.h"

#include <unistd.h>

char **clinux_environment(void) { return environ; }
