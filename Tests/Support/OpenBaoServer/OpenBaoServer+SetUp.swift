// SPDX-License-Identifier: Apache-2.0
import Foundation
internal import LoopbackPKI

extension OpenBaoServer {
    /// The keys of a server that was initialised here.
    package struct Keys: Sendable {
        package let rootToken: String
        package let unsealKey: String
    }

    /// Initialises and unseals.
    package func initialize() throws -> Keys {
        let answer = try object(
            bao(["operator", "init", "-format=json", "-key-shares=1", "-key-threshold=1"]))
        guard let root = answer["root_token"] as? String,
            let shares = answer["unseal_keys_b64"] as? [String], let share = shares.first
        else { throw OpenBaoFailure(command: "operator init", output: "no keys in the answer") }
        try bao(["operator", "unseal", share])
        return Keys(rootToken: root, unsealKey: share)
    }

    package func seal(_ keys: Keys) throws { try bao(["operator", "seal"], token: keys.rootToken) }

    /// Enables a key-value engine; version 1 or 2.
    package func enableKeyValue(
        version: Int, at path: String, token: String, namespace: String? = nil
    ) throws {
        try bao(
            ["secrets", "enable", "-path=\(path)", "-version=\(version)", "kv"], token: token,
            namespace: namespace)
    }

    /// Writes a secret's fields, a JSON object.
    package func putSecret(
        _ json: String, mount: String, name: String, token: String, namespace: String? = nil
    ) throws {
        try bao(
            ["kv", "put", "-mount=\(mount)", name, "-"], token: token, namespace: namespace,
            input: json)
    }

    /// A policy that may read and write the API paths given, and whoever has it may look itself
    /// up.
    package func addPolicy(_ name: String, using paths: [String], token: String) throws {
        let rules = paths.map { "path \"\($0)\" { capabilities = [\"read\", \"update\"] }" }
        try bao(
            ["policy", "write", name, "-"], token: token, input: rules.joined(separator: "\n"))
    }

    /// A token with these policies.
    package func makeToken(
        policy: String, lifetime: String, longest: String = "0", token: String
    ) throws -> String {
        let answer = try object(
            bao(
                [
                    "token", "create", "-format=json", "-policy=\(policy)", "-ttl=\(lifetime)",
                    "-explicit-max-ttl=\(longest)",
                ], token: token))
        guard let auth = answer["auth"] as? [String: Any],
            let made = auth["client_token"] as? String
        else { throw OpenBaoFailure(command: "token create", output: "no token") }
        return made
    }

    /// Enables AppRole with one role; returns its role id and a secret id.
    package func enableAppRole(
        policy: String, token: String
    ) throws -> (roleID: String, secretID: String) {
        try bao(["auth", "enable", "approle"], token: token)
        try bao(
            ["write", "auth/approle/role/app", "token_policies=\(policy)", "token_ttl=10m"],
            token: token)
        let role = try data(
            bao(["read", "-format=json", "auth/approle/role/app/role-id"], token: token))
        let made = try data(
            bao(
                ["write", "-f", "-format=json", "auth/approle/role/app/secret-id"], token: token))
        guard let roleID = role["role_id"] as? String,
            let secretID = made["secret_id"] as? String
        else { throw OpenBaoFailure(command: "approle", output: "no role id or secret id") }
        return (roleID, secretID)
    }

    /// Enables JWT with a local public key and one role called `app`, for subject `workload` and
    /// audience `vault`.
    package func enableJWT(publicKeyPEM: String, policy: String, token: String) throws {
        try bao(["auth", "enable", "jwt"], token: token)
        let keyFile = try file("jwt.pem", publicKeyPEM)
        try bao(
            ["write", "auth/jwt/config", "jwt_validation_pubkeys=@\(keyFile)"], token: token)
        try bao(
            [
                "write", "auth/jwt/role/app", "role_type=jwt", "user_claim=sub",
                "bound_audiences=vault", "bound_subject=workload", "token_policies=\(policy)",
            ], token: token)
    }

    private func object(_ text: String) throws -> [String: Any] {
        let parsed = try JSONSerialization.jsonObject(with: Data(text.utf8))
        guard let object = parsed as? [String: Any] else {
            throw OpenBaoFailure(command: "-format=json", output: "no object: \(text)")
        }
        return object
    }

    private func data(_ text: String) throws -> [String: Any] {
        guard let data = try object(text)["data"] as? [String: Any] else {
            throw OpenBaoFailure(command: "-format=json", output: "no data: \(text)")
        }
        return data
    }
}
