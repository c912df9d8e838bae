// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// A way out of a process for its own code. The raw value is the id in the catalogue.
package enum InsideVector: String, CaseIterable, Sendable {
    case descriptorPassing = "AV-012"
    case inheritedDescriptor = "AV-024"
    case userFault = "AV-035"
    case fileWrite = "AV-086"
    case standardOutput = "AV-087"
    case streamSend = "AV-088"
    case messagesOnStream = "AV-089"
    case messagesToOneAddress = "AV-090"
    case fileToSocket = "AV-091"
    case pipeToSocket = "AV-092"
    case pipePages = "AV-093"
    case pipeCopy = "AV-094"
    case pipeToPipe = "AV-095"
    case sharedFileMapping = "AV-098"
    case sharedMemory = "AV-099"
    case messageQueue = "AV-100"
    case ring = "AV-104"
    case fileName = "AV-112"
    case childArguments = "AV-113"
    case threadName = "AV-114"
    case exitStatus = "AV-115"
    case otherProcess = "AV-117"
    case ownMemory = "AV-120"
    case compatibilityEntry = "AV-138"
}

/// The application's own code: it holds the secret and takes it out of the process.
package struct InsideAttack {
    /// Longest secret that is looked at (bytes): one datagram, one message, one name.
    package static let secretBytesMax = 200

    let secret: UnsafeRawBufferPointer
    /// Of the secret's file, where one is open.
    let descriptor: Int32?

    /// - Parameters:
    ///   - secret: where the environment says it is; stays valid.
    ///   - descriptor: of the file that it was mapped from.
    package init(secret: UnsafeRawBufferPointer, descriptor: Int32? = nil) {
        self.descriptor = descriptor
        self.secret = UnsafeRawBufferPointer(rebasing: secret.prefix(Self.secretBytesMax))
    }

    /// What the attempt came to, and the refusing error number.
    package func run(_ vector: InsideVector) -> (outcome: AttackOutcome, errorNumber: Int32) {
        switch vector {
        case .descriptorPassing: descriptorPassing()
        case .inheritedDescriptor: inheritedDescriptor()
        case .userFault: outcome(clinux_probe_userfaultfd(), gaining: .changed)
        case .ring: outcome(clinux_probe_io_uring(), gaining: .leaked)
        case .compatibilityEntry: outcome(clinux_compatibility_call(), gaining: .controlled)
        case .otherProcess: otherProcess()
        case .ownMemory:
            received {
                $0.copyMemory(from: secret); return Int64(secret.count)
            }
        case .fileWrite: throughFile()
        case .sharedFileMapping: throughMapping(temporaryFile())
        case .sharedMemory: throughMapping(clinux_memfd_create("outward"))
        case .streamSend: throughSocket { write($0, secret.baseAddress, secret.count) }
        case .standardOutput: standardOutput()
        case .messagesOnStream: throughSocket { sendMessages($0, 1) }
        case .messagesToOneAddress: toOneAddress()
        case .childArguments: childArguments()
        case .exitStatus: exitStatus()
        case .fileToSocket: fileToSocket()
        case .pipeToSocket: pipeToSocket()
        case .pipePages: pipePages()
        case .pipeCopy: twoPipes { clinux_tee($0, $1, secret.count) }
        case .pipeToPipe: twoPipes { clinux_splice($0, $1, secret.count) }
        case .messageQueue:
            received { clinux_message_round(secret.baseAddress, secret.count, $0.baseAddress) }
        case .fileName: fileName()
        case .threadName: threadName()
        }
    }

    private func outcome(
        _ result: Int32, gaining gain: AttackOutcome
    ) -> (AttackOutcome, Int32) {
        result < 0 ? (.refused, -result) : (gain, 0)
    }

    /// Whether what `body` puts into a buffer is the secret.
    func received(
        _ body: (UnsafeMutableRawBufferPointer) -> Int64
    ) -> (AttackOutcome, Int32) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.secretBytesMax, alignment: 16)
        defer {
            clinux_zero(buffer.baseAddress, buffer.count)
            buffer.deallocate()
        }
        let got = body(buffer)
        guard got >= 0 else { return (.refused, Int32(-got)) }
        let arrived = UnsafeRawBufferPointer(rebasing: buffer.prefix(Int(got)))
        let isSecret =
            arrived.count >= Needle.bytesMin
            && arrived.elementsEqual(secret.prefix(arrived.count))
        return (isSecret ? .leaked : .absent, 0)
    }

    private func otherProcess() -> (AttackOutcome, Int32) {
        // Whether the address exists there does not matter: the filter or EFAULT answers.
        let put = clinux_process_vm_writev(
            getppid(), UInt64(UInt(bitPattern: secret.baseAddress)), secret.baseAddress,
            secret.count)
        return put < 0 ? (.refused, Int32(-put)) : (.leaked, 0)
    }

    private func throughFile() -> (AttackOutcome, Int32) {
        let file = temporaryFile()
        guard file >= 0 else { return (.unavailable, errno) }
        defer { close(file) }
        guard write(file, secret.baseAddress, secret.count) == secret.count else {
            return (.refused, errno)
        }
        return received { clinux_read_at(file, 0, $0.baseAddress, secret.count) }
    }

    /// An open file without a name.
    private func temporaryFile() -> Int32 {
        let path = "/tmp/cloudtaser-inside-\(getpid())"
        let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if file >= 0 { unlink(path) }
        return file
    }

    private func throughMapping(_ file: Int32) -> (AttackOutcome, Int32) {
        guard file >= 0 else { return (.unavailable, errno) }
        defer { close(file) }
        guard fill(mapping: file) else { return (.refused, errno) }
        return received { clinux_read_at(file, 0, $0.baseAddress, secret.count) }
    }

    /// Stores the secret into a mapping of the file.
    private func fill(mapping file: Int32) -> Bool {
        guard ftruncate(file, off_t(secret.count)) == 0,
            let base = mmap(nil, secret.count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0),
            base != MAP_FAILED, let source = secret.baseAddress
        else { return false }
        base.copyMemory(from: source, byteCount: secret.count)
        munmap(base, secret.count)
        return true
    }

    private func fileToSocket() -> (AttackOutcome, Int32) {
        let file = clinux_memfd_create("outward")
        guard file >= 0 else { return (.unavailable, -file) }
        defer { close(file) }
        guard fill(mapping: file) else { return (.unavailable, errno) }
        return throughSocket { Int(clinux_sendfile($0, file, secret.count)) }
    }

    private func pipeToSocket() -> (AttackOutcome, Int32) {
        throughPipe { out, into in
            let filled = fill(out)
            guard filled > 0 else { return filled }
            var moved: Int64 = 0
            let result = throughSocket { socket in
                moved = clinux_splice(into, socket, secret.count)
                return Int(moved)
            }
            // Back into the pipe, where the caller looks.
            return result.0 == .leaked ? fill(out) : min(moved, -1)
        }
    }

    /// vmsplice of the secret's pages, and of a copy where the kernel refuses the pages.
    private func fill(_ pipe: Int32) -> Int64 {
        let taken = clinux_vmsplice(pipe, secret.baseAddress, secret.count)
        guard taken < 0 else { return taken }
        return Int64(write(pipe, secret.baseAddress, secret.count))
    }

    /// vmsplice of the secret's pages, or of a copy in ordinary memory; by no other call.
    private func pipePages() -> (AttackOutcome, Int32) {
        let copy = UnsafeMutableRawBufferPointer.allocate(
            byteCount: secret.count, alignment: 16)
        copy.copyMemory(from: secret)
        // The pipe refers to its page until it was read.
        defer {
            clinux_zero(copy.baseAddress, copy.count)
            copy.deallocate()
        }
        return throughPipe { out, _ in
            let taken = clinux_vmsplice(out, secret.baseAddress, secret.count)
            return taken < 0 ? clinux_vmsplice(out, copy.baseAddress, copy.count) : taken
        }
    }

    func throughSocket(_ send: (Int32) -> Int) -> (AttackOutcome, Int32) {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            return (.unavailable, errno)
        }
        defer { for end in ends { close(end) } }
        let sent = send(ends[0])
        guard sent > 0 else { return (.refused, sent < -1 ? Int32(-sent) : errno) }
        return received { Int64(read(ends[1], $0.baseAddress, $0.count)) }
    }

    private func throughPipe(_ send: (_ out: Int32, _ into: Int32) -> Int64) -> (
        AttackOutcome, Int32
    ) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return (.unavailable, errno) }
        defer { for end in ends { close(end) } }
        let sent = send(ends[1], ends[0])
        guard sent > 0 else { return (.refused, Int32(-sent)) }
        return received { Int64(read(ends[0], $0.baseAddress, $0.count)) }
    }

    private func twoPipes(_ move: (_ from: Int32, _ to: Int32) -> Int64) -> (AttackOutcome, Int32) {
        var first: [Int32] = [-1, -1]
        guard pipe(&first) == 0 else { return (.unavailable, errno) }
        defer { for end in first { close(end) } }
        guard fill(first[1]) > 0 else { return (.unavailable, errno) }
        return throughPipe { out, _ in move(first[0], out) }
    }

    private func fileName() -> (AttackOutcome, Int32) {
        let path = "/tmp/" + String(decoding: secret, as: UTF8.self)
        let file = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard file >= 0 else { return (.refused, errno) }
        close(file)
        unlink(path)
        return (.leaked, 0)
    }

    /// 15 bytes of it: /proc/PID/comm shows them to everybody.
    private func threadName() -> (AttackOutcome, Int32) {
        let piece = Array(secret.prefix(15)) + [0]
        let named = piece.withUnsafeBufferPointer {
            clinux_prctl(PR_SET_NAME, UInt(bitPattern: $0.baseAddress), 0, 0, 0)
        }
        guard named >= 0 else { return (.refused, -named) }
        guard case .success(let shown) = TargetProcess.read("/proc/self/comm") else {
            return (.absent, 0)
        }
        return (shown.starts(with: piece.dropLast()) ? .leaked : .absent, 0)
    }
}
