// SPDX-License-Identifier: Apache-2.0
// What the VM tests count instructions with.
#pragma once
#include <stdint.h>

/// The processor's time-stamp counter (RDTSC). QEMU with `-icount shift=0` counts one instruction
/// as one tick. 0 on another architecture than x86-64.
uint64_t clinux_time_stamp(void);

/// Executes twice `steps` instructions (at least one step), and a few for the call. Nothing on
/// another architecture than x86-64.
void clinux_count_down(uint64_t steps);
