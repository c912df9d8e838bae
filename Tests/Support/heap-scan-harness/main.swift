// SPDX-License-Identifier: Apache-2.0
//
// heap-scan-harness key=value…: fetches a secret with the real VaultSecretStore under a limit of
// locked memory, scans its own memory for it and for the credentials, and prints one JSON object.
// A needle's file holds random bytes, then the needle XORed with them, so that reading it leaves
// no copy. Options: Options.swift.
import CLinux
import Delivery
@preconcurrency import Glibc
import MemoryScan
import Ports
import SecretMemory
import VaultSecretStore

/// Takes the limit, or the hard limit where that is lower. Root holds CAP_IPC_LOCK, which lifts
/// the limit: it becomes a user of its own first.
func confine(toBytes bytes: UInt64) throws {
    let isRoot = getuid() == 0
    let bound = isRoot ? bytes : min(bytes, try MemoryLockLimit.current().hardBytes)
    try MemoryLockLimit.set(softBytes: bound, hardBytes: bound)
    guard isRoot else { return }
    let identity = uid_t(1_000_000 + getpid())
    guard setgid(identity) == 0, setuid(identity) == 0 else {
        throw HarnessFailure(what: "setuid", detail: String(errno))
    }
}

/// How much can be locked, tried at the amounts that the expectations are about: some kernels
/// count what other processes of this user have locked.
func lockableBytes(atMost limit: UInt64) -> Int {
    for bytes in [8 << 20, 1 << 20, 64 << 10] where UInt64(bytes) <= limit {
        if let region = try? SecretRegion(payloadBytes: bytes, minimumTier: .locked) {
            region.release()
            return bytes
        }
    }
    return 0
}

/// Unmasks a needle's file straight into the scanner's memory.
func loadNeedle(_ name: String, file: String, into scanner: HeapScanner) throws {
    let descriptor = open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw HarnessFailure(what: "open \(file)", detail: "\(errno)") }
    defer { close(descriptor) }
    let count = Int(lseek(descriptor, 0, SEEK_END)) / 2
    try scanner.addNeedle(name, byteCount: count) { target in
        for index in target.indices {
            var pad: UInt8 = 0
            var masked: UInt8 = 0
            pread(descriptor, &pad, 1, off_t(index))
            pread(descriptor, &masked, 1, off_t(count + index))
            target[index] = pad ^ masked
        }
    }
}

/// The arena's share of the report.
func arenaReport() -> JSONText {
    guard let report = OpenSSLAllocator.report else { return .object([]) }
    return .object([
        ("tier", .string(report.tier.name)), ("weakestTier", .string(report.weakestTier.name)),
        ("bytes", .number(report.arenaBytes)), ("peakBytes", .number(report.peakBytes)),
        ("ordinaryPeakBytes", .number(report.ordinaryPeakBytes)),
        ("spilledBytes", .number(report.spilledBytes)), ("refused", .number(report.refused)),
    ])
}

/// What the run showed so far.
struct Findings {
    var outcome = "fetched"
    var scans: [JSONText] = []
    /// Needles that secret memory held, by phase.
    var held: [(String, JSONText)] = []
    var imageTier = ""
    /// What a careless program keeps.
    var careless: [String] = []

    mutating func look(_ scanner: HeapScanner, phase: String) throws {
        scans.append(try scanner.scan().json(phase: phase))
        held.append((phase, .array(try scanner.needlesInSecretMemory().map { .string($0) })))
    }
}

/// A small file as a careless program reads it.
func text(of path: String) throws -> String {
    guard let file = fopen(path, "r") else {
        throw HarnessFailure(what: "open \(path)", detail: "\(errno)")
    }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self)
}

func fetch(_ options: Options, _ scanner: HeapScanner, _ findings: inout Findings) throws {
    var image = try DeliveryImage(minimumTier: options.minimumTier)
    findings.imageTier = image.tier.name
    // As the wrapper does it: forgetting gives OpenSSL's memory back.
    var store = OneTimeVaultStore(
        try VaultSecretStore(settings: options.settings, credential: nil))
    _ = try store.logIn()
    try findings.look(scanner, phase: "logged in")
    var failure: DeliveryFailure?
    var careless: [String] = []
    let query = SecretQuery(path: options.path)
    _ = try store.read(query, fields: [options.field], onLease: { _ in }) { _, value in
        if options.isCareless {
            careless.append(value.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
        }
        do throws(DeliveryFailure) { try image.append(name: "SECRET", value: value) } catch {
            failure = error
        }
    }
    if let failure { throw failure }
    if options.isCareless { careless.append(try text(of: options.credential)) }
    findings.careless = careless
    findings.imageTier = image.tier.name
    try findings.look(scanner, phase: "holding")
    store.forget()
    try findings.look(scanner, phase: "forgotten")
}

/// The control: a scan in which something must be found, in the places and forms that matter.
func control(_ scanner: HeapScanner) throws -> JSONText {
    let heap = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    heap.initializeMemory(as: UInt8.self, repeating: 0)
    var planted: [(form: NeedleForm, offset: Int)] = []
    for form in scanner.forms(of: "secret") {
        let offset = planted.count * 1024 + 3
        scanner.withNeedle("secret", form) { bytes in
            UnsafeMutableRawBufferPointer(rebasing: heap[offset...]).copyMemory(from: bytes)
        }
        planted.append((form, offset))
    }
    let hits = try scanner.scan().hits
    let start = UInt(bitPattern: heap.baseAddress)
    let missed = planted.filter { plant in
        !hits.contains { $0.form == plant.form && $0.address == start + UInt(plant.offset) }
    }
    clinux_zero(heap.baseAddress, heap.count)
    heap.deallocate()
    return .object([
        ("planted", .number(planted.count)),
        ("missed", .array(missed.map { .string($0.form.rawValue) })),
    ])
}

func run() throws {
    let options = try Options(CommandLine.arguments.dropFirst())
    let scanner = try HeapScanner()
    for needle in options.needles {
        try loadNeedle(needle.name, file: needle.file, into: scanner)
    }
    if let bytes = options.lockBytes { try confine(toBytes: bytes) }
    let limit = try MemoryLockLimit.raiseSoftToHard()
    let lockable = lockableBytes(atMost: limit.softBytes)
    var findings = Findings()
    do {
        try fetch(options, scanner, &findings)
    } catch let error as HarnessFailure {
        throw error
    } catch {
        findings.outcome = "\(error)"
        try findings.look(scanner, phase: "failed")
    }
    let arena = arenaReport()
    OpenSSLAllocator.shutDown()
    try findings.look(scanner, phase: "shut down")
    let report = JSONText.object([
        ("outcome", .string(findings.outcome)),
        ("lockBytes", .number(Int(clamping: limit.softBytes))),
        ("lockableBytes", .number(lockable)),
        ("tiers", .object([("arena", arena), ("image", .string(findings.imageTier))])),
        ("scans", .array(findings.scans)), ("held", .object(findings.held)),
        ("carelessBytes", .number(findings.careless.reduce(0) { $0 + $1.utf8.count })),
        ("control", try control(scanner)),
    ])
    print(report.text)
}

do {
    try run()
} catch {
    fputs("heap-scan-harness: \(error)\n", stderr)
    exit(2)
}
