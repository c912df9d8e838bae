// SPDX-License-Identifier: Apache-2.0

/// Why a request is refused, as the client is told.
package struct S3Error: Error, Sendable, Hashable {
    /// A further element of the document: `Key`, `RangeRequested`.
    package struct Detail: Sendable, Hashable {
        package let name: String
        package let value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package let code: S3ErrorCode
    /// Without anything of the request that is secret.
    package let message: String
    package let details: [Detail]

    /// - Parameter message: nil: the code's own.
    package init(_ code: S3ErrorCode, _ message: String? = nil, details: [Detail] = []) {
        self.code = code
        self.message = message ?? code.message
        self.details = details
    }

    /// - Parameter failure: of a document that the client sent.
    package init(_ failure: S3DocumentFailure) {
        self.init(.malformedXML, failure.reason.map { "\(S3ErrorCode.malformedXML.message) \($0)" })
    }

    package var status: Int { code.status }

    /// As it is sent.
    ///
    /// - Parameters:
    ///   - resource: path of the request.
    ///   - requestID: also in `x-amz-request-id`.
    ///   - hostID: also in `x-amz-id-2`.
    package func document(resource: String, requestID: String, hostID: String) -> S3ErrorDocument {
        S3ErrorDocument(
            code: code.rawValue, message: message, resource: resource, requestID: requestID,
            hostID: hostID, details: details)
    }
}

/// An `Error` document, of ours or of another server.
package struct S3ErrorDocument: Sendable, Hashable {
    /// Another server's may be any.
    package let code: String
    package let message: String
    /// Empty: not said.
    package let resource: String
    package let requestID: String
    package let hostID: String
    package let details: [S3Error.Detail]

    package init(
        code: String, message: String, resource: String = "", requestID: String = "",
        hostID: String = "", details: [S3Error.Detail] = []
    ) {
        self.code = code
        self.message = message
        self.resource = resource
        self.requestID = requestID
        self.hostID = hostID
        self.details = details
    }

    /// nil: a code that is not in the list.
    package var known: S3ErrorCode? { S3ErrorCode(rawValue: code) }

    package init(_ bytes: [UInt8]) throws(S3DocumentFailure) {
        let root = try XMLReader.read(bytes)
        guard root.name == "Error" else { throw .malformed("the document is no Error") }
        try self.init(root)
    }

    init(_ root: XMLElement) throws(S3DocumentFailure) {
        guard let code = root.text("Code"), !code.isEmpty else {
            throw .malformed("the Error has no Code")
        }
        let own: Set<String> = ["Code", "Message", "Resource", "RequestId", "HostId"]
        self.init(
            code: code, message: root.text("Message") ?? "",
            resource: root.text("Resource") ?? "", requestID: root.text("RequestId") ?? "",
            hostID: root.text("HostId") ?? "",
            details: root.children.filter { !own.contains($0.name) && $0.children.isEmpty }
                .map { S3Error.Detail($0.name, $0.text) })
    }

    /// What stands before a document, for answers that begin before there is one.
    package static let declaration = Array(XMLWriter.declaration.utf8)

    /// Errors stand in no namespace.
    ///
    /// - Parameter hasDeclaration: false: it has been sent already.
    package func rendered(hasDeclaration: Bool = true) -> [UInt8] {
        var writer = XMLWriter(hasDeclaration: hasDeclaration)
        writer.element("Error", namespace: nil) { writer in
            writer.leaf("Code", code)
            writer.leaf("Message", message)
            for detail in details { writer.leaf(detail.name, detail.value) }
            if !resource.isEmpty { writer.leaf("Resource", resource) }
            writer.leaf("RequestId", requestID)
            writer.leaf("HostId", hostID)
        }
        return writer.bytes
    }
}
