// SPDX-License-Identifier: Apache-2.0
#include "CBPFScan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent_parts.h"

#define PROGRAM "scan_buffer"
// Somebody's number; nobody is enrolled here.
#define ENROLMENT 1

struct cbpf_scanner {
    struct cbpf_agent *agent;
};

// As bpf/agent.bpf.c has it.
struct scan_request {
    uint64_t file;
    uint64_t buffer;
    uint64_t bytes;
    uint32_t enrolment;
    uint32_t outcome;
};

int cbpf_scanner_open(struct cbpf_scanner **scanner) {
    struct cbpf_scanner *opened = calloc(1, sizeof *opened);
    if (opened == NULL) return -ENOMEM;
    int result = cbpf_agent_open(&opened->agent);
    for (size_t index = 0; result == 0 && index < cbpf_agent_program_count(opened->agent); index++)
        cbpf_agent_choose(
            opened->agent, index, strcmp(cbpf_agent_section(opened->agent, index), "syscall") == 0);
    char message[256];
    if (result == 0) result = cbpf_agent_load(opened->agent, message, sizeof message);
    if (result < 0) {
        cbpf_scanner_close(opened);
        return result;
    }
    *scanner = opened;
    return 0;
}

int cbpf_scanner_set(struct cbpf_scanner *scanner, const struct cbpf_scan *scan) {
    uint32_t enrolment = ENROLMENT;
    return cbpf_map_update(cbpf_agent_map(scanner->agent, "scans"), &enrolment, scan);
}

int cbpf_scanner_run(
    struct cbpf_scanner *scanner, const void *file, const void *buffer, size_t bytes,
    uint32_t *outcome) {
    struct scan_request request = {
        .file = (uint64_t)(uintptr_t)file, .buffer = (uint64_t)(uintptr_t)buffer, .bytes = bytes,
        .enrolment = ENROLMENT};
    LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &request, .ctx_size_in = sizeof request);
    struct bpf_program *program =
        bpf_object__find_program_by_name(scanner->agent->object, PROGRAM);
    if (bpf_prog_test_run_opts(bpf_program__fd(program), &options) < 0) return -errno;
    *outcome = request.outcome;
    return (int)options.retval;
}

void cbpf_scanner_close(struct cbpf_scanner *scanner) {
    if (scanner->agent != NULL) cbpf_agent_close(scanner->agent);
    free(scanner);
}
