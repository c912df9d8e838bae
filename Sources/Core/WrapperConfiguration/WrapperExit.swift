// SPDX-License-Identifier: Apache-2.0

/// Exit codes of `cloudtaser-wrapper` itself, documented in docs/reference/exit-codes.md.
///
/// A started program's own code is passed through (128 + n for a signal), so these only appear
/// when no program runs. They stay clear of 1...79 (programs, sysexits.h) and of 126...165
/// (shells, signals), with two exceptions that users expect: 64 (EX_USAGE), and 126/127.
package enum WrapperExit: Int32, Sendable, CaseIterable {
    case usage = 64
    case configurationInvalid = 80
    case originForbidden = 81
    case credentialUnreadable = 82
    case vaultUnreachable = 83
    case vaultTimedOut = 84
    case certificateUntrusted = 85
    case certificateNameMismatch = 86
    case certificateExpired = 87
    case tlsFailed = 88
    case redirectForbidden = 89
    case vaultSealed = 90
    case vaultUninitialized = 91
    case vaultStandby = 92
    case rateLimited = 93
    case vaultError = 94
    case loginRefused = 95
    case tokenInvalid = 96
    case permissionDenied = 97
    case secretNotFound = 98
    case versionDeleted = 99
    case versionDestroyed = 100
    case fieldMissing = 101
    case fieldNotText = 102
    case responseMalformed = 103
    case responseTruncated = 104
    case responseTooLarge = 105
    case valueContainsNUL = 106
    case valueTooLarge = 107
    case valueEmpty = 108
    case secretMemoryUnavailable = 109
    case hostRefusesDelivery = 110
    case deliveryFailed = 111
    case internalFailure = 112
    case wrappingTokenInvalid = 113
    case installationFailed = 114
    case agentAbsent = 115
    case agentRefused = 116
    case attachRefused = 117
    case notExecutable = 126
    case notFound = 127

    /// What happened, for the table of exit codes.
    package var cause: String {
        switch self {
        case .usage: "The command line is not understood."
        case .configurationInvalid: "A control variable is missing, malformed or contradictory."
        case .originForbidden: "VAULT_ADDR is not among CLOUDTASER_ALLOWED_ORIGINS."
        case .credentialUnreadable: "A token, JWT, secret id, certificate or key cannot be read."
        case .vaultUnreachable: "The vault's name does not resolve, or nothing answers there."
        case .vaultTimedOut: "The vault did not answer within the time limit."
        case .certificateUntrusted: "The vault's certificate does not lead to a trusted root."
        case .certificateNameMismatch: "The vault's certificate is for another host."
        case .certificateExpired: "The vault's certificate is expired or not valid yet."
        case .tlsFailed: "The TLS handshake failed, for instance the vault offers only TLS 1.1."
        case .redirectForbidden: "The vault redirects to an origin that is not allowed."
        case .vaultSealed: "The vault is sealed."
        case .vaultUninitialized: "The vault is not initialised."
        case .vaultStandby: "The node is a standby that does not forward requests."
        case .rateLimited: "The vault refuses more requests for now (429)."
        case .vaultError: "The vault answered with a server error (5xx)."
        case .loginRefused: "The vault refuses the login: wrong role, credential or audience."
        case .tokenInvalid: "The vault token is expired, revoked or unknown."
        case .permissionDenied: "The vault's policy does not let this login read the path."
        case .secretNotFound: "There is no secret, or no secrets engine, at the path."
        case .versionDeleted: "The secret's current version is deleted."
        case .versionDestroyed: "The secret's current version is destroyed."
        case .fieldMissing: "The secret has no field of the name in CLOUDTASER_ENV_MAP."
        case .fieldNotText:
            "The field is an object, a list (of other things than PEM blocks) or null."
        case .responseMalformed: "The vault's answer is not valid HTTP or JSON."
        case .responseTruncated: "The vault's answer ended early."
        case .responseTooLarge: "The vault's answer is larger than the limit."
        case .valueContainsNUL: "A value contains a NUL byte, which no environment can hold."
        case .valueTooLarge: "A value, or all values together, exceed the limit."
        case .valueEmpty: "A value is empty and CLOUDTASER_EMPTY_VALUES=refuse."
        case .secretMemoryUnavailable: "Memory of the required tier cannot be had."
        case .hostRefusesDelivery: "The host refuses a call that the delivery mode needs."
        case .deliveryFailed:
            "A step of the delivery failed; the program was killed before its next image ran."
        case .wrappingTokenInvalid:
            "The wrapped secret id was unwrapped already, is expired, unknown or foreign."
        case .installationFailed: "The wrapper could not be copied into the folder."
        case .agentAbsent: "CLOUDTASER_AGENT=required and no agent answers on this node."
        case .agentRefused: "CLOUDTASER_AGENT=required and the agent does not protect the process."
        case .attachRefused: "The command was not run beside the program."
        case .internalFailure: "A system call of the wrapper failed unexpectedly."
        case .notExecutable: "The program was found and cannot be executed."
        case .notFound: "The program was not found."
        }
    }

    /// What to do about it.
    package var remedy: String {
        switch self {
        case .usage: "Run `cloudtaser-wrapper --help`."
        case .configurationInvalid: "Correct the variable that the message names."
        case .originForbidden: "Correct VAULT_ADDR, or let the operator's policy allow the origin."
        case .credentialUnreadable: "Check the path, the volume mount and the file's mode."
        case .vaultUnreachable: "Check VAULT_ADDR, DNS, the network policy and the firewall."
        case .vaultTimedOut: "Check the network path and the vault's load."
        case .certificateUntrusted: "Set VAULT_CACERT to the CA that issued the certificate."
        case .certificateNameMismatch: "Use the certificate's name in VAULT_ADDR, or reissue it."
        case .certificateExpired: "Renew the certificate; check both clocks."
        case .tlsFailed: "Let the vault offer TLS 1.2 or 1.3."
        case .redirectForbidden: "Add the origin to CLOUDTASER_ALLOWED_ORIGINS if it is yours."
        case .vaultSealed: "Unseal the vault, then restart the workload."
        case .vaultUninitialized: "Initialise the vault, or correct VAULT_ADDR."
        case .vaultStandby: "Point VAULT_ADDR at the active node or the load balancer."
        case .rateLimited: "Retry after the time in the message; raise the quota if it persists."
        case .vaultError: "Look at the vault's log for the time of the message."
        case .loginRefused: "Check VAULT_AUTH_ROLE, VAULT_AUTH_MOUNT_PATH and the role's bindings."
        case .tokenInvalid: "Provide a fresh token."
        case .permissionDenied: "Grant `read` on the path in the role's policy."
        case .secretNotFound: "Check CLOUDTASER_SECRET_PATHS and VAULT_NAMESPACE."
        case .versionDeleted: "Undelete the version or write a new one."
        case .versionDestroyed: "Write a new version; destroyed data cannot come back."
        case .fieldMissing: "Correct CLOUDTASER_ENV_MAP or add the field to the secret."
        case .fieldNotText: "Store the field as text, number or boolean."
        case .responseMalformed:
            "Check that VAULT_ADDR is a vault and no proxy rewrites its answers."
        case .responseTruncated: "Check proxies between the workload and the vault."
        case .responseTooLarge: "Split the secret into smaller ones."
        case .valueContainsNUL: "Store the value encoded, for instance as base64."
        case .valueTooLarge: "Split the value, or deliver it as a file."
        case .valueEmpty: "Store a value, or allow empty ones."
        case .secretMemoryUnavailable:
            "Use a kernel with memfd_secret, raise RLIMIT_MEMLOCK (to 64 KiB at least), or lower "
                + "CLOUDTASER_MINIMUM_TIER knowingly."
        case .hostRefusesDelivery:
            "Allow ptrace and seccomp for the container, or choose CLOUDTASER_DELIVERY=environ "
                + "knowingly."
        case .deliveryFailed: "Read the step in the message; report it if it repeats."
        case .wrappingTokenInvalid:
            "Find out who unwrapped it; issue a new secret id, wrapped anew, for each start."
        case .installationFailed:
            "Follow the message: the folder must be there, writable, and have 24 MB left."
        case .agentAbsent:
            "Check that the agent's DaemonSet runs on the node and that its socket is mounted."
        case .agentRefused: "Read the reason in the message and the agent's log."
        case .attachRefused:
            "Follow the message: list the probe's or hook's command in CLOUDTASER_ATTACH, and let "
                + "the wrapper run."
        case .internalFailure: "Report it with the message."
        case .notExecutable: "Check the file's mode, format and architecture."
        case .notFound: "Check the command and PATH."
        }
    }
}
