// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import S3Format
internal import Synchronization

/// Bytes that are in memory, as a body.
final class BytesSource: ObjectSource {
    private let bytes: [UInt8]
    private let offset = Mutex(0)

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var length: Int64 { Int64(bytes.count) }

    func next() async throws(ObjectSourceFailure) -> [UInt8]? {
        offset.withLock { offset in
            let chunk = bytes[offset..<min(offset + ObjectStoreLimits.chunkBytesMax, bytes.count)]
            offset += chunk.count
            return chunk.isEmpty ? nil : Array(chunk)
        }
    }
}

extension ObjectStore {
    /// Stores one of the proxy's own objects.
    func putSmall(
        _ bytes: [UInt8], at location: ObjectLocation
    ) async throws(ObjectStoreFailure) {
        let body = BytesSource(bytes)
        _ = try await put(location, ObjectBody(body, length: body.length), ObjectWrite())
    }

    /// An object that is small, as the proxy's own are.
    func smallObject(
        _ location: ObjectLocation, bytesMax: Int
    ) async throws(ObjectStoreFailure) -> [UInt8] {
        try await read(location.latest, nil, .none) {
            answer, stream throws(ObjectStoreFailure) in
            guard answer.head.size <= bytesMax else { throw .tooLarge }
            return try await stream.collected(bytesMax: bytesMax)
        }
    }
}

extension ObjectStream {
    func collected(bytesMax: Int) async throws(ObjectStoreFailure) -> [UInt8] {
        var bytes: [UInt8] = []
        while let chunk = try await next() {
            guard chunk.count <= bytesMax - bytes.count else { throw .tooLarge }
            bytes += chunk
        }
        return bytes
    }
}
