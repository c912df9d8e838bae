// SPDX-License-Identifier: Apache-2.0
internal import Foundation
package import Inventory
package import KubernetesFormat
internal import Yams

/// Objects from files, folders and standard input: YAML of any number of documents, JSON, lists of
/// either, and what `helm template` and `kubectl get -o json` print.
package struct Manifests {
    package enum Failure: Error, Sendable, Equatable {
        case unreadable(path: String, reason: String)
        case tooLarge(path: String)
        case tooMany

        package var message: String {
            switch self {
            case .unreadable(let path, let reason): "\(path): cannot be read (\(reason))"
            case .tooLarge(let path):
                "\(path): is larger than \(Manifests.bytesMax) bytes; give it in parts"
            case .tooMany:
                "more than \(Inventory.objectsMax) objects; give them in parts"
            }
        }
    }

    /// Of one file, and of standard input.
    package static let bytesMax = 256 << 20
    /// Names by which files of a folder are taken.
    private static let endings = [".yaml", ".yml", ".json"]

    package private(set) var objects: [ClusterObject] = []
    package private(set) var unread: [UnreadObject] = []

    package init() {}

    /// - Parameter path: of a file or a folder, whose files are read with those of the folders in
    ///   it; `-` is standard input.
    package mutating func read(_ path: String) throws(Failure) {
        if path == "-" {
            return try take(FileHandle.standardInput.readDataToEndOfFile(), "standard input")
        }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw .unreadable(path: path, reason: "no such file")
        }
        guard isFolder.boolValue else { return try file(path) }
        let names: [String]
        do { names = try FileManager.default.subpathsOfDirectory(atPath: path) } catch {
            throw .unreadable(path: path, reason: (error as NSError).localizedDescription)
        }
        for name in names.sorted() where Self.endings.contains(where: name.hasSuffix) {
            try file("\(path)/\(name)")
        }
    }

    private mutating func file(_ path: String) throws(Failure) {
        let data: Data
        do { data = try Data(contentsOf: URL(filePath: path)) } catch {
            throw .unreadable(path: path, reason: (error as NSError).localizedDescription)
        }
        try take(data, path)
    }

    private mutating func take(_ data: Data, _ source: String) throws(Failure) {
        guard data.count <= Self.bytesMax else { throw .tooLarge(path: source) }
        try read([UInt8](data), source: source)
    }

    /// A file that is one document of ours, of any shape.
    package static func document(at path: String) throws(Failure) -> JSONTree {
        let data: Data
        do { data = try Data(contentsOf: URL(filePath: path)) } catch {
            throw .unreadable(path: path, reason: (error as NSError).localizedDescription)
        }
        guard data.count <= bytesMax else { throw .tooLarge(path: path) }
        let bytes = [UInt8](data)
        if let tree = try? JSONTree(bytes) { return tree }
        let documents = YAMLDocuments.all(in: bytes)
        guard documents.count == 1, let first = documents.first else {
            throw .unreadable(path: path, reason: "not one document")
        }
        switch first {
        case .success(let tree): return tree
        case .failure(let failure): throw .unreadable(path: path, reason: failure.reason)
        }
    }

    /// - Parameter source: what a reader calls it.
    package mutating func read(_ bytes: [UInt8], source: String) throws(Failure) {
        let first = bytes.first { !" \t\r\n".utf8.contains($0) }
        // Any JSON is YAML, but a list of a cluster is large and JSON is read faster.
        if first == UInt8(ascii: "{"), let tree = try? JSONTree(bytes) {
            return try add(tree, source)
        }
        var number = 0
        for document in YAMLDocuments.all(in: bytes) {
            number += 1
            let place = "\(source), document \(number)"
            switch document {
            case .success(.null): number -= 1
            case .success(let tree): try add(tree, place)
            case .failure(let failure):
                unread.append(UnreadObject(source: place, reason: failure.reason))
            }
        }
    }

    private mutating func add(_ document: JSONTree, _ source: String) throws(Failure) {
        for result in ClusterObject.all(in: document, source: source) {
            switch result {
            case .success(let object): objects.append(object)
            case .failure(let object): unread.append(object)
            }
        }
        guard objects.count <= Inventory.objectsMax else { throw .tooMany }
    }
}
