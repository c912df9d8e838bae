// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
import CBPFPrograms
import Glibc

extension LibbpfKernel {
    /// What an agent of the same build left running; nil when there is none.
    package static func adopted(from pins: PinFolder) throws(EnforcementFailure) -> LibbpfKernel? {
        guard access(pins.own, F_OK) == 0 else { return nil }
        return try LibbpfKernel(adopting: pins)
    }

    /// Pins everything, and then lets go of what other builds left: there is no moment without.
    package mutating func pin(to pins: PinFolder) throws(EnforcementFailure) {
        try pins.make()
        try Self.check(cbpf_agent_pin(agent, pins.own), "bpf(BPF_OBJ_PIN)")
        for folder in pins.others { try PinFolder.remove(folder) }
    }

    /// Marks this process as the agent and guards what it consists of: from here on nobody else
    /// gets at its maps, programs, links, pins and cgroup, or at the process.
    package mutating func guardItself(
        _ pins: PinFolder, successor: AgentSuccessor
    ) throws(EnforcementFailure) {
        _ = try enrol(getpid(), as: Self.agentEnrolment, role: .agent, policy: 0)
        try forget(map: "guarded_ids", key: cbpf_guarded_key())
        try guardIdentities(pins)
        self.pins = pins
        try guardCgroup()
        var cell = try Self.guardCell(pins)
        cell.successor = successor.rawValue
        var index: UInt32 = 0
        try set("guard", &index, &cell)
    }

    /// Numbers of maps, programs and links that nobody else gets at.
    mutating func guardIdentities(_ pins: PinFolder) throws(EnforcementFailure) {
        var identities = [cbpf_guarded_key](
            repeating: cbpf_guarded_key(), count: Self.identitiesMax)
        let count = cbpf_agent_identities(agent, pins.own, &identities, identities.count)
        guard count >= 0 else {
            throw .systemCall("bpf(BPF_OBJ_GET_INFO_BY_FD)", errorNumber: Int32(-count))
        }
        for var identity in identities.prefix(Int(count)) {
            var one: UInt32 = 1
            try set("guarded_ids", &identity, &one)
        }
    }

    package mutating func leaveToSuccessor() throws(EnforcementFailure) {
        var index: UInt32 = 0
        var cell = cbpf_guard()
        guard cbpf_map_lookup(try map("guard"), &index, &cell) == 0, cell.pins_folder != 0 else {
            return
        }
        cell.successor = CBPF_SUCCESSOR_UPGRADE.rawValue
        try set("guard", &index, &cell)
    }

    /// Who executes one of these files from now on is protected from its first instruction.
    ///
    /// - Parameter index: of their policy.
    package mutating func recogniseWrappers(
        _ paths: [String], policy index: UInt32
    ) throws(EnforcementFailure) {
        try forget(map: "wrapper_files", key: cbpf_file_key())
        for path in paths {
            let facts = try Self.facts(path)
            var key = cbpf_file_key()
            key.inode = UInt64(facts.st_ino)
            key.device = Self.device(facts)
            var value = index
            try set("wrapper_files", &key, &value)
        }
    }

    package static let agentEnrolment: EnrolmentID = 2
    private static let identitiesMax = 256

    private static func guardCell(_ pins: PinFolder) throws(EnforcementFailure) -> cbpf_guard {
        var cell = cbpf_guard()
        let executable = try facts("/proc/self/exe")
        cell.executable_inode = UInt64(executable.st_ino)
        cell.executable_device = device(executable)
        let folder = try facts(pins.own)
        cell.pins_folder = UInt64(folder.st_ino)
        cell.pins_device = device(folder)
        // Pins that are seen in the machine's namespace are lost with it there.
        cell.mounts = UInt32(truncatingIfNeeded: try facts("/proc/1/ns/mnt").st_ino)
        let path = Array(pins.fileSystem.utf8)
        withUnsafeMutableBytes(of: &cell.pins_path) { place in
            // A longer path is not compared: the last byte stays zero.
            if path.count < place.count { place.copyBytes(from: path) }
        }
        return cell
    }

    /// The agent's cgroup and those above it, as far as cgroup 2 shows them here.
    private mutating func guardCgroup() throws(EnforcementFailure) {
        try forget(map: "guarded_cgroups", key: UInt64())
        var path = Self.cgroupPath
        var kind = CBPF_CGROUP_OWN.rawValue
        while !path.isEmpty {
            if var folder = (try? Self.facts(Self.cgroupRoot + path)).map({ UInt64($0.st_ino) }) {
                try set("guarded_cgroups", &folder, &kind)
            }
            kind = CBPF_CGROUP_ABOVE.rawValue
            path = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
        }
    }

    private static let cgroupRoot = "/sys/fs/cgroup"

    /// `/a/b` from `0::/a/b`; empty in the root or without cgroup 2.
    private static var cgroupPath: String {
        let descriptor = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let got = read(descriptor, &bytes, bytes.count)
        let text = String(decoding: bytes.prefix(max(0, got)), as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix("0::/") }
        return line.map { String($0.dropFirst(3)) }.flatMap { $0 == "/" ? nil : $0 } ?? ""
    }

    private static func facts(_ path: String) throws(EnforcementFailure) -> stat {
        var facts = stat()
        guard stat(path, &facts) == 0 else {
            throw .systemCall("stat of \(path)", errorNumber: errno)
        }
        return facts
    }

    /// As the kernel keeps it: 12 bits of major number, 20 of minor (linux/kdev_t.h).
    private static func device(_ facts: stat) -> UInt32 {
        let major = facts.st_dev >> 8 & 0xFFF
        let minor = facts.st_dev & 0xFF | facts.st_dev >> 12 & 0xFFF00
        return UInt32(truncatingIfNeeded: major << 20 | minor)
    }

    func map(_ name: String) throws(EnforcementFailure) -> Int32 {
        let map = cbpf_agent_map(agent, name)
        try Self.check(map, "map \(name)")
        return map
    }

    private func set<Key: BitwiseCopyable, Value: BitwiseCopyable>(
        _ name: String, _ key: inout Key, _ value: inout Value
    ) throws(EnforcementFailure) {
        let result = cbpf_map_update(try map(name), &key, &value)
        if result == -E2BIG || result == -ENOSPC { throw .full(table: name) }
        try Self.check(result, "bpf(BPF_MAP_UPDATE_ELEM) of \(name)")
    }

    /// Empties a map.
    func forget<Key: BitwiseCopyable>(
        map name: String, key: Key
    ) throws(EnforcementFailure) {
        let map = try map(name)
        var found = key
        while cbpf_map_next_key(map, nil, &found) == 0 {
            try Self.check(cbpf_map_delete(map, &found), "bpf(BPF_MAP_DELETE_ELEM) of \(name)")
        }
    }
}
