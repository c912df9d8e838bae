// SPDX-License-Identifier: Apache-2.0
import Ports
import Testing
import WrapperConfiguration

/// What a login grants, certificates, wrapped secret ids.
extension Check {
    private static let tenMinutes = Grant(lifetime: .seconds(600), isRenewable: true)

    static let logins = grants + certificates + wrapping

    private static let grants = [
        Check("a login says how long its token lasts, and may come again") { bench in
            let store = try bench.appRoleStore(isLoggedIn: false)
            #expect(try store.logIn() == tenMinutes)
            #expect(try store.logIn() == tenMinutes)
            #expect(try store.read("secret/app", ["yes"]).values == ["true"])
            #expect(try store.renewToken() == tenMinutes)
        },
        Check("a given token is looked up") { bench in
            let administrator = try bench.store(token: bench.credentials.root)
            #expect(try administrator.logIn() == Grant(lifetime: nil, isRenewable: false))
            #expect(throws: SecretStoreFailure.renewalRefused) {
                try administrator.renewToken()
            }
            let limited = try bench.store(token: bench.credentials.limited).logIn()
            #expect(limited.isRenewable)
            #expect(try #require(limited.lifetime) <= .seconds(600))
            #expect(try #require(limited.lifetime) > .seconds(60))
        },
        Check("a token cannot be renewed beyond its longest life") { bench in
            let token = try bench.makeToken(seconds: 2, secondsMax: 4)
            let store = try bench.store(token: token)
            let ended = try bench.renewUntilRefused(atMost: .seconds(2)) {
                try store.renewToken()
            }
            #expect(ended == .tokenInvalid)
            #expect(throws: SecretStoreFailure.tokenInvalid) { try store.logIn() }
        },
        Check("before a login and after forget nothing is asked") { bench in
            let store = try bench.appRoleStore(isLoggedIn: false)
            for isForgotten in [false, true] {
                if isForgotten { store.forget() }
                let calls: [(StoreUnderTest) throws -> Void] = [
                    { _ = try $0.read("secret/app", ["yes"]) },
                    { _ = try $0.currentVersion("secret/app") }, { _ = try $0.renewToken() },
                    { _ = try $0.renew(LeaseID("a/b")) }, { try $0.revoke(LeaseID("a/b")) },
                    { try $0.revokeToken() }, { _ = try $0.encrypt([1], key: "app") },
                    { _ = try $0.decrypt("vault:v1:AAAA", key: "app") },
                ]
                for call in calls {
                    #expect(throws: SecretStoreFailure.tokenInvalid) { try call(store) }
                }
            }
            #expect(throws: SecretStoreFailure.credentialMissing(method: "approle")) {
                try store.logIn()
            }
        },
    ]

    private static let certificates = [
        Check("a client certificate logs in, with a role and without") { bench in
            for name in ["app", nil] {
                let store = try bench.store(.certificate(name: name), client: .good)
                #expect(try store.logIn() == tenMinutes)
                #expect(try store.read("secret/app", ["yes"]).values == ["true"])
            }
        },
        Check("a client certificate of another authority, or for another role") { bench in
            #expect(
                throws: SecretStoreFailure.loginRefused(method: "cert", role: "app", status: 400)
            ) {
                try bench.store(.certificate(name: "app"), client: .otherAuthority).logIn()
            }
            #expect(
                throws: SecretStoreFailure.loginRefused(
                    method: "cert", role: "stranger", status: 400)
            ) {
                try bench.store(.certificate(name: "stranger"), client: .good).logIn()
            }
        },
        Check("a certificate login without a certificate asks nobody") { bench in
            #expect(throws: SecretStoreFailure.credentialMissing(method: "cert")) {
                try bench.store(.certificate(name: "app"), client: .none).logIn()
            }
        },
    ]

    private static let wrapping = [
        Check("a wrapped secret id is unwrapped once and kept") { bench in
            let wrapped = try bench.wrapSecretID(seconds: 300)
            let store = try bench.store(bench.appRole, wrapped: wrapped)
            #expect(try store.logIn() == tenMinutes)
            #expect(try store.logIn() == tenMinutes)
            #expect(try store.read("secret/app", ["yes"]).values == ["true"])
        },
        Check("a wrapping token that somebody else has used") { bench in
            let wrapped = try bench.wrapSecretID(seconds: 300)
            try bench.store(bench.appRole, wrapped: wrapped).logIn()
            #expect(throws: SecretStoreFailure.wrappingTokenInvalid) {
                try bench.store(bench.appRole, wrapped: wrapped).logIn()
            }
        },
        Check("a wrapping token of something else is left as it is") { bench in
            // What an attacker chose, in the form that is expected.
            let forged = try bench.wrap(secretID: bench.credentials.secretID)
            for _ in 0..<2 {
                let failure = SecretStoreFailure.wrappingTokenForeign(
                    creationPath: "sys/wrapping/wrap")
                #expect(throws: failure) {
                    try bench.store(bench.appRole, wrapped: forged).logIn()
                }
            }
        },
        Check("a wrapping token that is unknown, or no token at all") { bench in
            for text in ["s.nobody-made-this", "two words"] {
                #expect(throws: SecretStoreFailure.wrappingTokenInvalid) {
                    try bench.store(bench.appRole, wrapped: text).logIn()
                }
            }
        },
        Check("a wrapping token that has expired") { bench in
            let wrapped = try bench.wrapSecretID(seconds: 1)
            try bench.wait(seconds: 3)
            #expect(throws: SecretStoreFailure.wrappingTokenInvalid) {
                try bench.store(bench.appRole, wrapped: wrapped).logIn()
            }
        },
    ]
}
