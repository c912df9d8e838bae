// SPDX-License-Identifier: Apache-2.0
internal import Foundation
package import Inventory
internal import KubernetesFormat

/// Objects from files, folders and standard input: YAML of any number of documents, JSON, lists of
/// either, and what `helm template` and `kubectl get -o json` print.
package struct Manifests {
    package enum Failure: Error, Sendable, Equatable {
        case unreadable(path: String, reason: String)
        case tooLarge(path: String)
        case tooMany
        case tooManyValues(path: String)

        package var message: String {
            switch self {
            case .unreadable(let path, let reason): "\(path): cannot be read (\(reason))"
            case .tooLarge(let path):
                "\(path): is larger than \(Manifests.bytesMax) bytes; give it in parts"
            case .tooMany:
                "more than \(Inventory.objectsMax) objects; give them in parts"
            case .tooManyValues(let path):
                "\(path): with what was read before it has more than \(Manifests.valuesMax) "
                    + "values; give them in parts"
            }
        }
    }

    /// Of one file, and of standard input.
    package static let bytesMax = 256 << 20
    /// Values of all that is read: texts, numbers, lists, mappings. What memory is needed for.
    package static let valuesMax = 8_000_000
    /// Names by which files of a folder are taken.
    private static let endings = [".yaml", ".yml", ".json"]

    package private(set) var objects: [ClusterObject] = []
    package private(set) var unread: [UnreadObject] = []
    private var valuesLeft: Int

    package init(valuesMax: Int = Self.valuesMax) { valuesLeft = valuesMax }

    /// - Parameter path: of a file, a pipe or a folder, whose files are read with those of the
    ///   folders in it; `-` is standard input.
    package mutating func read(_ path: String) throws(Failure) {
        let before = objects.count + unread.count
        try contents(of: path)
        guard objects.count + unread.count == before else { return }
        // What was to write it may have failed: nothing found in nothing is no result.
        unread.append(
            UnreadObject(source: path == "-" ? Self.input : path, reason: "holds no object"))
    }

    private static let input = "standard input"

    private mutating func contents(of path: String) throws(Failure) {
        if path == "-" {
            let bytes = try FileBytes.all(of: 0, Self.input, limit: Self.bytesMax)
            return try read(bytes, source: Self.input)
        }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw .unreadable(path: path, reason: "no such file")
        }
        guard isFolder.boolValue else { return try file(path) }
        let folder = try FolderFiles(path, endings: Self.endings)
        for path in folder.files { try file(path) }
        unread += folder.others.map { UnreadObject(source: $0.path, reason: $0.reason) }
    }

    private mutating func file(_ path: String) throws(Failure) {
        try read(try FileBytes.read(path, limit: Self.bytesMax), source: path)
    }

    /// - Parameter source: what a reader calls it.
    package mutating func read(_ bytes: [UInt8], source: String) throws(Failure) {
        var bytes = bytes
        if let name = HostileText.encoding(bytes) {
            unread.append(
                UnreadObject(
                    source: source, reason: "is \(name): write it in UTF-8 (iconv -f \(name))"))
            return
        }
        // A byte order mark of UTF-8 says nothing.
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
        let first = bytes.first { !" \t\r\n".utf8.contains($0) }
        // Any JSON is YAML, but a list of a cluster is large and JSON is read with less.
        if first == UInt8(ascii: "{") {
            guard HostileText.marks(in: bytes) <= Self.valuesMax * 2 else {
                throw .tooManyValues(path: source)
            }
            if try list(bytes, source) { return }
            switch Self.json(bytes) {
            case .success(let tree): return try add(tree, source, line: nil)
            case .failure where try stream(bytes, source): return
            case .failure(.malformed(let offset)) where bytes.count > YAMLDocuments.bytesMax:
                let line = bytes[..<min(offset, bytes.count)].count { $0 == 0x0A } + 1
                unread.append(
                    UnreadObject(source: "\(source), line \(line)", reason: "is no JSON"))
                return
            case .failure: break
            }
        }
        let documents = YAMLDocuments(bytes)
        guard documents.partCount <= Inventory.objectsMax else { throw .tooMany }
        var number = 0
        for part in 0..<documents.partCount {
            for document in documents.documents(of: part) {
                if case .success(.null) = document.content { continue }
                number += 1
                let place = "\(source), document \(number)"
                switch document.content {
                case .success(let tree): try add(tree, place, line: document.line)
                case .failure(let failure):
                    unread.append(
                        UnreadObject(
                            source: "\(place), line \(document.line)", reason: failure.reason))
                    try checkCount()
                }
            }
        }
    }

    /// Item by item, so that the trees of a large cluster are never there as a whole.
    ///
    /// - Returns: whether it was a list; then it was read.
    private mutating func list(_ bytes: [UInt8], _ source: String) throws(Failure) -> Bool {
        guard let list = JSONList(bytes) else { return false }
        var failure: Failure?
        var number = 0
        list.forEachItem { item in
            number += 1
            let place = "\(source), item \(number)"
            do throws(Failure) {
                switch item {
                case .success(let tree): try add(tree, place, line: nil, depth: 2)
                case .failure:
                    unread.append(UnreadObject(source: place, reason: "has a name twice"))
                    try checkCount()
                }
                return true
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        return true
    }

    /// - Returns: whether there were several; then they were read.
    private mutating func stream(_ bytes: [UInt8], _ source: String) throws(Failure) -> Bool {
        guard let parts = JSONStream.objects(in: bytes), parts.count > 1 else { return false }
        guard parts.count <= Inventory.objectsMax else { throw .tooMany }
        for (index, part) in parts.enumerated() {
            let place = "\(source), document \(index + 1)"
            switch Self.json(Array(bytes[part])) {
            case .success(let tree): try add(tree, place, line: nil)
            case .failure:
                unread.append(UnreadObject(source: place, reason: "is no JSON"))
                try checkCount()
            }
        }
        return true
    }

    private static func json(_ bytes: [UInt8]) -> Result<JSONTree, JSONTree.Failure> {
        do throws(JSONTree.Failure) { return .success(try JSONTree(bytes)) } catch {
            return .failure(error)
        }
    }

    /// - Parameter line: where the document begins; nil: not known.
    private mutating func add(
        _ document: JSONTree, _ source: String, line: Int?, depth: Int = 1
    ) throws(Failure) {
        valuesLeft -= document.valueCount
        guard valuesLeft >= 0 else { throw .tooManyValues(path: source) }
        let found = ClusterObject.all(
            in: document, source: source, line: line, depth: depth, max: Inventory.objectsMax)
        for result in found {
            switch result {
            case .success(let object): objects.append(object)
            case .failure(let object): unread.append(object)
            }
        }
        try checkCount()
    }

    /// What could not be read counts too: it is told one by one.
    private func checkCount() throws(Failure) {
        guard objects.count + unread.count <= Inventory.objectsMax else { throw .tooMany }
    }
}

extension JSONTree {
    /// Itself and all that is in it.
    fileprivate var valueCount: Int {
        switch self {
        case .object(let members): members.reduce(1) { $0 + $1.value.valueCount }
        case .array(let elements): elements.reduce(1) { $0 + $1.valueCount }
        default: 1
        }
    }
}
