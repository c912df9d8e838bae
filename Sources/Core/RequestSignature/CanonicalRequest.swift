// SPDX-License-Identifier: Apache-2.0

/// What is signed of a request
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, tasks 1 and 2).
struct CanonicalRequest {
    let method: String
    let target: RequestTarget
    /// A parameter of the query that is not signed: the signature itself.
    let unsignedParameter: String?
    /// In order.
    let signedNames: [String]
    let fields: CanonicalFields
    /// What `x-amz-content-sha256` says of the body.
    let payload: String

    /// The canonical request. A signed field that is not there counts as empty.
    var text: [UInt8] {
        let lineEnd = UInt8(ascii: "\n")
        var text = Array(method.utf8)
        text.append(lineEnd)
        text += target.canonicalPath
        text.append(lineEnd)
        text += target.canonicalQuery(without: unsignedParameter)
        text.append(lineEnd)
        for name in signedNames {
            text += Array(name.utf8)
            text.append(UInt8(ascii: ":"))
            text += fields.values[name] ?? []
            text.append(lineEnd)
        }
        text.append(lineEnd)
        text += Array(signedNames.joined(separator: ";").utf8)
        text.append(lineEnd)
        text += Array(payload.utf8)
        return text
    }

    /// The signature under `key`.
    func signature(_ key: SigningKey, at time: SigningTime, in scope: SigningScope) -> Signature {
        var toSign = Array("\(SigningText.algorithm)\n\(time.text)\n\(scope.text)\n".utf8)
        Hexadecimal.append(key.hash(text), to: &toSign)
        return key.sign(toSign)
    }
}
