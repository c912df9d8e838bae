// SPDX-License-Identifier: Apache-2.0

/// Bounds of what strangers may send: whoever reaches the port can connect.
package struct ServerLimits: Sendable, Equatable {
    /// Body of one request.
    package var bodyBytesMax: Int
    /// Bodies that are being received or answered, of all connections together.
    package var bufferedBytesMax = 64 << 20
    /// Each name and each value in a request's head, and its path with the query.
    package var headerFieldBytesMax = 16 << 10
    /// All of these together.
    package var headerBytesMax = 32 << 10
    package var headerFieldCountMax = 64
    /// Until the first request of a connection has arrived, TLS included; and from a later
    /// request's first line to its end.
    package var requestTime = Duration.seconds(10)
    /// Between two requests of a connection.
    package var idleTime = Duration.seconds(120)
    /// Until an answer that is ready has been taken.
    package var answerTime = Duration.seconds(10)
    /// At more, the connection is closed that has let the server wait longest, for a request or for
    /// the rest of one; the new one when all wait for answers.
    package var connectionCountMax = 512
    /// Of connections that are not accepted yet.
    package var backlog: Int32 = 256

    package init(bodyBytesMax: Int) { self.bodyBytesMax = bodyBytesMax }
}

/// A request that kept all bounds.
package struct ServedRequest: Sendable {
    /// Without the query.
    package let path: String
    package let body: [UInt8]
}

package struct ServedAnswer: Sendable, Equatable {
    /// Of HTTP.
    package var status: Int
    package var contentType: String
    package var body: [UInt8]

    package init(_ status: Int, contentType: String, _ body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// A line for people.
    package init(_ status: Int, _ line: String) {
        self.init(
            status, contentType: "text/plain; charset=utf-8", Array((line + "\n").utf8))
    }
}

/// What is served under one path.
package struct ServedRoute: Sendable {
    package enum Method: String, Sendable { case get = "GET", post = "POST" }

    package let method: Method
    /// Of the request; nil: any.
    package let contentType: String?
    package let answer: @Sendable (ServedRequest) async -> ServedAnswer

    package init(
        _ method: Method, contentType: String? = nil,
        answer: @escaping @Sendable (ServedRequest) async -> ServedAnswer
    ) {
        self.method = method
        self.contentType = contentType
        self.answer = answer
    }
}
