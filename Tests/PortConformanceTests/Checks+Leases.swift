// SPDX-License-Identifier: Apache-2.0
import Ports
import Testing
import WrapperConfiguration

/// Leases, renewals and revocations.
extension Check {
    static let leases =
        [
            Check("a dynamic secret comes with a renewable lease, another one each time") { bench in
                let store = try bench.appRoleStore()
                let (first, password) = try store.lease("database/creds/app", "password")
                #expect(first.grant == Grant(lifetime: .seconds(60), isRenewable: true))
                #expect(!password.isEmpty)
                let (second, other) = try store.lease("database/creds/app", "password")
                #expect(second.id != first.id)
                #expect(other != password)
            },
            Check("a lease is reported although a field is missing") { bench in
                let store = try bench.appRoleStore()
                var leases: [Lease] = []
                #expect(
                    throws: SecretStoreFailure.fieldMissing(
                        path: "database/creds/app", field: "nope")
                ) {
                    try store.read("database/creds/app", ["password", "nope"]) {
                        leases.append($0)
                    }
                }
                let lease = try #require(leases.first)
                // It is alive, and so somebody has to end it.
                #expect(try store.renew(lease.id).isRenewable)
            },
            Check("a lease is renewed and revoked; revoking it again is no failure") { bench in
                let store = try bench.appRoleStore()
                let (lease, _) = try store.lease("database/creds/app", "username")
                #expect(
                    try store.renew(lease.id)
                        == Grant(lifetime: .seconds(60), isRenewable: true))
                try store.revoke(lease.id)
                try bench.expectGone(lease.id)
                #expect(throws: SecretStoreFailure.leaseUnknown) { try store.renew(lease.id) }
                try store.revoke(lease.id)
            },
            Check("a lease ends at its longest life, however often it is renewed") { bench in
                let store = try bench.appRoleStore()
                let (lease, _) = try store.lease("database/creds/short", "password")
                #expect(lease.grant == Grant(lifetime: .seconds(2), isRenewable: true))
                let ended = try bench.renewUntilRefused(atMost: .seconds(2)) {
                    try store.renew(lease.id)
                }
                // At the very end some engines refuse before they forget.
                #expect(ended == .leaseUnknown || ended == .renewalRefused)
                try bench.expectGone(lease.id)
            },
            Check("an unknown lease, and one that may not be renewed") { bench in
                let store = try bench.appRoleStore()
                #expect(throws: SecretStoreFailure.leaseUnknown) {
                    try store.renew(LeaseID("database/creds/app/none"))
                }
                try store.revoke(LeaseID("database/creds/app/none"))
                let (lease, _) = try store.lease(
                    "pki/issue/leased", "certificate", parameters: ["common_name": "a.test"])
                #expect(!lease.grant.isRenewable)
                // The engine counts from the certificate's start: a second may be gone.
                #expect(
                    (Duration.seconds(50)...Duration.seconds(60)).contains(
                        try #require(lease.grant.lifetime)))
                #expect(throws: SecretStoreFailure.renewalRefused) { try store.renew(lease.id) }
                try store.revoke(lease.id)
                try bench.expectGone(lease.id)
            },
            Check("a token without the right may renew a lease and not revoke it") { bench in
                let store = try bench.store(token: bench.credentials.limited)
                let (lease, _) = try store.lease("database/creds/app", "password")
                _ = try store.renew(lease.id)
                #expect(
                    throws: SecretStoreFailure.permissionDenied(path: "sys/leases/revoke")
                ) { try store.revoke(lease.id) }
                _ = try store.renew(lease.id)
            },
            Check("revoking the token ends it and its leases") { bench in
                let store = try bench.appRoleStore()
                let (lease, _) = try store.lease("database/creds/app", "password")
                try store.revokeToken()
                #expect(throws: SecretStoreFailure.tokenInvalid) { try store.renewToken() }
                #expect(throws: SecretStoreFailure.tokenInvalid) {
                    try store.read("secret/app", ["yes"])
                }
                try bench.expectGone(lease.id)
                // And the credential is good for another one.
                try store.logIn()
                #expect(try store.read("secret/app", ["yes"]).values == ["true"])
            },
            Check("a dynamic role that does not exist") { bench in
                let store = try bench.store(token: bench.credentials.root)
                for path in ["database/creds/none", "pki/issue/none"] {
                    #expect(throws: SecretStoreFailure.notFound(path: path)) {
                        try store.read(
                            path, ["password"],
                            parameters: path.hasPrefix("pki") ? ["common_name": "a.test"] : [:])
                    }
                }
            },
        ]
}

extension StoreBench {
    /// Renews every second; no renewal may give more than `longest`. Returns the refusal.
    func renewUntilRefused(
        atMost longest: Duration, _ renew: () throws -> Grant
    ) throws -> SecretStoreFailure? {
        for _ in 0..<60 {
            try wait(seconds: 1)
            do {
                #expect(try #require(try renew().lifetime) <= longest)
            } catch SecretStoreFailure.serverError {
                // What OpenBao answers in the moment in which something ends.
            } catch { return error as? SecretStoreFailure }
        }
        return nil
    }

    /// Waits until the vault knows the lease no more: revocation may take its time.
    func expectGone(_ lease: LeaseID) throws {
        let administrator = try store(token: credentials.root)
        for _ in 0..<300 {
            do { _ = try administrator.renew(lease) } catch SecretStoreFailure.leaseUnknown {
                return
            } catch {}
            try wait(milliseconds: 100)
        }
        Issue.record("the lease is still known")
    }
}
