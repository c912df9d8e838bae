// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import TestKit
import Testing
import WrapperConfiguration

/// `cloudtaser-wrapper install`, as the init container of an injected pod runs it.
@Suite("install") struct InstallTests {
    private let folder: InstallFolder
    private let program = ProgramRun.path(of: "cloudtaser-wrapper")

    init() throws { folder = try InstallFolder() }

    private func install(_ arguments: [String]? = nil) throws -> ProgramRun {
        try ProgramRun(path: program, ["install"] + (arguments ?? [folder.path]), environment: [:])
    }

    /// In a mount namespace of its own, in which `$FOLDER` and `$WRAPPER` are set.
    private func script(_ text: String) throws -> ProgramRun {
        try ProgramRun(
            path: "/usr/bin/unshare", ["-m", "/bin/sh", "-ec", text],
            environment: [
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "FOLDER": folder.path, "WRAPPER": program,
            ])
    }

    @Test func `leaves a copy that everybody may read and execute, and nothing else`() throws {
        let run = try install()
        #expect(run.status == 0 && run.output == "\(folder.copy)\n", "\(run)")
        #expect(FileManager.default.contentsEqual(atPath: program, andPath: folder.copy))
        #expect(try folder.names() == ["cloudtaser-wrapper"])
        #expect(try folder.facts().mode == 0o555)
        let copied = try ProgramRun(path: folder.copy, ["version"], environment: [:])
        #expect(copied.status == 0 && copied.output.hasPrefix("cloudtaser-wrapper "), "\(copied)")
    }

    @Test func `leaves the copy that is there already as it is`() throws {
        try #require(try install().status == 0)
        let before = try folder.facts()
        #expect(try install().status == 0)
        #expect(try folder.facts() == before)
        // Control: a copy with another mode is another file afterwards.
        chmod(folder.copy, 0o755)
        #expect(try install().status == 0)
        let after = try folder.facts()
        #expect(after.mode == 0o555 && after.number != before.number)
    }

    @Test(arguments: ["size", "byte", "link", "folder of drafts"])
    func `puts its own copy in the place of another`(_ difference: String) throws {
        let other = folder.path + "/other"
        switch difference {
        case "size": try Data("old".utf8).write(to: URL(filePath: folder.copy))
        case "byte":
            var bytes = try Data(contentsOf: URL(filePath: program))
            bytes[bytes.count - 1] ^= 1
            try bytes.write(to: URL(filePath: folder.copy))
            chmod(folder.copy, 0o555)
        case "link":
            try Data("kept".utf8).write(to: URL(filePath: other))
            symlink(other, folder.copy)
        default:
            // A container that was killed leaves this; its next start has the same process number.
            try Data("half".utf8).write(to: URL(filePath: folder.draft))
        }
        let run = try install()
        #expect(run.status == 0, "\(run)")
        #expect(FileManager.default.contentsEqual(atPath: program, andPath: folder.copy))
        #expect(try folder.facts().mode == 0o555)
        #expect(!FileManager.default.fileExists(atPath: folder.draft))
        // Through a link nothing is written.
        guard difference == "link" else { return }
        #expect(try String(contentsOfFile: other, encoding: .utf8) == "kept")
    }

    @Test func `is whole for whoever looks, however many install at once`() throws {
        let text = """
            for number in 1 2 3 4 5 6 7 8; do "$WRAPPER" install "$FOLDER" & done
            until [ -e "$FOLDER/cloudtaser-wrapper" ]; do :; done
            cmp "$WRAPPER" "$FOLDER/cloudtaser-wrapper"
            wait
            cmp "$WRAPPER" "$FOLDER/cloudtaser-wrapper"
            ls -A "$FOLDER"
            """
        let run = try script(text)
        let lines = run.output.split(separator: "\n")
        #expect(run.status == 0 && lines.count == 9, "\(run)")
        #expect(lines.filter { $0 == folder.copy }.count == 8)
        #expect(lines.last == "cloudtaser-wrapper")
    }

    @Test func `works for an ordinary user below a read-only root`() throws {
        let text = """
            chmod 0777 "$FOLDER"
            mkdir /tmp/root.$$ && mount -t tmpfs none /tmp/root.$$ && cd /tmp/root.$$
            mkdir bin proc shared && cp "$WRAPPER" bin/w
            for library in $(ldd "$WRAPPER" | grep -o '/[^ ]*' || true); do
                mkdir -p ".$(dirname "$library")"; cp "$library" ".$library"
            done
            mount -t proc none proc && mount --bind "$FOLDER" shared
            mount -o remount,ro /tmp/root.$$
            chroot --userspec=65534:65534 . /bin/w install /shared
            # Control: the root itself cannot be written to.
            chroot . /bin/w install / && exit 9
            [ $? = 114 ] || exit 8
            """
        let run = try script(text)
        #expect(run.status == 0 && run.output == "/shared/cloudtaser-wrapper\n", "\(run)")
        #expect(run.errors.contains("errno 30, read-only file system"), "\(run)")
        #expect(try folder.facts().mode == 0o555)
        #expect(FileManager.default.contentsEqual(atPath: program, andPath: folder.copy))
    }

    @Test func `says what to do when the folder is missing, a file or closed`() throws {
        let file = folder.path + "/file"
        try Data().write(to: URL(filePath: file))
        let missing = try install([folder.path + "/none"])
        Self.expect(missing, naming: "/none", "errno 2", "mount the volume there")
        Self.expect(try install([file]), naming: file, "errno 20", "name a folder")
        let closed = try script(
            """
            chmod 0755 "$FOLDER"
            cp "$WRAPPER" /tmp/w.$$ && chmod 0755 /tmp/w.$$
            code=0; setpriv --reuid 65534 --regid 65534 --clear-groups /tmp/w.$$ install "$FOLDER" \
                || code=$?
            rm /tmp/w.$$; exit $code
            """)
        Self.expect(closed, naming: folder.path, "errno 13", "fsGroup")
        #expect(try folder.names() == ["file"])
    }

    @Test func `leaves nothing behind on a full file system`() throws {
        let text = """
            mount -t tmpfs -o size=SIZE none "$FOLDER"
            code=0; "$WRAPPER" install "$FOLDER" || code=$?
            ls -A "$FOLDER" >&2; exit $code
            """
        let full = try script(text.replacing("SIZE", with: "1m"))
        Self.expect(full, naming: folder.path, "errno 28", "sizeLimit")
        #expect(!full.errors.hasSuffix("cloudtaser-wrapper\n"), "\(full)")
        // Control: with room it is there.
        let room = try script(text.replacing("SIZE", with: "200m"))
        #expect(room.status == 0 && room.errors == "cloudtaser-wrapper\n", "\(room)")
    }

    /// An injected pod has no variable for it; whatever is set must not matter.
    @Test func `looks at no control variable`() throws {
        let run = try ProgramRun(
            path: program, ["install", folder.path],
            environment: ["VAULT_ADDR": "nonsense", "CLOUDTASER_DELIVERY": "nonsense"])
        #expect(run.status == 0 && run.errors.isEmpty, "\(run)")
    }

    private static func expect(_ run: ProgramRun, naming parts: String...) {
        #expect(run.status == WrapperExit.installationFailed.rawValue, "\(run)")
        for part in parts { #expect(run.errors.contains(part), "\(run)") }
    }
}

/// An empty folder, removed with the last reference to it.
private final class InstallFolder: Sendable {
    let path = FileManager.default.temporaryDirectory
        .appending(path: "cloudtaser-install-\(UUID().uuidString)").path(percentEncoded: false)

    var copy: String { path + "/cloudtaser-wrapper" }
    var draft: String { path + "/.cloudtaser-wrapper.new" }

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    }

    struct Facts: Equatable {
        let mode: UInt32
        let number: UInt64
        let changed: Int
    }

    /// Of the copy itself, not of what a link points at.
    func facts() throws -> Facts {
        var facts = stat()
        try #require(lstat(copy, &facts) == 0)
        return Facts(
            mode: facts.st_mode & 0o7777, number: UInt64(facts.st_ino),
            changed: facts.st_mtim.tv_nsec)
    }
}
