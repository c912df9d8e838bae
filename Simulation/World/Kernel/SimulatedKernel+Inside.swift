// SPDX-License-Identifier: Apache-2.0
internal import Ports

/// What a process does with its own memory, descriptors and children.
extension SimulatedKernel {
    mutating func attemptFromInside(
        _ call: SystemCall, by process: Process
    ) throws(KernelFailure) -> KernelAnswer {
        switch call {
        case .fork: return .process(makeChild(of: process, memory: .copied))
        case .cloneSharingMemory: return .process(makeChild(of: process, memory: .shared))
        case .spawnProgram: return .process(makeChild(of: process, memory: .none))
        case .exit:
            end(process.id)
            return .done
        case .load(let range):
            return .bytes(try bytes(range, of: process.id, else: .badAddress) { _ in true })
        case .send(let bytes, let channel):
            try check(bytes, on: channel, by: process.id)
            return .bytes(bytes)
        case .sendPages(let range, let channel):
            let content = try bytes(range, of: process.id, else: .badAddress, where: canPin)
            try check(content, on: channel, by: process.id)
            return .bytes(content)
        case .passDescriptor(let number, let receiver):
            let descriptor = try descriptor(number, of: process.id)
            guard table[receiver] != nil else { throw .noSuchProcess }
            if case .secretMemory = descriptor {
                try consult(.fileReceive, .processMemoryRead, by: receiver, on: process.id)
            }
            return .descriptor(try open(descriptor, in: receiver))
        case .registerUserFault(let range):
            guard features.userfaultfd else { throw .notImplemented }
            try consult(.anonymousInode, .programLoad, by: process.id, on: nil)
            _ = try bytes(range, of: process.id, else: .invalidArgument, where: canPin)
            return .done
        case .compatibilityCall:
            if process.killsForeignEntries && rules.filtersForeignEntries {
                end(process.id)
                throw .notImplemented
            }
            return .done
        default: throw .notImplemented
        }
    }

    /// Which hook sees content on its way out, if any does.
    private mutating func check(
        _ bytes: [UInt8], on channel: OutwardChannel, by sender: ProcessID
    ) throws(KernelFailure) {
        switch channel {
        case .file, .standardOutput, .ringWrite:
            try scan(bytes, at: .filePermission, by: sender)
        // Of many messages to one address the hook is shown the first; the program reads the
        // others where the caller has them.
        case .streamSocket, .datagram, .messagesOnStream, .messagesToOneAddress, .zeroCopySocket,
            .encryptedSocket, .ringSend, .ringRegisteredBuffer:
            try scan(bytes, at: .socketSendMessage, by: sender)
        case .fileToSocket, .pipeToSocket:
            if features.spliceCallsSendmsg {
                try scan(bytes, at: .socketSendMessage, by: sender)
            }
        // No hook sees the content of these.
        case .pipePages, .pipeCopy, .pipeToPipe, .sharedFileMapping, .sharedMemory, .messageQueue,
            .ringOther, .fileName, .childArguments, .threadName, .exitStatus, .otherProcessMemory:
            break
        }
    }
}
