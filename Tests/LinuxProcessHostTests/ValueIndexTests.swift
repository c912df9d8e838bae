// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

@testable import LinuxProcessHost

/// The leak index in the images of a real tree, read by the programs themselves.
@Suite("The index of the values", .serialized)
struct ValueIndexTests {
    /// Looks at an index as the agent does: address and bitmap are told, the rest is in memory.
    /// Says the multiplier's digest and which of the words that follow it recognises.
    private static let reader = """
        import ctypes, hashlib, sys
        def present(path):
            # Which pages of the index a scan could see now (proc_pid_pagemap(5), bit 63).
            address, count = open(path).read().split()[:2]
            first, pages = int(address, 16) // 4096, (int(count) + 4095) // 4096
            with open('/proc/self/pagemap', 'rb') as file:
                file.seek(8 * first)
                words = [int.from_bytes(file.read(8), 'little') for _ in range(pages)]
            print('pages', pages, sum(word >> 63 for word in words), flush=True)

        def look(path, *words):
            address, count, bitmap = open(path).read().split()
            count, bitmap = int(count), bytes.fromhex(bitmap)
            index = ctypes.string_at(int(address, 16), count)
            number = lambda at, size: int.from_bytes(index[at:at + size], 'little')
            multiplier, slots = number(8, 8), number(16, 4)
            def found(word):
                text = word.encode()
                for end in range(8, len(text) + 1):
                    hash = int.from_bytes(text[end - 8:end], 'little') * multiplier >> 48 & 65535
                    if not bitmap[hash >> 3] >> (hash & 7) & 1: continue
                    for probe in range(8):
                        at = 32 + (hash + probe) % slots * 24
                        length = index[at + 18]
                        window = index[at + 16 - length:at + 16]
                        if length and text[:end].endswith(window): return word
                return '-'
            salt = hashlib.sha256(index[8:16]).hexdigest()[:8]
            print(index[:8].decode(), salt, *map(found, words), flush=True)

        """

    private struct Stage {
        let folder: URL
        var index: String { path("index") }
        var control: String { path("control") }
        func path(_ name: String) -> String { folder.appending(path: name).path() }

        init() throws {
            folder = FileManager.default.temporaryDirectory
                .appending(path: "cloudtaser-index-\(UUID().uuidString)")
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: false)
            try Data(ValueIndexTests.reader.utf8).write(to: folder.appending(path: "reader.py"))
            try Data("CT_CANARY=\(ValueIndexTests.newValue)\n".utf8)
                .write(to: folder.appending(path: "newer"))
            guard mkfifo(control, 0o600) == 0 else { throw POSIXError(.EIO) }
        }

        func order(_ line: String) {
            guard let file = fopen(control, "w") else { return }
            fputs("\(line)\n", file)
            fclose(file)
        }
    }

    private static let newValue = "another-canary-for-later-programs"

    private static func lines(_ outcome: Harness.Outcome, _ prefix: String) -> [[String]] {
        outcome.output.split(separator: "\n").filter { $0.hasPrefix(prefix) }
            .map { $0.split(separator: " ").map(String.init) }
    }

    @Test(
        "Program, child and forked child have it at one address, in secret memory",
        arguments: ["attached", "notified"], [[], ["--read-only"]])
    func everyImage(follow: String, options: [String]) throws {
        let stage = try Stage()
        defer { try? FileManager.default.removeItem(at: stage.folder) }
        // `look` twice in a Python that forks, and once more in what it executes.
        let script = """
            cd \(stage.folder.path()); cat > program.py <<'END'
            import os
            from reader import look
            words = ('\(stage.index)', '\(Harness.value)', '\(Self.newValue)')
            look(*words)
            if os.fork() == 0:
                look(*words)
                os._exit(0)
            os.wait()
            for line in open('/proc/self/smaps'):
                if '-' in line.split()[0]: name = line
                address = int(open(words[0]).read().split()[0], 16)
                start, end = (int(part, 16) for part in name.split()[0].split('-'))
                if start <= address < end and line.startswith('VmFlags'):
                    print('place', 'secretmem' in name, flush=True)
            os.execvp('python3', ['python3', '-c', 'from reader import look; look(*%r)' % (words,)])
            END
            exec python3 program.py
            """
        let outcome = try Harness(
            options: ["--follow", follow, "--index", stage.index] + options
        ).run(script)
        guard !outcome.isRefused else { return }
        let found = Self.lines(outcome, "LEAKINDX")
        #expect(found.count == 3, "\(outcome)")
        #expect(Set(found).count == 1, "\(outcome)")
        #expect(found.first?.suffix(2) == [Harness.value, "-"], "\(outcome)")
        #expect(outcome.output.contains("place True"), "\(outcome)")
        #expect(!outcome.output.contains("is not scanned"))
    }

    @Test(
        "Every page of an index is in the page table before the program's first instruction",
        arguments: ["attached", "notified"])
    func pagesPresent(follow: String) throws {
        let stage = try Stage()
        defer { try? FileManager.default.removeItem(at: stage.folder) }
        let script = """
            cd \(stage.folder.path()); python3 - <<'END'
            import os, sys
            from reader import present
            present('\(stage.index)')
            if os.fork() == 0:
                present('\(stage.index)')
                os._exit(0)
            os.wait()
            END
            """
        let more = (0..<12).map { "MORE_\($0)=\(UUID().uuidString)" }
        let outcome = try Harness(
            options: ["--follow", follow, "--index", stage.index], moreSecrets: more
        ).run(script)
        guard !outcome.isRefused else { return }
        let pages = Self.lines(outcome, "pages").map { $0.dropFirst().compactMap { Int($0) } }
        #expect(pages.first == [7, 7], "\(outcome)")
        // LIM: under notified nobody stops a forked child, and the kernel copies no entries of a
        // shared mapping: it is scanned once it has touched the pages.
        #expect(pages.last == (follow == "attached" ? [7, 7] : [7, 0]), "\(outcome)")
    }

    @Test("Later values come at the same address under the same salt; the bitmap knows both")
    func laterValues() throws {
        let stage = try Stage()
        defer { try? FileManager.default.removeItem(at: stage.folder) }
        let look = """
            python3 -c 'import sys; sys.path.insert(0, "\(stage.folder.path())")
            from reader import look; look("\(stage.index)", "\(Harness.value)", "\(Self.newValue)")'
            """
        let script = """
            \(look); echo ready; until [ -e \(stage.path("mark")) ]; do sleep 0.05; done
            \(look)
            python3 - <<'END'
            old, new = (bytes.fromhex(open(name).read().split()[2])
                for name in ('\(stage.path("before"))', '\(stage.index)'))
            print('kept', all(a & b == a for a, b in zip(old, new)), old != new)
            END
            """
        let outcome = try Harness(
            options: [
                "--follow", "attached", "--index", stage.index, "--control", stage.control,
                "--may-start-again",
            ]
        ).run(script) { _, _ in
            try? FileManager.default.copyItem(
                atPath: stage.index, toPath: stage.path("before"))
            stage.order("replace \(stage.path("newer"))")
            stage.order("hook touch \(stage.path("mark"))")
        }
        guard !outcome.isRefused else { return }
        let found = Self.lines(outcome, "LEAKINDX")
        #expect(found.count == 2, "\(outcome)")
        #expect(found.first?.suffix(2) == [Harness.value, "-"], "\(outcome)")
        #expect(found.last?.suffix(2) == ["-", Self.newValue], "\(outcome)")
        #expect(found.first?[1] == found.last?[1], "the multiplier: \(outcome)")
        #expect(outcome.output.contains("kept True True"), "\(outcome)")
    }

    @Test("Two runs have other salts and other addresses")
    func runsDiffer() throws {
        var addresses: Set<Substring> = []
        var salts: Set<String> = []
        for _ in 0..<3 {
            let stage = try Stage()
            defer { try? FileManager.default.removeItem(at: stage.folder) }
            let outcome = try Harness(options: ["--index", stage.index]).run(
                "cd \(stage.folder.path()); python3 -c 'from reader import look; look(\"index\")'")
            guard !outcome.isRefused else { return }
            let text = try String(contentsOfFile: stage.index, encoding: .utf8)
            addresses.insert(text.split(separator: " ")[0])
            salts.formUnion(Self.lines(outcome, "LEAKINDX").map { $0[1] })
        }
        #expect(addresses.count == 3 && salts.count == 3)
    }

    @Test("The place is a page's multiple within its range")
    func place() throws {
        var seen: Set<UInt64> = []
        for _ in 0..<1000 {
            let base = try AreaPlace.draw()
            #expect((0x3000_0000_0000..<0x5000_0000_0000).contains(base))
            #expect(base % 4096 == 0)
            seen.insert(base)
        }
        #expect(seen.count > 990)
        // Both halves of the range are used.
        #expect(seen.contains { $0 < 0x4000_0000_0000 } && seen.contains { $0 >= 0x4000_0000_0000 })
    }
}
