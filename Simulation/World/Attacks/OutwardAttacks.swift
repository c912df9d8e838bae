// SPDX-License-Identifier: Apache-2.0
package import Ports

/// Sends a copy of the secret out by one channel.
package protocol ChannelAttack: InsideAttack {
    static var channel: OutwardChannel { get }
    /// Turns what was sent into the secret again; also its own reverse.
    static func disguise(_ bytes: [UInt8]) -> [UInt8]
}

extension ChannelAttack {
    package static func disguise(_ bytes: [UInt8]) -> [UInt8] { bytes }

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        let secret = try loadSecret(scene, on: &kernel)
        let arrived = try kernel.bytes(
            .send(Self.disguise(secret), Self.channel), by: scene.attacker)
        return scene.gain(from: Self.disguise(arrived))
    }
}

/// The mapping of the application that holds the secret, read by the application itself.
private func loadSecret(
    _ scene: AttackScene, on kernel: inout some Kernel
) throws(KernelFailure) -> [UInt8] {
    for region in try kernel.regions(of: scene.target) {
        let bytes = try kernel.bytes(.load(region.range), by: scene.attacker)
        if scene.isLeak(bytes) { return bytes }
    }
    throw .badAddress
}

/// Not encryption, but what a scan for the plain bytes sees of it is the same: none of them.
private func masked(_ bytes: [UInt8]) -> [UInt8] { bytes.map { $0 ^ 0x5A } }

/// write(2) to a file.
package struct FileWrite: ChannelAttack {
    package static let id = "AV-086"
    package static let channel = OutwardChannel.file
    package init() {}
}

/// The container's log.
package struct StandardOutput: ChannelAttack {
    package static let id = "AV-087"
    package static let channel = OutwardChannel.standardOutput
    package init() {}
}

/// send(2) on a connection.
package struct StreamSend: ChannelAttack {
    package static let id = "AV-088"
    package static let channel = OutwardChannel.streamSocket
    package init() {}
}

/// sendmmsg(2) on a connection: the hook sees each message.
package struct MessagesOnStream: ChannelAttack {
    package static let id = "AV-089"
    package static let channel = OutwardChannel.messagesOnStream
    package init() {}
}

/// sendmmsg(2) of datagrams to one address: the hook sees the first.
package struct MessagesToOneAddress: ChannelAttack {
    package static let id = "AV-090"
    package static let channel = OutwardChannel.messagesToOneAddress
    package init() {}
}

/// sendfile(2) of a file that a mapping filled.
package struct FileToSocket: ChannelAttack {
    package static let id = "AV-091"
    package static let channel = OutwardChannel.fileToSocket
    package init() {}
}

/// splice(2) of a pipe that vmsplice filled.
package struct PipeToSocket: ChannelAttack {
    package static let id = "AV-092"
    package static let channel = OutwardChannel.pipeToSocket
    package init() {}
}

/// tee(2).
package struct PipeCopy: ChannelAttack {
    package static let id = "AV-094"
    package static let channel = OutwardChannel.pipeCopy
    package init() {}
}

/// splice(2) between pipes.
package struct PipeToPipe: ChannelAttack {
    package static let id = "AV-095"
    package static let channel = OutwardChannel.pipeToPipe
    package init() {}
}

/// Stores to a mapped file.
package struct SharedFileMapping: ChannelAttack {
    package static let id = "AV-098"
    package static let channel = OutwardChannel.sharedFileMapping
    package init() {}
}

/// Shared memory.
package struct SharedMemory: ChannelAttack {
    package static let id = "AV-099"
    package static let channel = OutwardChannel.sharedMemory
    package init() {}
}

/// A message queue.
package struct MessageQueue: ChannelAttack {
    package static let id = "AV-100"
    package static let channel = OutwardChannel.messageQueue
    package init() {}
}

/// io_uring: write.
package struct RingWrite: ChannelAttack {
    package static let id = "AV-101"
    package static let channel = OutwardChannel.ringWrite
    package init() {}
}

/// io_uring: send.
package struct RingSend: ChannelAttack {
    package static let id = "AV-102"
    package static let channel = OutwardChannel.ringSend
    package init() {}
}

/// A ring at all.
package struct RingCreation: ChannelAttack {
    package static let id = "AV-104"
    package static let channel = OutwardChannel.ringOther
    package init() {}
}

/// io_uring: other operations.
package struct RingOther: ChannelAttack {
    package static let id = "AV-105"
    package static let channel = OutwardChannel.ringOther
    package init() {}
}

/// Names of files.
package struct FileName: ChannelAttack {
    package static let id = "AV-112"
    package static let channel = OutwardChannel.fileName
    package init() {}
}

/// Arguments of a child.
package struct ChildArguments: ChannelAttack {
    package static let id = "AV-113"
    package static let channel = OutwardChannel.childArguments
    package init() {}
}

/// Names of threads, 15 bytes at a time.
package struct ThreadName: ChannelAttack {
    package static let id = "AV-114"
    package static let channel = OutwardChannel.threadName
    package init() {}
}

/// Exit codes, signals, timing.
package struct ExitStatus: ChannelAttack {
    package static let id = "AV-115"
    package static let channel = OutwardChannel.exitStatus
    package init() {}
}

/// Names in DNS queries.
package struct NameQuery: ChannelAttack {
    package static let id = "AV-116"
    package static let channel = OutwardChannel.datagram
    package init() {}
}

/// Writes into another process.
package struct OtherProcessMemory: ChannelAttack {
    package static let id = "AV-117"
    package static let channel = OutwardChannel.otherProcessMemory
    package init() {}
}

/// TLS by the application's own library.
package struct EncryptedSend: ChannelAttack {
    package static let id = "AV-108"
    package static let channel = OutwardChannel.encryptedSocket
    package init() {}

    package static func disguise(_ bytes: [UInt8]) -> [UInt8] { masked(bytes) }
}

/// The secret in another form.
package struct EncodedSend: ChannelAttack {
    package static let id = "AV-110"
    package static let channel = OutwardChannel.streamSocket
    package init() {}

    package static func disguise(_ bytes: [UInt8]) -> [UInt8] { masked(bytes) }
}

/// Sends the secret's own pages, and a copy of them where the kernel refuses the pages.
package protocol PageAttack: InsideAttack {
    static var channel: OutwardChannel { get }
}

extension PageAttack {
    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        do throws(KernelFailure) {
            return try kernel.search(scene) { .sendPages($0, Self.channel) }
        } catch {
            let copy = try loadSecret(scene, on: &kernel)
            return scene.gain(
                from: try kernel.bytes(.send(copy, Self.channel), by: scene.attacker))
        }
    }
}

/// vmsplice(2).
package struct PipePages: PageAttack {
    package static let id = "AV-093"
    package static let channel = OutwardChannel.pipePages
    package init() {}
}

/// io_uring: a registered buffer.
package struct RingRegisteredBuffer: PageAttack {
    package static let id = "AV-103"
    package static let channel = OutwardChannel.ringRegisteredBuffer
    package init() {}
}

/// MSG_ZEROCOPY.
package struct ZeroCopySend: PageAttack {
    package static let id = "AV-107"
    package static let channel = OutwardChannel.zeroCopySocket
    package init() {}
}
