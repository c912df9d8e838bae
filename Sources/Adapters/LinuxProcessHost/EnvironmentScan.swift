// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
internal import SecretMemory

/// What has to be changed in the environment array of an exec.
struct EnvironmentPlan: Equatable {
    /// Position in the array that the program sees, and the entry to put there.
    struct Fill: Equatable {
        let position: Int
        let entry: Int
    }

    /// The caller's pointers; unchanged ones are passed on as they are.
    var pointers: [UInt64] = []
    var fills: [Fill] = []
    /// The caller's array differs from what must be passed on.
    var needsPrivateArray = false

    /// Adds the caller's next pointer, given what is behind it.
    mutating func add(_ pointer: UInt64, _ finding: Finding) {
        switch finding {
        case .unrelated:
            pointers.append(pointer)
        case .holds(let entry):
            fills.append(Fill(position: pointers.count, entry: entry))
            pointers.append(pointer)
            needsPrivateArray = true
        case .insideRegion:
            // A pointer into the middle of the values: passed on, it would put a secret on the
            // new stack under a name that nobody can fill.
            needsPrivateArray = true
        }
    }

    /// What is behind one pointer of an environment array.
    enum Finding: Equatable {
        case unrelated
        /// The delivered `NAME=value`: our region's, or a copy with the same value.
        case holds(entry: Int)
        case insideRegion
    }
}

/// Reads a task's environment array and finds the delivered values in it.
///
/// Whatever may be a secret is read into secret memory, and zeroed. A program's own value under
/// a delivered name, different from the delivered one, is the program's: it is passed on.
struct EnvironmentScan {
    let tracee: Tracee
    let values: DeliveredValues
    /// What values of earlier generations were, nil when there are none.
    let retired: RetiredValues?
    let area: DeliveryArea?
    /// Working memory, secret; at least as long as the longest `NAME=`.
    let work: UnsafeMutableRawBufferPointer

    /// - Parameter array: the caller's array; 0 means an empty environment, as for execve(2).
    /// - Returns: the plan, or the errno that refused (E2BIG above the entries' limit).
    func plan(array: UInt64) -> Result<EnvironmentPlan, RegionFailure> {
        defer { clinux_zero(work.baseAddress, work.count) }
        var plan = EnvironmentPlan()
        guard array != 0 else { return .success(plan) }
        var pointers: [UInt64] = []
        switch readPointers(array) {
        case .failure(let failure): return .failure(failure)
        case .success(let found): pointers = found
        }
        plan.pointers.reserveCapacity(pointers.count)
        var position = 0
        while position < pointers.count {
            position += classify(pointers, from: position, into: &plan)
        }
        return .success(plan)
    }

    private func readPointers(_ array: UInt64) -> Result<[UInt64], RegionFailure> {
        var pointers: [UInt64] = []
        var address = array
        while pointers.count < DeliveryArea.slotEntriesMax {
            // Never past a page's end: what follows may be missing.
            let rest = Int(DeliveryArea.pageBytes - address % DeliveryArea.pageBytes)
            let wanted = min(max(rest, 8), work.count / 8 * 8)
            let room = UnsafeMutableRawBufferPointer(rebasing: work[0..<wanted])
            let got = tracee.read(address, into: room)
            guard got >= 8 else {
                return .failure(RegionFailure(errorNumber: got < 0 ? Int32(-got) : EFAULT))
            }
            for offset in stride(from: 0, to: got - 7, by: 8) {
                let pointer = work.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                guard pointer != 0 else { return .success(pointers) }
                pointers.append(pointer)
            }
            address += UInt64(got / 8 * 8)
        }
        return .failure(RegionFailure(errorNumber: E2BIG))
    }

    /// Classifies as many pointers as one read call brings in; returns how many.
    private func classify(
        _ pointers: [UInt64], from start: Int, into plan: inout EnvironmentPlan
    ) -> Int {
        let width = max(values.placeholderBytesMax, 1)
        let count = min(pointers.count - start, min(work.count / width, 512))
        let available = readPrefixes(Array(pointers[start..<start + count]), width: width)
        var matches: [(Int, Int)] = []
        for index in 0..<count {
            let prefix = UnsafeRawBufferPointer(
                rebasing: work[index * width..<index * width + available[index]])
            if let entry = values.entry(named: prefix) { matches.append((index, entry)) }
        }
        // The comparison reuses the working memory, so it comes after the last prefix was used.
        for index in 0..<count {
            let pointer = pointers[start + index]
            let candidate = matches.first { $0.0 == index }?.1
            plan.add(pointer, finding(pointer, candidate: candidate))
        }
        return count
    }

    private func finding(_ pointer: UInt64, candidate: Int?) -> EnvironmentPlan.Finding {
        if let area, area.isInRegion(pointer) {
            guard let entry = area.offsets.firstIndex(of: pointer - area.region) else {
                return .insideRegion
            }
            return .holds(entry: entry)
        }
        guard let entry = candidate,
            holdsValue(of: entry, at: pointer) || holdsRetiredValue(of: entry, at: pointer)
        else { return .unrelated }
        return .holds(entry: entry)
    }

    /// Reads `width` bytes of each string to its place in the working memory, skipping what
    /// cannot be read. Returns how many bytes each place holds.
    private func readPrefixes(_ pointers: [UInt64], width: Int) -> [Int] {
        var available = [Int](repeating: 0, count: pointers.count)
        var index = 0
        while index < pointers.count {
            var local: [iovec] = []
            var remote: [iovec] = []
            for next in index..<pointers.count {
                let rest = Int(DeliveryArea.pageBytes - pointers[next] % DeliveryArea.pageBytes)
                local.append(
                    iovec(
                        iov_base: work.baseAddress.map { $0 + next * width },
                        iov_len: min(width, rest)))
                remote.append(
                    iovec(
                        iov_base: UnsafeMutableRawPointer(bitPattern: UInt(pointers[next])),
                        iov_len: min(width, rest)))
            }
            let got = clinux_process_read(
                tracee.task, local, local.count, remote, remote.count)
            var left = max(got, 0)
            let first = index
            while index < pointers.count, left >= local[index - first].iov_len {
                available[index] = local[index - first].iov_len
                left -= available[index]
                index += 1
            }
            // The one that stopped the call is read alone below, or cannot be read.
            if index < pointers.count { index += 1 }
        }
        for index in pointers.indices where available[index] < width {
            available[index] = readAlone(pointers[index], index: index, width: width)
        }
        return available
    }

    /// A string whose prefix crosses a page's end, or ends the readable memory.
    private func readAlone(_ pointer: UInt64, index: Int, width: Int) -> Int {
        let place = UnsafeMutableRawBufferPointer(
            rebasing: work[index * width..<(index + 1) * width])
        return max(tracee.read(pointer, into: place), 0)
    }

    /// Whether the string is exactly `NAME=`.
    func isPlaceholder(of entry: Int, at address: UInt64) -> Bool {
        let expected = values.entries[entry].placeholder + [0]
        var found = [UInt8](repeating: 0xff, count: expected.count)
        let got = found.withUnsafeMutableBytes { tracee.read(address, into: $0) }
        return got == expected.count && found == expected
    }

    /// Compares the string with the entry's master copy, its closing NUL included.
    func holdsValue(of entry: Int, at address: UInt64) -> Bool {
        let byteCount = values.entries[entry].byteCount + 1
        var position = 0
        while position < byteCount {
            let wanted = min(work.count, byteCount - position)
            let room = UnsafeMutableRawBufferPointer(rebasing: work[0..<wanted])
            let got = tracee.read(address + UInt64(position), into: room)
            guard got == wanted else { return false }
            guard values.matches(entry, at: position, UnsafeRawBufferPointer(room)) else {
                return false
            }
            position += wanted
        }
        return true
    }

    /// Whether the string is what the entry was before the values were replaced: a program that
    /// still has it passes on what is newest.
    private func holdsRetiredValue(of entry: Int, at address: UInt64) -> Bool {
        guard let retired else { return false }
        return retired.contains(entry: entry) { position, count in
            let wanted = min(work.count, count - position)
            let room = UnsafeMutableRawBufferPointer(rebasing: work[0..<wanted])
            guard tracee.read(address + UInt64(position), into: room) == wanted else { return nil }
            return UnsafeRawBufferPointer(room)
        }
    }
}
