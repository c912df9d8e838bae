// SPDX-License-Identifier: Apache-2.0
package import S3Format

/// A request that goes on as it is, newly signed: it has nothing to do with content, size, entity
/// tag or key.
package struct PassedRequest: Sendable, Hashable {
    /// One that `isPassedThrough`.
    package let operation: S3Operation
    package let target: S3Target
    package let query: [S3Query.Parameter]
    /// Without `host`, and without what belongs to a signature, a checksum or a connection.
    package let headers: [S3Headers.Field]
    /// At most `ObjectStoreLimits.passedBytesMax`.
    package let body: [UInt8]

    package init(
        _ operation: S3Operation, _ target: S3Target, query: [S3Query.Parameter] = [],
        headers: [S3Headers.Field] = [], body: [UInt8] = []
    ) {
        self.operation = operation
        self.target = target
        self.query = query
        self.headers = headers
        self.body = body
    }

    /// A client's.
    package init(_ request: S3Request, body: [UInt8]) {
        self.init(
            request.operation, request.target, query: request.passedQuery,
            headers: request.passedHeaders, body: body)
    }
}

/// What a store answered to a request that was passed on.
package struct PassedAnswer: Sendable, Hashable {
    /// HTTP's: a success, or a refusal that is the client's business.
    package let status: Int
    /// As `S3Headers.passedBack`.
    package let headers: [S3Headers.Field]
    package let body: [UInt8]

    package init(status: Int, headers: [S3Headers.Field], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

extension ObjectStoreLimits {
    /// Bytes of the body of a request that is passed on, and of its answer's.
    package static let passedBytesMax = 1 << 20
}
