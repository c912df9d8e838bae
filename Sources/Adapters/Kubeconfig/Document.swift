// SPDX-License-Identifier: Apache-2.0

/// The parts of a kubeconfig that count here.
struct Document: Decodable {
    struct Named<Value: Decodable>: Decodable {
        let name: String
        let value: Value

        private struct Key: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        /// The value stands under the name of its kind: `cluster`, `user`, `context`.
        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            name = try container.decode(String.self, forKey: Key(stringValue: "name"))
            let kinds = container.allKeys.filter {
                ["cluster", "user", "context"].contains($0.stringValue)
            }
            guard let kind = kinds.first, kinds.count == 1 else {
                throw DecodingError.dataCorrupted(
                    .init(codingPath: decoder.codingPath, debugDescription: "no value"))
            }
            value = try container.decode(Value.self, forKey: kind)
        }
    }

    struct Cluster: Decodable {
        let server: String
        let authorityFile: String?
        let authorityData: String?
        let serverName: String?
        let skipsVerification: Bool?
        let proxy: String?

        enum CodingKeys: String, CodingKey {
            case server
            case authorityFile = "certificate-authority"
            case authorityData = "certificate-authority-data"
            case serverName = "tls-server-name"
            case skipsVerification = "insecure-skip-tls-verify"
            case proxy = "proxy-url"
        }
    }

    struct Context: Decodable {
        let cluster: String
        let user: String?
        let namespace: String?
    }

    struct User: Decodable {
        var token: String?
        var tokenFile: String?
        var certificateFile: String?
        var certificateData: String?
        var keyFile: String?
        var keyData: String?
        var username: String?
        var provider: Ignored?
        var exec: Exec?

        enum CodingKeys: String, CodingKey {
            case token, tokenFile, username, exec
            case certificateFile = "client-certificate"
            case certificateData = "client-certificate-data"
            case keyFile = "client-key"
            case keyData = "client-key-data"
            case provider = "auth-provider"
        }
    }

    struct Exec: Decodable {
        struct Variable: Decodable {
            let name: String
            let value: String
        }

        let apiVersion: String
        let command: String
        let args: [String]?
        let env: [Variable]?
        let interactiveMode: String?
    }

    /// There, and no more.
    struct Ignored: Decodable {
        init(from decoder: any Decoder) throws {}
    }

    let currentContext: String?
    let clusters: [Named<Cluster>]?
    let contexts: [Named<Context>]?
    let users: [Named<User>]?

    enum CodingKeys: String, CodingKey {
        case clusters, contexts, users
        case currentContext = "current-context"
    }
}

extension Document.Named {
    var cluster: Value { value }
    var context: Value { value }
    var user: Value { value }
}
