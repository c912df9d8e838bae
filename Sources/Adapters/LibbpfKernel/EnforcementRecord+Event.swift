// SPDX-License-Identifier: Apache-2.0
internal import AgentPorts
import CBPFPrograms
internal import Enforcement
internal import EnforcementEvents
internal import Ports

extension EnforcementRecord {
    /// Nil when the record is of a newer program than this reader knows.
    init?(_ event: cbpf_event) {
        guard let tier = EnforcementTier(rawValue: event.tier),
            let verdict = Self.verdicts[UInt32(event.verdict)],
            let vector = VectorNumber(event.vector)
        else { return nil }
        let hook = Self.hookNames[UInt32(event.hook)] ?? "hook \(event.hook)"
        self.init(
            time: event.time, processor: event.processor, sequence: event.sequence,
            suppressed: event.suppressed, vector: vector,
            hook: hook, tier: tier, verdict: verdict, detail: event.detail,
            policyGeneration: event.generation, actor: EnforcementProcess(event.actor),
            target: event.has_target == 0 ? nil : EnforcementProcess(event.target),
            object: Self.text(event.object))
    }

    private static let verdicts: [UInt32: EventVerdict] = [
        CBPF_OBSERVED.rawValue: .observed, CBPF_DENIED.rawValue: .denied,
        CBPF_KILLED.rawValue: .killed,
    ]

    private static let hookNames: [UInt32: String] = [
        CBPF_HOOK_PTRACE_ACCESS_CHECK.rawValue: "ptrace_access_check",
        CBPF_HOOK_PTRACE_TRACEME.rawValue: "ptrace_traceme",
        CBPF_HOOK_FILE_OPEN.rawValue: "file_open",
        CBPF_HOOK_INODE_FOLLOW_LINK.rawValue: "inode_follow_link",
        CBPF_HOOK_TASK_SETRLIMIT.rawValue: "task_setrlimit",
        CBPF_HOOK_PERF_EVENT_ALLOC.rawValue: "perf_event_alloc",
        CBPF_HOOK_BPF.rawValue: "bpf",
        CBPF_HOOK_LOCKED_DOWN.rawValue: "locked_down",
        CBPF_HOOK_KERNEL_READ_FILE.rawValue: "kernel_read_file",
        CBPF_HOOK_KERNEL_LOAD_DATA.rawValue: "kernel_load_data",
        CBPF_HOOK_INODE_INIT_SECURITY_ANON.rawValue: "inode_init_security_anon",
        CBPF_HOOK_FILE_RECEIVE.rawValue: "file_receive",
        CBPF_HOOK_TASK_KILL.rawValue: "task_kill",
        CBPF_HOOK_TASK_ALLOC.rawValue: "task_alloc",
        CBPF_HOOK_TASK_MOVEMEMORY.rawValue: "task_movememory",
        CBPF_HOOK_BPF_MAP.rawValue: "bpf_map",
        CBPF_HOOK_BPF_PROG.rawValue: "bpf_prog",
        CBPF_HOOK_INODE_UNLINK.rawValue: "inode_unlink",
        CBPF_HOOK_INODE_RMDIR.rawValue: "inode_rmdir",
        CBPF_HOOK_INODE_RENAME.rawValue: "inode_rename",
        CBPF_HOOK_SB_UMOUNT.rawValue: "sb_umount",
        CBPF_HOOK_SB_MOUNT.rawValue: "sb_mount",
        CBPF_HOOK_MOVE_MOUNT.rawValue: "move_mount",
        CBPF_HOOK_FILE_PERMISSION.rawValue: "file_permission",
        CBPF_HOOK_SOCKET_SENDMSG.rawValue: "socket_sendmsg",
        CBPF_HOOK_FILE_SEND_SIGIOTASK.rawValue: "file_send_sigiotask",
        CBPF_HOOK_SYS_ENTER.rawValue: "sys_enter",
        CBPF_HOOK_SYS_EXIT.rawValue: "sys_exit",
        CBPF_HOOK_SYSTEM_CALL.rawValue: "system_call",
    ]

    /// Up to the first zero.
    static func text<Tuple>(_ characters: Tuple) -> [UInt8] {
        withUnsafeBytes(of: characters) { Array($0.prefix { $0 != 0 }) }
    }
}

extension EnforcementProcess {
    fileprivate init(_ process: cbpf_process) {
        self.init(
            thread: process.thread, group: process.group, started: process.started,
            executableInode: process.executable_inode,
            executableDevice: process.executable_device, cgroup: process.cgroup,
            capabilities: process.capabilities, user: process.user,
            enrolment: process.enrolment, role: EnrolledRole(rawValue: process.flags),
            name: EnforcementRecord.text(process.name))
    }
}
