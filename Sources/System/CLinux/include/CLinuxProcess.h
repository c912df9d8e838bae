// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// The environment block of this process (environ(7)), NULL-terminated, writable in place.
char **clinux_environment(void);
