// SPDX-License-Identifier: Apache-2.0

/// What goes on of a request that is passed through, and comes back of its answer.
extension S3Operation {
    /// HTTP's.
    package var method: String {
        S3Route.all.first { $0.operation == self }?.method ?? "GET"
    }

    /// The one parameter of the query that makes a request this operation; nil: there is none.
    package var selector: String? {
        S3Route.all.first { $0.operation == self }?.selector
    }
}

extension S3Request {
    /// Without what belongs to the client's signature.
    package var passedQuery: [S3Query.Parameter] {
        query.parameters.filter { !S3Query.isIgnored($0.name) }
    }

    /// Without what belongs to the client's connection, signature and checksums, and without
    /// lengths: whoever sends it on makes those anew.
    package var passedHeaders: [S3Headers.Field] {
        headers.fields.filter { field in
            field.name == "content-type"
                || field.name.hasPrefix("x-amz-")
                    && !Self.ownHeaders.contains(field.name)
                    && !Self.ownHeaderPrefixes.contains { field.name.hasPrefix($0) }
        }
    }

    private static let ownHeaders: Set<String> = [
        "x-amz-content-sha256", "x-amz-date", "x-amz-decoded-content-length",
        "x-amz-security-token", "x-amz-trailer", "x-amz-user-agent",
    ]
    private static let ownHeaderPrefixes = [
        S3Metadata.prefix, "x-amz-checksum-", "x-amz-sdk-",
    ]
}

extension S3Headers {
    /// Of a server's answer to a request that was passed through, what its client gets: not the
    /// server's request id, which is not the one that the proxy gave.
    package var passedBack: [Field] {
        fields.filter { field in
            Self.passedBackNames.contains(field.name)
                || field.name.hasPrefix("x-amz-")
                    && !["x-amz-request-id", "x-amz-id-2"].contains(field.name)
        }
    }

    private static let passedBackNames: Set<String> = ["content-type", "location"]
}
