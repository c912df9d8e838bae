// SPDX-License-Identifier: Apache-2.0
// A program that lets everything through: what a hook costs before any of ours does something.
#pragma once

enum cbpf_pass_form { CBPF_PASS_LSM, CBPF_PASS_MODIFY_RETURN };

/// Loads two instructions, `return 0`, for the kernel's function of this BTF id. Returns the
/// program's descriptor or -errno.
int cbpf_pass_load(enum cbpf_pass_form form, int function);

/// Attaches that program to the security hook of this name ("file_permission"), as
/// an LSM program or by modifying the return of the hook's caller (bpf(2) BPF_PROG_LOAD,
/// BPF_RAW_TRACEPOINT_OPEN). Returns a descriptor whose close(2) takes it away, or -errno.
int cbpf_pass_attach(const char *hook, enum cbpf_pass_form form);
