// SPDX-License-Identifier: Apache-2.0
import Inventory
import KubernetesFormat
import Testing
import Validation

@Suite("The webhook's certificate and the authorities in its caBundle") struct WebhookTrustTests {
    /// Made by `openssl req -x509`, both called CN=a.
    static let authority = """
        -----BEGIN CERTIFICATE-----
        MIIBbjCCARWgAwIBAgIUSuC0EDAl1UFILCgQoAteTfSlesYwCgYIKoZIzj0EAwIw
        DDEKMAgGA1UEAwwBYTAgFw0yNjExMjgwMTI2NDNaGA8yMTI2MTEwNDAxMjY0M1ow
        DDEKMAgGA1UEAwwBYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHFLWOiGlm3t
        jROINlSpL11fpiv2ofLyX36B7ZE0L5G7HtCf31KgFYg5AuKQA6Wunt4nXA8TVjN1
        bsTB0GPbtFmjUzBRMB0GA1UdDgQWBBTEtt6pXY6YHFSObxZ/kUNRjE1VSDAfBgNV
        HSMEGDAWgBTEtt6pXY6YHFSObxZ/kUNRjE1VSDAPBgNVHRMBAf8EBTADAQH/MAoG
        CCqGSM49BAMCA0cAMEQCIEfirtnfJbIohi/YUbgxNfy+V3NNsD49giihR91QWWo2
        AiBbtiWdU6vaQ+a5IKEmtp5L8yKRRMPO10/33a2lk3RAdA==
        -----END CERTIFICATE-----
        """
    static let stranger = """
        -----BEGIN CERTIFICATE-----
        MIIBbzCCARWgAwIBAgIUPbpbo+ZbX2J/F86njWLqurdQHoUwCgYIKoZIzj0EAwIw
        DDEKMAgGA1UEAwwBYTAgFw0yNjExMjgwMTI2NDNaGA8yMTI2MTEwNDAxMjY0M1ow
        DDEKMAgGA1UEAwwBYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABP6+yV7KjGbM
        /R4fGXk7oaNxiEpQEeK702hghsEKKuEid9I2O4Ycvq5GonWXcZD7nFaCrgbzsrtb
        ZysnovOlpLSjUzBRMB0GA1UdDgQWBBRydoo2vQ/Ra3JtF0vy0q4FDqRe6jAfBgNV
        HSMEGDAWgBRydoo2vQ/Ra3JtF0vy0q4FDqRe6jAPBgNVHRMBAf8EBTADAQH/MAoG
        CCqGSM49BAMCA0gAMEUCIQDnMNR077jVEwpTHufUqaIPWmQXm8K36iAaTHKzd+WO
        TAIgNREajQp74gWSLUL8cuaGrMyDBRQVaC4PqsRaC1wM25Y=
        -----END CERTIFICATE-----
        """
    /// For cloudtaser-operator.cloudtaser-system.svc, by the first.
    static let leaf = """
        -----BEGIN CERTIFICATE-----
        MIIBpDCCAUqgAwIBAgIUXGHmnn+nJAAvP+OyYTBuKTyY1G0wCgYIKoZIzj0EAwIw
        DDEKMAgGA1UEAwwBYTAgFw0yNjExMjgwMTI2NDRaGA8yMTI2MTEwNDAxMjY0NFow
        DDEKMAgGA1UEAwwBdzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABPHJdpmEMd07
        g+5SFOWaA9a2b1gCydxIBQi7FN2gAee63EYvExaNfcjSrCZZWZyTUgCSda4iirgx
        vPddtP12r3SjgYcwgYQwHQYDVR0OBBYEFBnLnQzxjyfbFbL/koebVbRDwrc6MB8G
        A1UdIwQYMBaAFMS23qldjpgcVI5vFn+RQ1GMTVVIMDQGA1UdEQQtMCuCKWNsb3Vk
        dGFzZXItb3BlcmF0b3IuY2xvdWR0YXNlci1zeXN0ZW0uc3ZjMAwGA1UdEwEB/wQC
        MAAwCgYIKoZIzj0EAwIDSAAwRQIgWuvKIH3n1OQAxrhqzplhSbbJtk7nYibc92Xk
        X36fb7gCIQDTz06jqoicsbK5OnLM8QZ26/HCyiWzEhTLosjQFX8Ejg==
        -----END CERTIFICATE-----
        """

    private func found(
        _ bundle: String, _ certificate: String = leaf, service: String = "cloudtaser-operator"
    ) throws -> [Finding] {
        var objects = try Samples.whole()
        objects[3] = try Samples.webhook(bundle: bundle, service: service)
        return Validation(
            Samples.input(
                objects,
                certificates: [.init(name: "webhook.crt", pem: Array(certificate.utf8))],
                now: 1_830_000_000)
        ).findings
    }

    @Test func `an authority of the same name and another key has not signed it`() throws {
        let findings = try found(Self.stranger)
        #expect(findings.map(\.id) == [.webhookDistrusted, .webhookDistrusted])
        #expect(
            findings.first?.message
                == "webhook pods.cloudtaser.io: no authority of its caBundle has signed webhook.crt"
        )
    }

    @Test func `one of several has signed it`() throws {
        #expect(try found(Self.authority) == [])
        #expect(try found(Self.stranger + "\n" + Self.authority) == [])
    }

    @Test func `a certificate of something else is not the webhook's`() throws {
        #expect(try found(Self.stranger, service: "other") == [])
        // An authority has no name of a service.
        #expect(try found(Self.stranger, Self.authority) == [])
    }
}
