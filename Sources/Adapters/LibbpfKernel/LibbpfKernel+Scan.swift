// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
package import AgentProtocol
import CBPFPrograms
import Destinations

extension LibbpfKernel {
    /// Hooks of the programs that look for values.
    static let scanHooks = EnforcementRecord.scanHooks

    package var canScan: Bool { cbpf_agent_held_count(agent) == Self.scanHooks.count }

    package mutating func scan(
        _ request: ScanRequest, for id: EnrolmentID
    ) throws(EnforcementFailure) {
        let scan = UnsafeMutablePointer<cbpf_scan>.allocate(capacity: 1)
        scan.initialize(to: cbpf_scan())
        defer { scan.deallocate() }
        scan.pointee.address = request.address
        scan.pointee.bytes = UInt64(request.length)
        // The last member; Swift imports no array of that length.
        UnsafeMutableRawBufferPointer(start: scan, count: MemoryLayout<cbpf_scan>.size)
            .suffix(Int(CBPF_SCAN_BITMAP_BYTES)).copyBytes(from: request.bitmap)
        withUnsafeMutableBytes(of: &scan.pointee.rule) { rules in
            let rules = rules.bindMemory(to: cbpf_scan_rule.self)
            for (index, rule) in request.rules.prefix(rules.count).enumerated() {
                rules[index] = cbpf_scan_rule(rule)
            }
            scan.pointee.rules = UInt32(min(request.rules.count, rules.count))
        }
        var number = id
        try Self.check(cbpf_map_update(maps.scans, &number, scan), full: "scans")
        guard !cbpf_agent_is_held_attached(agent) else { return }
        let result = cbpf_agent_attach_held(agent)
        guard result == 0 else {
            cbpf_agent_detach_held(agent)
            try Self.check(result, "bpf(BPF_LINK_CREATE)")
            return
        }
        if let pins { try guardIdentities(pins) }
    }

    package mutating func endScan(of id: EnrolmentID) {
        var number = id
        _ = cbpf_map_delete(maps.scans, &number)
        if !Self.hasScans(maps) { cbpf_agent_detach_held(agent) }
    }

    /// Whether anybody is scanned.
    static func hasScans(_ maps: Maps) -> Bool {
        // Nobody has the number 0: this is the first key of the table.
        var none: EnrolmentID = 0
        var next: EnrolmentID = 0
        return cbpf_map_next_key(maps.scans, &none, &next) == 0
    }

    /// Whoever is scanned.
    static func scanned(_ maps: Maps) -> Set<EnrolmentID> {
        var found: Set<EnrolmentID> = []
        var number: EnrolmentID = 0
        var next: EnrolmentID = 0
        // A number that is gone meanwhile has the walk start again: what was seen ends it.
        while cbpf_map_next_key(maps.scans, &number, &next) == 0, found.insert(next).inserted {
            number = next
        }
        return found
    }

    package func scanCounts() throws(EnforcementFailure) -> ScanCounts {
        var sum = ScanCounts()
        for value in try Self.perProcessor(maps.scanCounts, 0, cbpf_scan_counts()) {
            sum.calls += value.calls
            sum.bytes += value.bytes
            sum.candidates += value.candidates
            sum.withoutIndex += value.without_index
            sum.unreadable += value.unreadable
            sum.tooLarge += value.too_large
        }
        return sum
    }
}

extension cbpf_scan_rule {
    /// IPv4 networks as those of IPv6 that they are mapped to (RFC 4291, section 2.5.5.2).
    init(_ rule: DestinationRule) {
        self.init()
        let isShort = rule.network.family == .version4
        let mapped: [UInt8] = isShort ? [UInt8](repeating: 0, count: 10) + [0xff, 0xff] : []
        let bits = rule.network.length + mapped.count * 8
        withUnsafeMutableBytes(of: &address) { $0.copyBytes(from: mapped + rule.network.bytes) }
        withUnsafeMutableBytes(of: &mask) { bytes in
            for index in bytes.indices {
                let kept = min(max(bits - 8 * index, 0), 8)
                bytes[index] = UInt8(truncatingIfNeeded: 0xff00 >> kept)
            }
        }
        port = rule.port ?? 0
        // A position that the programs have no bit for matches nothing.
        secret = rule.secret.map { UInt16($0) } ?? UInt16(CBPF_SCAN_ANY_SECRET)
    }
}
