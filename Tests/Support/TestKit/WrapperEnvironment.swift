// SPDX-License-Identifier: Apache-2.0

/// The environment of `cloudtaser-wrapper` that its tests start from.
package enum WrapperEnvironment {
    /// All of it but the login: one field of the secret `secret/app` is delivered.
    ///
    /// - Parameters:
    ///   - vault: its address.
    ///   - authorityFile: path of the PEM that its certificate is checked with.
    ///   - field: name of the field.
    ///   - variable: name that the program finds it under.
    package static func delivering(
        _ field: String, as variable: String, from vault: String, authorityFile: String
    ) -> [String: String] {
        [
            "PATH": "/usr/bin:/bin",
            "VAULT_ADDR": vault,
            "VAULT_CACERT": authorityFile,
            "CLOUDTASER_SECRET_PATHS": "secret/app",
            "CLOUDTASER_ENV_MAP": "\(field)=\(variable)",
            // Where the kernel has no memfd_secret or refuses ptrace, the same answers are due.
            "CLOUDTASER_MINIMUM_TIER": "ordinary",
            "CLOUDTASER_DELIVERY": "environ",
        ]
    }
}
