// SPDX-License-Identifier: Apache-2.0
import Foundation
internal import LoopbackPKI

/// Engines and auth methods that make things up: leases, certificates, wrapped secret ids.
extension OpenBaoServer {
    /// Enables `database` on a PostgreSQL, without a role.
    package func enableDatabase(_ database: PostgreSQLServer, token: String) throws {
        try bao(["secrets", "enable", "database"], token: token)
        try bao(
            [
                "write", "database/config/postgres", "plugin_name=postgresql-database-plugin",
                "allowed_roles=*", "connection_url=\(database.connectionURL)",
                "username=\(PostgreSQLServer.administrator)",
            ], token: token)
    }

    /// A role whose users live for a while (`60s`).
    package func addDatabaseRole(
        _ name: String, lifetime: String, longest: String, token: String
    ) throws {
        let statement =
            "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' "
            + "VALID UNTIL '{{expiration}}';"
        try bao(
            [
                "write", "database/roles/\(name)", "db_name=postgres",
                "creation_statements=\(statement)", "default_ttl=\(lifetime)",
                "max_ttl=\(longest)",
            ], token: token)
    }

    /// Enables `pki` with an authority of its own and roles for any name (P-256, 60 s unless the
    /// request says otherwise): `web` without a lease, `leased` with one.
    package func enablePKI(token: String) throws {
        try bao(["secrets", "enable", "pki"], token: token)
        try bao(
            ["write", "pki/root/generate/internal", "common_name=Test", "key_type=ec"],
            token: token)
        for (name, hasLease) in [("web", false), ("leased", true)] {
            try bao(
                [
                    "write", "pki/roles/\(name)", "allow_any_name=true", "key_type=ec",
                    "key_bits=256", "ttl=60s", "max_ttl=1h", "generate_lease=\(hasLease)",
                ], token: token)
        }
    }

    package func enableTransit(keys: [String], token: String) throws {
        try bao(["secrets", "enable", "transit"], token: token)
        for key in keys { try bao(["write", "-f", "transit/keys/\(key)"], token: token) }
    }

    /// - Parameter isDerived: every request has to name a context.
    package func addTransitKey(_ name: String, isDerived: Bool, token: String) throws {
        try bao(["write", "transit/keys/\(name)", "derived=\(isDerived)"], token: token)
    }

    /// - Parameter fields: of the request, besides the ciphertext.
    package func rewrap(
        _ ciphertext: String, key: String, _ fields: [String: String], token: String
    ) throws -> String {
        let arguments = fields.map { "\($0.key)=\($0.value)" }
        let output = try bao(
            ["write", "-field=ciphertext", "transit/rewrap/\(key)", "ciphertext=\(ciphertext)"]
                + arguments, token: token)
        // Warnings stand right beside it.
        let words = output.replacing("WARNING!", with: " ").split(whereSeparator: \.isWhitespace)
        return words.first { $0.hasPrefix("vault:v") }.map(String.init) ?? output
    }

    /// Enables TLS certificate logins with a role `app` for clients named `workload` of this
    /// server's authority.
    package func enableCertificateLogin(policies: String, token: String) throws {
        try bao(["auth", "enable", "cert"], token: token)
        try bao(
            [
                "write", "auth/cert/certs/app", "certificate=@\(authorityFile)",
                "allowed_common_names=workload", "token_policies=\(policies)", "token_ttl=10m",
            ], token: token)
    }

    /// Another secret id of the AppRole role `app`, wrapped; returns the wrapping token.
    package func wrapSecretID(lifetime: String, token: String) throws -> String {
        try bao(
            [
                "write", "-f", "-wrap-ttl=\(lifetime)", "-field=wrapping_token",
                "auth/approle/role/app/secret-id",
            ], token: token
        ).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Wraps fields of the caller's choice; returns the wrapping token.
    package func wrap(_ field: String, token: String) throws -> String {
        try bao(
            ["write", "-field=wrapping_token", "sys/wrapping/wrap", field], token: token
        ).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    package func unseal(_ keys: Keys) throws { try bao(["operator", "unseal", keys.unsealKey]) }
}
