// SPDX-License-Identifier: Apache-2.0
// Runs one command through LinuxProcessHost with values from a file: what the delivery suite
// tests. Not a product.
import CLinux
import Delivery
@preconcurrency import Glibc
import LinuxProcessHost
import Ports
import SecretMemory

/// Exit codes of its own; everything else is the command's.
enum HarnessExit {
    static let misuse: Int32 = 2
    static let systemCall: Int32 = 102
    static let deliveryFailed: Int32 = 103
    static let refused: Int32 = 104
    static let notExecutable: Int32 = 126
    static let notFound: Int32 = 127
}

func say(_ text: String) {
    fputs("delivery-harness: \(text)\n", stderr)
}

func stop(_ text: String, _ code: Int32) -> Never {
    say(text)
    exit(code)
}

func limitMemoryLock(_ bytes: UInt) {
    var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t(bytes))
    guard setrlimit(__rlimit_resource_t(8), &limit) == 0 else {
        stop("setrlimit(RLIMIT_MEMLOCK): errno \(errno)", HarnessExit.systemCall)
    }
}

func becomeUser(_ user: UInt32) {
    guard setgroups(0, nil) == 0, setgid(user) == 0, setuid(user) == 0 else {
        stop("cannot become user \(user): errno \(errno)", HarnessExit.systemCall)
    }
    // Changing the user clears it; an undumpable parent could not trace its child.
    _ = clinux_prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
}

func environment() -> [RawText] {
    var entries: [RawText] = []
    guard let block = clinux_environment() else { return entries }
    var index = 0
    while let entry = block[index] {
        entries.append(RawText(cString: entry))
        index += 1
    }
    return entries
}

/// Not `CommandLine.arguments`, which repairs what is not UTF-8.
func rawArguments(last count: Int) -> [RawText] {
    let total = Int(CommandLine.argc)
    return (total - count..<total).compactMap { index in
        CommandLine.unsafeArgv[index].map { RawText(cString: $0) }
    }
}

/// Lines of `NAME=value`, read in secret memory.
func readImage(_ path: String) throws -> DeliveryImage {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
        stop("\(path): errno \(errno)", HarnessExit.systemCall)
    }
    defer { close(descriptor) }
    let size = Int(lseek(descriptor, 0, SEEK_END))
    lseek(descriptor, 0, SEEK_SET)
    var text = try SecretBuffer(capacity: max(size, 1))
    text.fill { rest in max(read(descriptor, rest.baseAddress, rest.count), 0) }
    var lines = 1
    text.withBytes { span in
        for index in 0..<span.byteCount where newline(span, index) { lines += 1 }
    }
    // Per entry: NUL, canary and padding.
    var image = try DeliveryImage(capacity: size + 32 * lines, minimumTier: .locked)
    try text.withBytes { span in
        var start = 0
        for index in 0...span.byteCount where index == span.byteCount || newline(span, index) {
            try append(span, start..<index, to: &image)
            start = index + 1
        }
    }
    return image
}

func newline(_ span: RawSpan, _ index: Int) -> Bool {
    span.unsafeLoad(fromByteOffset: index, as: UInt8.self) == UInt8(ascii: "\n")
}

func append(_ span: RawSpan, _ line: Range<Int>, to image: inout DeliveryImage) throws {
    var name = ""
    for index in line {
        let byte = span.unsafeLoad(fromByteOffset: index, as: UInt8.self)
        if byte == UInt8(ascii: "=") {
            try image.append(name: name, value: span.extracting(index + 1..<line.upperBound))
            return
        }
        name.unicodeScalars.append(Unicode.Scalar(byte))
    }
}

func writeCounters(_ counters: SupervisorCounters, to path: String) {
    let stops = counters.stops.sorted { $0.key < $1.key }
        .map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",")
    let text = """
        {"stops":{\(stops)},"stopsBetweenExecs":\(counters.stopsBetweenExecs),\
        "notifications":\(counters.notifications),"execs":\(counters.execs),\
        "failedExecs":\(counters.failedExecs),"splices":\(counters.splices),\
        "displacedAreas":\(counters.displacedAreas),\
        "forkedRegions":\(counters.forkedRegions),\
        "killedByFailure":\(counters.killedByFailure),\
        "spliceMicroseconds":\(counters.spliceMicroseconds),\
        "orphansReaped":\(counters.orphansReaped),\
        "signalsForwarded":\(counters.signalsForwarded)}

        """
    guard let file = fopen(path, "w") else { return say("\(path): errno \(errno)") }
    fputs(text, file)
    fclose(file)
}

/// Address, bytes and bitmap, in hexadecimal digits but for the bytes.
func addIndex(
    to image: inout DeliveryImage, _ host: inout LinuxProcessHost, _ file: String?
) throws(ProcessHostFailure) {
    guard let file else { return }
    let index = try host.indexValues(of: &image)
    let digits = Array("0123456789abcdef")
    let bitmap = index.bitmap.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    let address = String(index.address, radix: 16)
    guard let stream = fopen(file, "w") else { return say("\(file): errno \(errno)") }
    fputs("\(address) \(index.byteCount) \(String(bitmap))\n", stream)
    fclose(stream)
}

func code(for failure: ProcessHostFailure) -> Int32 {
    switch failure {
    case .notFound: HarnessExit.notFound
    case .notExecutable, .argumentsTooLarge: HarnessExit.notExecutable
    case .refused: HarnessExit.refused
    case .deliveryFailed, .memory: HarnessExit.deliveryFailed
    case .systemCall: HarnessExit.systemCall
    }
}

/// From its start to its end; serves the control FIFO meanwhile.
func runOnce(
    _ host: inout LinuxProcessHost, _ launch: Launch, _ image: consuming DeliveryImage,
    _ control: inout Control?, isStuck: Bool
) throws(ProcessHostFailure) -> Int32 {
    try host.start(launch, image: image)
    if isStuck {
        var interrupted = pollfd(
            fd: host.interruptDescriptor, events: Int16(POLLIN), revents: 0)
        while poll(&interrupted, 1, -1) <= 0 { continue }
    }
    while true {
        let deadline = control == nil ? nil : monotonicTime(in: .milliseconds(20))
        switch try host.next(until: deadline) {
        case .programEnded(let end): return end.statusCode
        case .hookEnded(let end): say("hook ended: \(end.statusCode)")
        case .stopRequested(let signal): say("stop requested by \(signal)")
        case .deliveryFailed(let failed):
            say("delivery to process \(failed.process) failed at step \(failed.step)")
        case .deadline: control?.obey(&host, launch)
        }
    }
}

func waitForStopRequest(_ host: inout LinuxProcessHost, milliseconds: Int) throws {
    say("waiting")
    let event = try host.next(until: monotonicTime(in: .milliseconds(milliseconds)))
    if case .stopRequested(let signal) = event { exit(128 + signal) }
    say("no request to stop")
}

func run(_ arguments: HarnessArguments) -> Int32 {
    do {
        if let bytes = arguments.memoryLockBytes { limitMemoryLock(bytes) }
        let secretsFile = arguments.secretsFile ?? ""
        var options = LinuxProcessHost.Options()
        options.faults = arguments.faults
        options.report = { say($0) }
        options.areaBase = arguments.areaBase
        var host = try LinuxProcessHost(readyWith: options)
        var image = try readImage(secretsFile)
        if arguments.unlinksSecrets { unlink(secretsFile) }
        if let user = arguments.userID { becomeUser(user) }
        if arguments.hardens { try ProcessHardening.applyBeforeSecrets() }
        if let milliseconds = arguments.waitFirstMilliseconds {
            try waitForStopRequest(&host, milliseconds: milliseconds)
        }
        var launch = Launch(
            arguments: rawArguments(last: arguments.command.count), environment: environment(),
            delivery: arguments.mode,
            follow: arguments.follow, child: arguments.child)
        launch.mayStartAgain = arguments.mayStartAgain
        defer {
            if let path = arguments.countersFile { writeCounters(host.counters, to: path) }
        }
        var control = arguments.controlFile.map {
            Control(path: $0, indexFile: arguments.indexFile)
        }
        try addIndex(to: &image, &host, arguments.indexFile)
        for _ in 0..<arguments.restarts {
            let status = try runOnce(
                &host, launch, image, &control, isStuck: arguments.isStuck)
            say("ended: \(status)")
            image = try readImage(secretsFile)
            try addIndex(to: &image, &host, arguments.indexFile)
        }
        return try runOnce(&host, launch, image, &control, isStuck: arguments.isStuck)
    } catch let failure as ProcessHostFailure {
        say("\(failure)")
        return code(for: failure)
    } catch {
        stop("\(error)", HarnessExit.systemCall)
    }
}

do {
    let arguments = try HarnessArguments(Array(CommandLine.arguments.dropFirst()))
    if arguments.listsSteps {
        for step in SpliceStep.allCases { print(step.rawValue) }
        exit(0)
    }
    exit(run(arguments))
} catch {
    stop("\(error.message)\n\(HarnessArguments.usage)", HarnessExit.misuse)
}
