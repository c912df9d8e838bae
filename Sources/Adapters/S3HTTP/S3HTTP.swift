// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
package import Checksums
internal import Glibc
internal import NIOCore
internal import NIOSSL
internal import ObjectStorePorts
internal import RequestSignature
internal import S3Format
package import SecretMemory
internal import Synchronization

/// `ObjectStore` over HTTP/1.1, with TLS unless the settings say otherwise, on any server that
/// speaks S3.
///
/// - Bodies are signed as `UNSIGNED-PAYLOAD`: no hash of content is computed or sent. Documents
///   that are made here (deletions, parts, tags) carry `Content-MD5`, which S3 demands for some.
/// - The secret access key is used where it is, in the arena. The session token has to stand in a
///   header: it is in ordinary memory, here and in async-http-client, as long as a request lives.
/// - Redirects are not followed, to nowhere: they are `refused`.
/// - A body of unknown length: S3 takes none. Up to `ObjectStoreLimits.readAheadBytesMax` it is
///   taken whole to learn its length; a longer one is refused as `MissingContentLength`, as S3
///   itself does. It is not made an upload in parts: a part has a known length too, of 5 MiB at
///   least, which would have to be kept here.
/// - The last chunk of a body leaves when the source has said that there is no other, so that a
///   body of another length than was declared is never whole for the server.
/// - `HEAD` has no document in its answer: a bucket that is not there is `noSuchKey` for `head`.
/// - A call is repeated when its failure had no effect, or when it may be done twice: all but
///   `createUpload`, `completeUpload`, `copy` and deletions with a condition.
package final class S3HTTP: ObjectStore {
    let settings: S3HTTPSettings
    let endpoint: S3Endpoint
    let credentials: any S3Credentials
    let digests: any MessageDigests
    let keyMemory: SecretArena
    /// Seconds since 1970.
    let now: @Sendable () -> Int64
    private let lanes: [Lane]
    private let turn = Atomic(0)

    /// A client with an event loop of its own: whoever sends a body has to know which one it goes
    /// through.
    struct Lane {
        let loop: any EventLoop
        let client: HTTPClient
    }

    /// - Parameter keyMemory: for signing keys: 32 bytes for each request.
    /// - Throws: the endpoint is none, or the authorities are no certificates.
    package init(
        _ settings: S3HTTPSettings, credentials: any S3Credentials,
        _ digests: any MessageDigests, keyMemory: SecretArena,
        now: @escaping @Sendable () -> Int64 = { Int64(time(nil)) }
    ) throws(S3HTTPSettingsInvalid) {
        var settings = settings
        settings.callTime = min(settings.callTime, ObjectStoreLimits.callTime)
        settings.longCallTime = min(settings.longCallTime, ObjectStoreLimits.longCallTime)
        settings.silenceTime = min(settings.silenceTime, ObjectStoreLimits.silenceTime)
        self.settings = settings
        self.credentials = credentials
        self.digests = digests
        self.keyMemory = keyMemory
        self.now = now
        endpoint = try S3Endpoint(
            settings.endpoint, allowsPlainHTTP: settings.allowsPlainHTTP)
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.certificateVerification = .fullVerification
        if let authorities = settings.authorities {
            guard let roots = try? NIOSSLCertificate.fromPEMBytes(authorities), !roots.isEmpty
            else { throw S3HTTPSettingsInvalid(reason: "the authorities are no PEM certificates") }
            // Not beside the system's: an image may have none, and then nothing is believed.
            tls.trustRoots = .certificates(roots)
        }
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = tls
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.decompression = .disabled
        configuration.timeout.connect = .init(settings.connectTime)
        configuration.connectionPool.retryConnectionEstablishment = false
        let loops = Array(HTTPClient.defaultEventLoopGroup.makeIterator())
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit =
            (settings.connectionsMax + loops.count - 1) / loops.count
        configuration.connectionPool.idleTimeout = .init(settings.idleTime)
        configuration.tracing.tracer = nil
        configuration.http1_1ConnectionDebugInitializer = { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(FlushGate(), position: .first)
            }
        }
        lanes = loops.map { [configuration] loop in
            Lane(
                loop: loop, client: HTTPClient(eventLoopGroup: loop, configuration: configuration))
        }
    }

    deinit {
        // Nothing waits for it: a client that is let go has no calls.
        for lane in lanes { lane.client.shutdown { _ in _ = lane } }
    }

    /// The caller's own, where it runs on an event loop: no bytes change threads then. Otherwise
    /// the next one, in turn.
    var lane: Lane {
        if let own = lanes.first(where: { $0.loop.inEventLoop }) { return own }
        let number = turn.wrappingAdd(1, ordering: .relaxed).oldValue
        return lanes[Int(UInt(bitPattern: number) % UInt(lanes.count))]
    }
}
