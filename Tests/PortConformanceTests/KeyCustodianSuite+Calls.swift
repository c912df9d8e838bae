// SPDX-License-Identifier: Apache-2.0
import Foundation
import ObjectKeyPorts
import Testing

extension KeyCustodianCheck {
    static let ciphertexts = [
        KeyCustodianCheck("a ciphertext is vault:vN: and at most 160 visible characters") {
            bench in
            let name = try await bench.putKey()
            for _ in 0..<8 {
                let wrapped = try await bench.custodian.wrap(
                    try bench.custodian.newKey(), name: name, context: context)
                try require(wrapped.hasPrefix("vault:v1:"), "it begins otherwise: \(wrapped)")
                try require(wrapped.utf8.count <= 160, "\(wrapped.utf8.count) characters")
                try require(
                    wrapped.utf8.allSatisfy { (0x21...0x7E).contains($0) },
                    "not visible: \(wrapped)")
            }
        },
        KeyCustodianCheck("a ciphertext does not show the key") { bench in
            let name = try await bench.putKey()
            for _ in 0..<8 {
                let key = try bench.custodian.newKey()
                let wrapped = try await bench.custodian.wrap(key, name: name, context: context)
                let hex = key.bytes.map { String(format: "%02x", $0) }.joined()
                try require(!wrapped.lowercased().contains(hex), "the key in hex")
                let tail = String(wrapped.split(separator: ":").last ?? "")
                let decoded = [UInt8](Data(base64Encoded: tail) ?? Data())
                // Eight bytes in a row do not come by chance.
                for start in 0...24 {
                    let piece = Array(key.bytes[start..<start + 8])
                    try require(
                        !decoded.indices.dropLast(7).contains {
                            decoded[$0..<$0 + 8].elementsEqual(piece)
                        }, "the key in base64")
                }
            }
        },
        KeyCustodianCheck("a changed ciphertext is not authentic") { bench in
            let name = try await bench.putKey()
            let wrapped = try await bench.custodian.wrap(
                try bench.custodian.newKey(), name: name, context: context)
            let characters = Array(wrapped.utf8)
            // The last characters before the padding may carry bits that mean nothing.
            let places = stride(from: 0, to: characters.count - 3, by: 7)
            var wrong = places.map { place in
                var changed = characters
                changed[place] = changed[place] == 65 ? 66 : 65
                return String(decoding: changed, as: UTF8.self)
            }
            wrong += [
                "", "vault", "vault:v1:", "nonsense", String(wrapped.dropLast(4)), wrapped + "AAAA",
                " " + wrapped, wrapped + "\n", "vault:v0:AAAA", "vault:v1:AAAA",
                "vault:v7:" + wrapped.dropFirst("vault:v1:".count),
                "vault:v1:" + String(repeating: "A", count: 4000),
            ]
            for text in wrong {
                try await expect(.notAuthentic, "a changed ciphertext, \(text.prefix(100))") {
                    _ = try await bench.custodian.unwrap(text, name: name, context: context)
                }
            }
            _ = try await bench.custodian.unwrap(wrapped, name: name, context: context)
        },
    ]

    static let calls = [
        KeyCustodianCheck("calls at the same time get their own keys") { bench in
            let name = try await bench.putKey()
            let custodian = bench.custodian
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<48 {
                    group.addTask {
                        var context = context
                        context[0] = UInt8(number)
                        let key = try custodian.newKey()
                        let wrapped = try await custodian.wrap(key, name: name, context: context)
                        for _ in 0..<2 {
                            let back = try await custodian.unwrap(
                                wrapped, name: name, context: context)
                            try require(back.bytes == key.bytes, "somebody else's key")
                        }
                    }
                }
                try await group.waitForAll()
            }
        },
        KeyCustodianCheck("a task that was cancelled does not ask") { bench in
            let name = try await bench.putKey()
            let custodian = bench.custodian
            let key = try custodian.newKey()
            let wrapped = try await custodian.wrap(key, name: name, context: context)
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                try await expect(.cancelled, "wrapping in a cancelled task") {
                    _ = try await custodian.wrap(key, name: name, context: context)
                }
                try await expect(.cancelled, "unwrapping in a cancelled task") {
                    _ = try await custodian.unwrap(wrapped, name: name, context: context)
                }
            }
            task.cancel()
            try await task.value
        },
    ]
}
