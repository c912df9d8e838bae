// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import KubernetesFormat
package import KubernetesPorts
internal import NIOCore
internal import NIOHTTP1

extension KubernetesHTTP {
    package func watch(
        _ collection: ResourceCollection, _ selection: ObjectSelection,
        since resourceVersion: String, time: Duration,
        receive: (WatchEvent) async -> WatchDecision
    ) async throws(KubernetesFailure) {
        let time = min(max(time, .seconds(1)), KubernetesLimits.watchTimeMax)
        let query =
            selection.query + [
                ("watch", "true"), ("allowWatchBookmarks", "true"),
                ("resourceVersion", resourceVersion),
                ("timeoutSeconds", String(time.components.seconds)),
            ]
        let call = Call(.GET, try path(collection), query: query)
        let deadline = NIODeadline.now() + .init(time + settings.watchGrace)
        let response = try await open(call, deadline)
        var lines = WatchLineSplitter(limit: KubernetesLimits.watchLineBytesMax)
        do {
            for try await part in response.body {
                lines.append(part.readableBytesView)
                while let line = try lines.next() {
                    guard await receive(try Self.event(line, call.path)) == .more else { return }
                }
            }
        } catch let error as WatchLineSplitter.TooLong {
            throw .responseTooLarge(path: call.path, limit: error.limit)
        } catch { throw failure(error) }
        if Task.isCancelled { throw .cancelled }
    }

    private func open(
        _ call: Call, _ deadline: NIODeadline
    ) async throws(KubernetesFailure) -> HTTPClientResponse {
        var credential = try await credentials.current(isRefused: false)
        var response = try await execute(call, credential, deadline)
        if response.status.code == 401 {
            let newer = try await credentials.current(isRefused: true)
            guard newer != credential else { throw .unauthorized }
            credential = newer
            response = try await execute(call, credential, deadline)
        }
        guard response.status.code == 200 else {
            let body: [UInt8]
            do {
                body = try await Self.collect(
                    response.body, limit: KubernetesLimits.watchLineBytesMax, path: call.path)
            } catch { throw failure(error) }
            throw Self.refusal(response, body, path: call.path)
        }
        return response
    }

    private static func event(
        _ line: [UInt8], _ path: String
    ) throws(KubernetesFailure) -> WatchEvent {
        let parsed: WatchLine
        do throws(AnswerFailure) {
            parsed = try WatchLine(line)
        } catch { throw malformed(error, path) }
        switch parsed {
        case .added(let object): return .added(object)
        case .modified(let object): return .modified(object)
        case .deleted(let object): return .deleted(object)
        case .bookmark(let version): return .bookmark(resourceVersion: version)
        case .error(let status):
            throw KubernetesFailure(status: status.code, status, path: path)
        }
    }
}

/// Cuts a stream into lines, holding at most one and a part.
struct WatchLineSplitter {
    struct TooLong: Error { let limit: Int }

    /// Bytes of a line without its end.
    let limit: Int
    private var bytes: [UInt8] = []
    /// Bytes that are known to hold no end of a line.
    private var searched = 0

    init(limit: Int) { self.limit = limit }

    mutating func append(_ part: some Collection<UInt8>) { bytes.append(contentsOf: part) }

    /// The next whole line that is not empty; nil: more is needed.
    mutating func next() throws(TooLong) -> [UInt8]? {
        while let end = bytes[searched...].firstIndex(of: UInt8(ascii: "\n")) {
            guard end <= limit else { throw TooLong(limit: limit) }
            let line = Array(bytes[..<end])
            bytes.removeSubrange(...end)
            searched = 0
            if !line.isEmpty { return line }
        }
        searched = bytes.count
        guard bytes.count <= limit else { throw TooLong(limit: limit) }
        return nil
    }
}
