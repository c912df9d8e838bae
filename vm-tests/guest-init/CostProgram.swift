// SPDX-License-Identifier: Apache-2.0
import CLinux
@preconcurrency import Glibc

/// A system call whose cost is counted. The raw value names it in bpf/cost-baseline.csv.
enum MeasuredCall: String, CaseIterable {
    /// No hook of any security module is asked.
    case getppid = "getppid"
    case readByte = "read-1"
    case readPage = "read-4096"
    case writeByte = "write-1"
    case writePage = "write-4096"
    case sendUnix = "sendmsg-unix"
    case sendTCP = "sendmsg-tcp"
    /// Of an ordinary file, with its close.
    case openFile = "openat"
    /// Of a file under `/proc`, with its close.
    case openProcess = "openat-proc"
    /// A program of three instructions: start, execve, end, wait.
    case execute = "execve"

    /// Calls of one round: fewer instructions than between two timer interrupts, where that can be.
    var calls: Int {
        switch self {
        // One at a time: what ended processes held is freed during some of the next ones.
        case .execute: 1
        // What the queue of a datagram socket holds (net.unix.max_dgram_qlen: 10).
        case .sendUnix, .sendTCP: 8
        default: 50
        }
    }

    var rounds: Int { self == .execute ? 200 : 60 }
}

/// Instructions of a round of calls.
struct CallCost {
    let call: MeasuredCall
    let calls: Int
    /// Of a usual round.
    let instructions: Int
}

/// `/init costs`: measures every call for each line of its input, and prints a line each, then
/// `end`. A call that fails has no line.
enum CostProgram {
    static let end = "end"

    static func run() -> Never {
        guard let place = CostPlace() else { exit(71) }
        while readLine() != nil {
            for call in MeasuredCall.allCases {
                let usual = InstructionMeter.usual(
                    rounds: call.rounds, calls: call.calls, { place.make(call) },
                    settle: { place.settle(call) })
                if let usual { print("\(call.rawValue) \(usual)") }
            }
            print(end)
            fflush(stdout)
        }
        exit(0)
    }

    /// What the program printed for one call.
    static func cost(from line: String) -> CallCost? {
        let words = line.split(separator: " ")
        guard words.count == 2, let call = MeasuredCall(rawValue: String(words[0])),
            let instructions = Int(words[1])
        else { return nil }
        return CallCost(call: call, calls: call.calls, instructions: instructions)
    }
}

/// The files, sockets and program that the calls are made on.
private struct CostPlace {
    private static let pageBytes = 4096
    private static let messageBytes = 64
    /// Read and written as files of a disk are, without a disk: ramfs reads by filemap_read().
    private static let cacheFolder = "/tmp/cost-cache"
    private static let cachedPath = "/tmp/cost-cache/page"
    private static let filePath = "/tmp/cost-file"
    private static let programPath = "/tmp/cost-program"
    private static let processPath = "/proc/self/status"
    private static let port: UInt16 = 7001

    private let zero, sink, cached, file: Int32
    private let unix: (from: Int32, to: Int32)
    private let tcp: (from: Int32, to: Int32)
    private let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: CostPlace.pageBytes, alignment: 4096)

    init?() {
        mkdir(Self.cacheFolder, 0o755)
        if access(Self.cachedPath, F_OK) != 0 {
            _ = clinux_mount("ramfs", Self.cacheFolder, "ramfs")
        }
        buffer.initializeMemory(as: UInt8.self, repeating: 1)
        zero = open("/dev/zero", O_RDONLY)
        sink = open("/dev/null", O_WRONLY)
        cached = open(Self.cachedPath, O_RDWR | O_CREAT, 0o600)
        file = open(Self.filePath, O_RDWR | O_CREAT, 0o600)
        var pair: [Int32] = [-1, -1]
        guard zero >= 0, sink >= 0,
            pwrite(cached, buffer.baseAddress, Self.pageBytes, 0) == Self.pageBytes,
            pwrite(file, buffer.baseAddress, Self.pageBytes, 0) == Self.pageBytes,
            socketpair(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0, &pair) == 0,
            let connected = Self.connected(), Self.writeProgram()
        else { return nil }
        unix = (pair[0], pair[1])
        tcp = connected
    }

    /// Whether the call did what it is for.
    func make(_ call: MeasuredCall) -> Bool {
        let bytes = buffer.baseAddress
        switch call {
        case .getppid: return Glibc.getppid() > 0
        case .readByte: return read(zero, bytes, 1) == 1
        case .readPage: return pread(cached, bytes, Self.pageBytes, 0) == Self.pageBytes
        case .writeByte: return write(sink, bytes, 1) == 1
        case .writePage: return pwrite(file, bytes, Self.pageBytes, 0) == Self.pageBytes
        case .sendUnix: return send(to: unix.from)
        case .sendTCP: return send(to: tcp.from)
        case .openFile: return opens(Self.filePath)
        case .openProcess: return opens(Self.processPath)
        case .execute: return execute()
        }
    }

    /// Empties what a round of calls has filled.
    func settle(_ call: MeasuredCall) {
        let socket = call == .sendUnix ? unix.to : call == .sendTCP ? tcp.to : -1
        guard socket >= 0 else { return }
        while recv(socket, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT)) > 0 {}
    }

    private func send(to socket: Int32) -> Bool {
        var part = iovec(iov_base: buffer.baseAddress, iov_len: Self.messageBytes)
        return withUnsafeMutablePointer(to: &part) { part in
            var message = msghdr()
            message.msg_iov = part
            message.msg_iovlen = 1
            return sendmsg(socket, &message, 0) == Self.messageBytes
        }
    }

    private func opens(_ path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        return descriptor >= 0 && close(descriptor) == 0
    }

    private func execute() -> Bool {
        var words: [UnsafeMutablePointer<CChar>?] = [nil]
        var child: pid_t = 0
        guard posix_spawn(&child, Self.programPath, nil, nil, &words, &words) == 0 else {
            return false
        }
        var status: Int32 = -1
        return waitpid(child, &status, 0) == child && status == 0
    }

    /// A connection over loopback that sends each message at once.
    private static func connected() -> (from: Int32, to: Int32)? {
        let listener = clinux_tcp_listen("127.0.0.1", port)
        guard listener >= 0 else { return nil }
        defer { close(listener) }
        let from = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(from, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        guard result == 0, setsockopt(from, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size) == 0 else {
            return nil
        }
        let to = clinux_accept(listener)
        return to >= 0 ? (from, to) : nil
    }

    /// An ELF file of one segment and three instructions: exit(0).
    private static func writeProgram() -> Bool {
        let base: UInt64 = 0x40_0000
        let headerBytes: UInt64 = 64 + 56
        let code: [UInt8] = [
            0xB8, 0x3C, 0, 0, 0,  // mov $60, %eax
            0x31, 0xFF,  // xor %edi, %edi
            0x0F, 0x05,  // syscall
        ]
        let image =
            [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1] + bytes(0, 9)  // ELF, 64 bits, little-endian
            + bytes(2, 2) + bytes(62, 2) + bytes(1, 4)  // executable, x86-64
            + bytes(base + headerBytes, 8) + bytes(64, 8) + bytes(0, 8)  // entry, segments
            + bytes(0, 4) + bytes(64, 2) + bytes(56, 2) + bytes(1, 2) + bytes(0, 6)
            + bytes(1, 4) + bytes(5, 4)  // loaded, readable and executable
            + bytes(0, 8) + bytes(base, 8) + bytes(base, 8)
            + bytes(4096, 8) + bytes(4096, 8) + bytes(4096, 8) + code
        let program = open(programPath, O_WRONLY | O_CREAT | O_TRUNC, 0o755)
        guard program >= 0 else { return false }
        defer { close(program) }
        return write(program, image, image.count) == image.count
    }

    private static func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { $0 < 8 ? UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) : 0 }
    }
}
