// SPDX-License-Identifier: Apache-2.0
import AsyncClock
import Foundation
import ObjectStorePorts
import S3Format
import S3Proxy
import S3ProxyConfiguration
import ServerProcess

/// What the program does besides serving, with the same settings.
enum Subcommand {
    case rewrap(
        bucket: S3Bucket, prefix: S3Key, after: S3Key, touchesObjects: Bool, SubcommandOutput)
    case inspect(ObjectVersion, SubcommandOutput)

    static let help = """
        Usage: cloudtaser-s3-proxy rewrap --bucket NAME [-o text|json] [FLAG...]
               cloudtaser-s3-proxy rewrap --bucket NAME --objects [--prefix P] [--after KEY]
                                          [-o text|json] [FLAG...]
               cloudtaser-s3-proxy inspect BUCKET/KEY [--version-id ID] [-o text|json] [FLAG...]

        rewrap   Wraps a bucket's epoch keys anew with the vault's latest key: run it after a
                 rotation, before the vault gives older versions up. No object is touched.
                 With --objects it wraps each object's data key anew under the key of now, by a
                 copy inside the store: objects get new times and tags, and older versions stay
                 as they are. A run that ends before the end says where to go on (--after).
        inspect  Says what an object shows without any key: sealed or not, by what its key is
                 wrapped, sizes. Asks the vault only for the credentials of the store.

        Other flags are those of the proxy (cloudtaser-s3-proxy --help).
        Exit codes: 0 all is well · 1 cannot run, or something failed · 64 wrong usage.

        """

    /// - Returns: the command, and the words that are the proxy's; nil: it is to serve.
    static func parse(
        _ words: [String]
    ) throws(UsageFailure) -> (command: Subcommand, rest: [String])? {
        guard let name = words.first, name == "rewrap" || name == "inspect" else { return nil }
        var reader = WordReader(Array(words.dropFirst()))
        let output = try SubcommandOutput(&reader)
        if name == "inspect" {
            guard let place = reader.takeFirst(), let location = location(place) else {
                throw UsageFailure("inspect needs BUCKET/KEY")
            }
            let version = try reader.value("--version-id")
            return (.inspect(location.version(version), output), reader.words)
        }
        guard let text = try reader.value("--bucket"), let bucket = S3Bucket(text) else {
            throw UsageFailure("rewrap needs --bucket NAME")
        }
        let touchesObjects = reader.flag("--objects")
        let prefix = try reader.value("--prefix")
        let after = try reader.value("--after")
        guard touchesObjects || (prefix == nil && after == nil) else {
            throw UsageFailure("--prefix and --after go with --objects")
        }
        guard let prefix = S3Key(prefix ?? ""), let after = S3Key(after ?? "") else {
            throw UsageFailure("--prefix and --after are keys")
        }
        return (
            .rewrap(
                bucket: bucket, prefix: prefix, after: after, touchesObjects: touchesObjects,
                output),
            reader.words
        )
    }

    private static func location(_ text: String) -> ObjectLocation? {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let bucket = S3Bucket(parts[0]), let key = S3Key(parts[1]),
            !key.isEmpty
        else { return nil }
        return ObjectLocation(bucket, key)
    }

    /// - Returns: the exit code.
    func run(_ settings: S3ProxySettings) async throws(StartFailure) -> Int32 {
        let program = try S3ProxyProgram(settings)
        // A token that is not given back is good until it ends by itself.
        defer { program.end() }
        let parts = try await program.partsOnce(withKey: needsKey)
        switch self {
        case .inspect(let version, let output):
            return try await inspect(version, output, parts)
        case .rewrap(let bucket, let prefix, let after, let touchesObjects, let output):
            guard touchesObjects || settings.keys.mode != .object else {
                throw StartFailure(
                    text: "with --mode object there is no table of keys: the vault wraps each "
                        + "object's own; say --objects")
            }
            let proxy = try makeHandler(parts)
            let report =
                touchesObjects
                ? await proxy.rewrapObjects(
                    of: bucket, prefix: prefix, after: after, progress: Self.tell)
                : await proxy.rewrapKeys(of: bucket, progress: Self.tell)
            output.show(report, bucket)
            return report.stopped == nil && report.failed == 0 ? 0 : 1
        }
    }

    private var needsKey: Bool { if case .rewrap = self { true } else { false } }

    private func inspect(
        _ version: ObjectVersion, _ output: SubcommandOutput, _ parts: ProxyParts
    ) async throws(StartFailure) -> Int32 {
        let store = try upstreamStore(parts)
        do throws(ObjectStoreFailure) {
            let inspection = try await Inspection(version, in: store)
            output.show(inspection, version)
            return inspection.problem == nil ? 0 : 1
        } catch {
            let place = "\(version.location.bucket)/\(version.location.key)"
            throw StartFailure(text: "\(place): \(Self.explained(error))")
        }
    }

    /// What the store says, and what to look at.
    private static func explained(_ failure: ObjectStoreFailure) -> String {
        switch failure {
        case .noSuchKey, .noSuchBucket, .noSuchVersion, .deleted, .isDeleteMarker:
            "the store has no such object; look at the names of bucket, key and version"
        case .accessDenied, .credentialRefused, .credentialUnavailable:
            "the store refuses it (\(failure)); look at what --upstream-credentials-path has"
        case .unreachable, .tlsFailed, .timedOut, .connectionLost:
            "the store cannot be asked (\(failure)); look at --upstream-endpoint and --upstream-ca"
        default: "the store says: \(failure)"
        }
    }

    /// With the last key: whoever is killed later can go on there.
    private static func tell(_ report: RewrapReport) {
        let place = report.last.map { ", up to '\($0)'" } ?? ""
        let counts = "\(report.rewrapped) wrapped anew, \(report.failed) failed"
        say("\(report.seen) seen, \(counts)\(place)\n", to: .standardError)
    }
}
