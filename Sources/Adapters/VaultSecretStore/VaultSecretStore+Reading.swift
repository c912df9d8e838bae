// SPDX-License-Identifier: Apache-2.0
internal import Delivery
internal import HTTPFormat
package import Ports
internal import SecretMemory

extension VaultSecretStore {
    package mutating func read(
        _ query: SecretQuery, fields: [String], onLease: (Lease) -> Void,
        receive: (_ index: Int, _ value: RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure) -> SecretFacts {
        try beginWithToken()
        defer { transport.forgetAnswer() }
        let wanted = try SecretPath(query.path)
        let mount = try mount(of: wanted)
        guard query.parameters.isEmpty || mount.kind == .other else {
            // There it would be a write that replaces the secret.
            throw .responseMalformed(
                path: query.path, detail: "the engine is kv, which takes no parameters")
        }
        let response = try ask(mount.apiPath(of: wanted), parameters: query.parameters)
        let reader = SecretReader(
            valueBytesMax: DeliveryImage.secretValueBytesMax, path: query.path,
            isVersioned: mount.kind == .keyValue2)
        guard response.status == 200 else {
            try refuse(response, path: query.path, reader: reader)
        }
        return try transport.withMutableBody(of: response) {
            body throws(SecretStoreFailure) in
            var facts = SecretFacts()
            let answer = UnsafeRawBufferPointer(body).bytes
            facts.lease = try GrantAnswer.lease(in: answer, path: query.path)
            if let lease = facts.lease { onLease(lease) }
            facts.version = try reader.version(in: answer)
            if mount.isPKI {
                facts.lifetime = try reader.certificateLifetime(
                    in: answer, now: secondsSince1970())
            }
            try reader.deliver(fields, from: body, receive: receive)
            return facts
        }
    }

    package mutating func currentVersion(
        of query: SecretQuery
    ) throws(SecretStoreFailure) -> Int? {
        try beginWithToken()
        defer { transport.forgetAnswer() }
        let wanted = try SecretPath(query.path)
        let mount = try mount(of: wanted)
        guard mount.kind == .keyValue2 else { return nil }
        let response = try get(mount.apiPath(of: wanted))
        let reader = SecretReader(valueBytesMax: 0, path: query.path, isVersioned: true)
        guard response.status == 200 else {
            try refuse(response, path: query.path, reader: reader)
        }
        let version = try transport.withBody(of: response) {
            body throws(SecretStoreFailure) in
            try reader.version(in: body)
        }
        guard let version else {
            throw .responseMalformed(path: query.path, detail: "no data.metadata.version")
        }
        return version
    }

    private func ask(
        _ path: String, parameters: [SecretQuery.Parameter]
    ) throws(SecretStoreFailure) -> HTTPResponse {
        guard !parameters.isEmpty else { return try get(path) }
        return try post(path) { members throws(SecretMemoryFailure) in
            for parameter in parameters {
                try members.add(parameter.name, text: parameter.value)
            }
        }
    }

    /// Asks which engine holds a path; the answer to a guess would be a wrong secret.
    func mount(of path: SecretPath) throws(SecretStoreFailure) -> SecretMount {
        let response = try get("/v1/sys/internal/ui/mounts/\(path.text)")
        if response.status == 200 {
            return try transport.withBody(of: response) { body throws(SecretStoreFailure) in
                try SecretMount(answer: body, for: path)
            }
        }
        if let failure = try serverFailure(response, path: path.text) { throw failure }
        switch response.status {
        case 403:
            let isAboutMount = try contains("preflight", response)
            if !isAboutMount, try isTokenInvalid() { throw .tokenInvalid }
            throw .mountUnknown(path: path.text)
        case 400, 404: throw .mountUnknown(path: path.text)
        default: throw .unexpectedStatus(path: path.text, status: response.status)
        }
    }

    /// Says why a read was not answered with 200.
    func refuse(
        _ response: HTTPResponse, path: String, reader: SecretReader
    ) throws(SecretStoreFailure) -> Never {
        if let failure = try serverFailure(response, path: path) { throw failure }
        switch response.status {
        case 403: throw try forbidden(path)
        case 404:
            throw try transport.withBody(of: response) { body throws(SecretStoreFailure) in
                reader.missing(body)
            }
        case 400:
            // How engines that make secrets name a role they do not have.
            throw try contains("unknown role", response)
                ? .notFound(path: path)
                : .unexpectedStatus(path: path, status: response.status)
        default: throw .unexpectedStatus(path: path, status: response.status)
        }
    }
}
