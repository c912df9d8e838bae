// SPDX-License-Identifier: Apache-2.0
#include "CBPFPass.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define NAME_BYTES_MAX 64

int cbpf_pass_load(enum cbpf_pass_form form, int function) {
    const struct bpf_insn pass[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    int lsm = form == CBPF_PASS_LSM;
    LIBBPF_OPTS(bpf_prog_load_opts, options,
                .expected_attach_type = lsm ? BPF_LSM_MAC : BPF_MODIFY_RETURN,
                .attach_btf_id = (uint32_t)function);
    int program = bpf_prog_load(lsm ? BPF_PROG_TYPE_LSM : BPF_PROG_TYPE_TRACING, "pass",
                                "Dual BSD/GPL", pass, sizeof pass / sizeof *pass, &options);
    return program < 0 ? -errno : program;
}

int cbpf_pass_attach(const char *hook, enum cbpf_pass_form form) {
    int lsm = form == CBPF_PASS_LSM;
    char name[NAME_BYTES_MAX];
    int length = snprintf(name, sizeof name, lsm ? "%s" : "security_%s", hook);
    if (length >= NAME_BYTES_MAX) return -ENAMETOOLONG;
    int function =
        libbpf_find_vmlinux_btf_id(name, lsm ? BPF_LSM_MAC : BPF_MODIFY_RETURN);
    if (function < 0) return function;
    int program = cbpf_pass_load(form, function);
    if (program < 0) return program;
    int link = bpf_raw_tracepoint_open(NULL, program);
    int result = link < 0 ? -errno : link;
    close(program);
    return result;
}
