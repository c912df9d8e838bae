// SPDX-License-Identifier: Apache-2.0
internal import HTTPFormat
internal import JSONFormat
package import Ports

extension VaultSecretStore: SecretFieldNames {
    package mutating func fieldNames(of path: String) throws(SecretStoreFailure) -> [String] {
        try beginWithToken()
        defer { transport.forgetAnswer() }
        let wanted = try SecretPath(path)
        let mount = try mount(of: wanted)
        let response = try get(mount.apiPath(of: wanted))
        let reader = SecretReader(
            valueBytesMax: 0, path: path, isVersioned: mount.kind == .keyValue2)
        guard response.status == 200 else { try refuse(response, path: path, reader: reader) }
        return try transport.withBody(of: response) { body throws(SecretStoreFailure) in
            let secret = try reader.secret(in: body)
            let names = try parsing(path) { () throws(JSONFormatFailure) -> [String]? in
                let members = try JSONFormat.members(of: secret, max: fieldNamesMax, in: body)
                guard let members else { return nil }
                var names: [String] = []
                for member in members {
                    guard let name = try JSONText.publicText(member.name, in: body) else {
                        return nil
                    }
                    names.append(name)
                }
                return names
            }
            guard let names, Set(names).count == names.count else {
                throw .responseMalformed(
                    path: path, detail: "fields without names of their own, or too many")
            }
            return names
        }
    }
}
