// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
import CBPFPrograms
internal import Enforcement
import Glibc

/// The agent's BPF programs in the running kernel, loaded by libbpf.
package struct LibbpfKernel: Enforcement, ~Copyable {
    /// Programs of this form are attached.
    package let tier: EnforcementTier
    /// Attached as long as the programs run.
    private let lastingHooks: [String]
    let agent: OpaquePointer
    let maps: Maps
    /// Where this agent guards itself; nil before it does.
    var pins: PinFolder?
    private var events: UnsafeMutableBufferPointer<cbpf_event>

    /// Records that one `takeRecords` can give.
    package static let recordsMax = 256
    /// Longest words of the verifier that are kept (bytes).
    private static let messageBytesMax = 64 << 10

    struct Maps {
        let tasks: Int32
        let enrolments: Int32
        let pending: Int32
        let policies: Int32
        let settings: Int32
        let counts: Int32
        let scans: Int32
        let scanCounts: Int32
    }

    /// Loads and attaches the programs of one form, as far as the kernel has their hooks. Nothing
    /// is judged before a policy is set.
    ///
    /// - Parameter pins: maps that another build left there are used on: who is protected stays so.
    package init(
        tier: EnforcementTier, succeeding pins: PinFolder? = nil
    ) throws(EnforcementFailure) {
        var opened: OpaquePointer?
        try Self.check(cbpf_agent_open(&opened), "bpf_object__open")
        guard let agent = opened else { throw .systemCall("bpf_object__open", errorNumber: EIO) }
        let parts: (maps: Maps, hooks: [String])
        do throws(EnforcementFailure) { parts = try Self.start(agent, tier, pins) } catch {
            cbpf_agent_close(agent)
            throw error
        }
        maps = parts.maps
        lastingHooks = parts.hooks
        self.agent = agent
        self.tier = tier
        events = Self.room()
    }

    private static func start(
        _ agent: OpaquePointer, _ tier: EnforcementTier, _ pins: PinFolder?
    ) throws(EnforcementFailure) -> (Maps, [String]) {
        let chosen = try choose(in: agent, tier)
        if let folder = pins?.others.first {
            try check(cbpf_agent_reuse_maps(agent, folder), "bpf_map__reuse_fd")
        }
        try load(agent)
        for program in chosen where program.isHeld {
            try check(cbpf_agent_hold(agent, program.index), "hold")
        }
        for program in chosen where !program.isIterator && !program.isHeld {
            try check(cbpf_agent_attach(agent, program.index), "bpf_link_create")
        }
        let maps = try Maps(agent)
        // Of workloads that an agent of another build enrolled.
        if hasScans(maps) {
            try check(cbpf_agent_attach_held(agent), "bpf_link_create")
        }
        try noteTier(tier, maps)
        return (maps, chosen.filter { !$0.isHeld }.compactMap(\.hook).sorted())
    }

    /// Takes over what an agent of the same build pinned.
    init(adopting pins: PinFolder) throws(EnforcementFailure) {
        var found: OpaquePointer?
        try Self.check(cbpf_agent_adopt(pins.own, &found), "bpf(BPF_OBJ_GET)")
        guard let agent = found else { throw .systemCall("bpf(BPF_OBJ_GET)", errorNumber: EIO) }
        let parts: (maps: Maps, tier: EnforcementTier)
        do throws(EnforcementFailure) {
            let maps = try Maps(agent)
            parts = (maps, try Self.notedTier(maps))
        } catch {
            cbpf_agent_close(agent)
            throw error
        }
        maps = parts.maps
        tier = parts.tier
        lastingHooks = Self.hooks(pinned: PinFolder.entries(of: pins.own))
        self.agent = agent
        events = Self.room()
    }

    private static func room() -> UnsafeMutableBufferPointer<cbpf_event> {
        let room = UnsafeMutableBufferPointer<cbpf_event>.allocate(capacity: recordsMax)
        room.initialize(repeating: cbpf_event())
        return room
    }

    /// `link_lsm_file_open` and `link_modify_file_open` are the hook file_open,
    /// `link_signal_sys_enter` is the tracepoint sys_enter.
    private static func hooks(pinned names: [String]) -> [String] {
        names.compactMap { name in
            ["link_lsm_", "link_modify_", "link_signal_", "link_call_"].first {
                name.hasPrefix($0)
            }.map { String(name.dropFirst($0.count)) }
        }.filter { !scanHooks.contains($0) }.sorted()
    }

    package var hooks: [String] {
        let isScanning = cbpf_agent_is_held_attached(agent)
        return isScanning ? (lastingHooks + Self.scanHooks).sorted() : lastingHooks
    }

    deinit {
        events.deallocate()
        cbpf_agent_close(agent)
    }

    /// A program that the kernel has a place for.
    fileprivate struct Program {
        let index: Int
        /// The LSM hook; nil for the programs that keep the books.
        let hook: String?
        let isIterator: Bool

        /// Asked about each read and write of every process: attached while somebody is scanned.
        var isHeld: Bool { hook.map(LibbpfKernel.scanHooks.contains) ?? false }
    }

    private static func choose(
        in agent: OpaquePointer, _ tier: EnforcementTier
    ) throws(EnforcementFailure) -> [Program] {
        var chosen: [Program] = []
        for index in 0..<cbpf_agent_program_count(agent) {
            let section = String(cString: cbpf_agent_section(agent, index))
            let program = Program(index, of: agent, section: section, tier)
            cbpf_agent_choose(agent, index, program != nil)
            if let program { chosen.append(program) }
        }
        let arguments = cbpf_agent_function_arguments(
            agent, tier == .lsm ? "bpf_lsm_bpf" : "security_bpf")
        guard arguments > 0 else {
            throw .unsupported(
                detail: "the kernel has no BTF of its own (CONFIG_DEBUG_INFO_BTF)")
        }
        var constants = cbpf_constants()
        constants.bpf_hook_arguments = UInt32(arguments)
        let loadArguments = cbpf_agent_function_arguments(agent, "bpf_lsm_bpf_prog_load")
        constants.load_hook_arguments = UInt32(max(loadArguments, 0))
        withUnsafeMutableBytes(of: &constants.reading_functions) { room in
            let numbers = room.bindMemory(to: UInt32.self)
            for (index, name) in readingFunctions.prefix(numbers.count).enumerated() {
                numbers[index] = UInt32(max(cbpf_agent_function(agent, name), 0))
            }
        }
        if chosen.contains(where: \.isHeld) {
            constants.vmemmap_base = pageVariables[0]
            constants.page_offset_base = pageVariables[1]
        }
        try check(cbpf_agent_set_constants(agent, &constants), "bpf_map__set_initial_value")
        return chosen
    }

    /// What the scan needs to find the bytes of a page that the kernel hands on by its number.
    private static let pageVariables = KernelSymbols.addresses(
        of: ["vmemmap_base", "page_offset_base"])

    /// The kernel's functions for BPF programs of any type that read a process or the kernel
    /// (kernel/bpf/helpers.c, kernel/trace/bpf_trace.c of Linux 6.18); older kernels have fewer.
    private static let readingFunctions = [
        "bpf_rdonly_cast", "bpf_copy_from_user_str", "bpf_copy_from_user_task_str",
        "bpf_probe_read_user_dynptr", "bpf_probe_read_kernel_dynptr",
        "bpf_probe_read_user_str_dynptr", "bpf_probe_read_kernel_str_dynptr",
        "bpf_copy_from_user_dynptr", "bpf_copy_from_user_str_dynptr",
        "bpf_copy_from_user_task_dynptr", "bpf_copy_from_user_task_str_dynptr",
    ]

    private static func load(_ agent: OpaquePointer) throws(EnforcementFailure) {
        var words = [CChar](repeating: 0, count: messageBytesMax)
        let result = cbpf_agent_load(agent, &words, words.count)
        guard result < 0 else { return }
        guard result != -EPERM else { throw .notPermitted }
        let message = words.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        throw .unsupported(detail: String(decoding: message, as: UTF8.self))
    }

    static func check(_ result: Int32, _ call: String) throws(EnforcementFailure) {
        guard result < 0 else { return }
        switch -result {
        case EPERM, EACCES: throw .notPermitted
        default: throw .systemCall(call, errorNumber: -result)
        }
    }

    /// Readable while records wait; the kernel's own, closed with it.
    package var recordsDescriptor: Int32 { cbpf_agent_events_descriptor(agent) }

    package mutating func takeRecords(
        atMost count: Int, waiting milliseconds: Int32
    ) throws(EnforcementFailure) -> [EnforcementRecord] {
        let wanted = min(count, Self.recordsMax)
        let taken = cbpf_agent_take_events(agent, milliseconds, events.baseAddress, wanted)
        guard taken >= 0 else {
            throw .systemCall("epoll_wait", errorNumber: Int32(-taken))
        }
        return events.prefix(Int(taken)).compactMap(EnforcementRecord.init)
    }
}

extension LibbpfKernel {
    /// Where programs keep the books and judge nothing.
    fileprivate static let bookHooks: Set = ["task_free", "bprm_creds_from_file", "bpf_prog_load"]
}

extension LibbpfKernel.Program {
    /// Nil when it is of the other form, or the kernel has no such hook.
    fileprivate init?(
        _ index: Int, of agent: OpaquePointer, section: String, _ tier: EnforcementTier
    ) {
        let parts = section.split(separator: "/", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        let (form, place) = (parts[0], String(parts[1]))
        let prefix = "security_"
        let hook = place.hasPrefix(prefix) ? String(place.dropFirst(prefix.count)) : place
        // They look through any number of bytes by bpf_loop (Linux 5.17).
        guard
            !LibbpfKernel.scanHooks.contains(hook)
                || cbpf_agent_kernel_has_helper(agent, "BPF_FUNC_loop")
        else { return nil }
        switch (form, tier) {
        case ("fmod_ret", .lsm) where !place.hasPrefix(prefix),
            ("fmod_ret", .modifyReturn) where !place.hasPrefix(prefix):
            // The function of a system call, beside either form, where the kernel lets it be
            // answered: asked for, because a program that is refused fails all of them.
            guard cbpf_agent_takes_replacement(agent, place) == 0 else { return nil }
            // __x64_sys_vmsplice is vmsplice.
            let name = place.split(separator: "_").dropFirst(2).joined(separator: "_")
            self.init(index: index, hook: name, isIterator: false)
        // Some of them sleep.
        case ("lsm", .lsm), ("lsm.s", .lsm):
            guard cbpf_agent_function_arguments(agent, "bpf_lsm_" + place) >= 0 else { return nil }
            let isBook = LibbpfKernel.bookHooks.contains(place)
            self.init(index: index, hook: isBook ? nil : place, isIterator: false)
        case ("fmod_ret", .modifyReturn):
            guard cbpf_agent_function_arguments(agent, place) >= 0 else { return nil }
            self.init(index: index, hook: hook, isIterator: false)
        case ("raw_tp", .signal):
            // What follows forks and ends keeps the books.
            let isBook = place.hasPrefix("sched_")
            self.init(index: index, hook: isBook ? nil : place, isIterator: false)
        case ("raw_tp", _), ("fentry", .signal): return nil
        case ("fentry", .lsm):
            // The same as an LSM program, where the kernel has the hook for it.
            let other = place == "bpf_prog_calc_tag" ? "bpf_prog_load" : hook
            guard cbpf_agent_function_arguments(agent, "bpf_lsm_" + other) < 0 else { return nil }
            self.init(index: index, hook: nil, isIterator: false)
        case ("iter", _): self.init(index: index, hook: nil, isIterator: true)
        case ("fentry", _): self.init(index: index, hook: nil, isIterator: false)
        default: return nil
        }
    }
}

extension LibbpfKernel.Maps {
    init(_ agent: OpaquePointer) throws(EnforcementFailure) {
        func map(_ name: String) throws(EnforcementFailure) -> Int32 {
            let found = cbpf_agent_map(agent, name)
            try LibbpfKernel.check(found, "bpf_object__find_map_fd_by_name")
            return found
        }
        tasks = try map("tasks")
        enrolments = try map("enrolments")
        pending = try map("pending")
        policies = try map("policies")
        settings = try map("settings")
        counts = try map("counts")
        scans = try map("scans")
        scanCounts = try map("scan_counts")
    }
}
